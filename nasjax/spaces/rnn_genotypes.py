"""The recurrent cells of DARTS: their derivation and their genotypes.

H. Liu, K. Simonyan and Y. Yang, DARTS: Differentiable Architecture Search, ICLR
2019, https://arxiv.org/abs/1806.09055, section 2.4. DARTS_V1 and DARTS_V2 are
the cells of its first and second order searches.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Arch

FUNCTIONS = ('none', 'tanh', 'relu', 'sigmoid', 'identity')


class Genotype(NamedTuple):
  """A cell as published: one `(function, source)` a node, and its output."""

  recurrent: list[tuple[str, int]]
  concat: Sequence[int]  # states whose mean is the output


DARTS_V1 = Genotype(
  recurrent=[
    ('relu', 0),
    ('relu', 1),
    ('tanh', 2),
    ('relu', 3),
    ('relu', 4),
    ('identity', 1),
    ('relu', 5),
    ('relu', 1),
  ],
  concat=range(1, 9),
)

DARTS_V2 = Genotype(
  recurrent=[
    ('sigmoid', 0),
    ('relu', 1),
    ('relu', 1),
    ('identity', 1),
    ('tanh', 2),
    ('sigmoid', 5),
    ('tanh', 3),
    ('relu', 5),
  ],
  concat=range(1, 9),
)


def edges(num_nodes: int = 8) -> tuple[tuple[int, ...], tuple[int, ...]]:
  """Return the source and the target state of every edge, node by node.

  Args:
    num_nodes: number of nodes N.

  Returns:
    Two tuples of `N (N + 1) / 2` states.
  """
  pairs = [(s, t) for t in range(1, 1 + num_nodes) for s in range(t)]
  return tuple(s for s, _ in pairs), tuple(t for _, t in pairs)


def num_nodes_of(num_edges: int) -> int:
  """Return the number of nodes of a cell with so many edges.

  Args:
    num_edges: number of its edges.

  Returns:
    N with `N (N + 1) / 2` edges.

  Raises:
    ValueError: if no cell has so many edges.
  """
  num_nodes = (math.isqrt(1 + 8 * num_edges) - 1) // 2
  if num_nodes * (num_nodes + 1) != 2 * num_edges or num_nodes < 1:
    raise ValueError(
      f'A recurrent cell has n (n + 1) / 2 edges (1, 3, 6, 10, ...), got '
      f'{num_edges}.'
    )
  return num_nodes


def members(num_nodes: int) -> np.ndarray:
  """Return which edges enter each node: `bool[N, E]`."""
  targets = np.asarray(edges(num_nodes)[1])
  return targets == 1 + np.arange(num_nodes)[:, None]


def inputs(cell: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Return the source and the function of every node's input.

  Args:
    cell: `int32[E]`, with one input a node.

  Returns:
    `int32[N]` states and `int32[N]` functions.
  """
  num_nodes = num_nodes_of(len(cell))
  enters = members(num_nodes).astype(np.int32)
  source = np.asarray(edges(num_nodes)[0])
  return enters @ jnp.where(cell > 0, source, 0), enters @ cell


def from_inputs(source: jax.Array, function: jax.Array) -> jax.Array:
  """Return the cell of such inputs, the inverse of `inputs`.

  Args:
    source: `int32[N]`, a state before each node.
    function: `int32[N]`, from 1.

  Returns:
    `int32[E]`.
  """
  num_nodes = len(source)
  first = np.arange(num_nodes) * np.arange(1, num_nodes + 1) // 2
  cell = jnp.zeros(num_nodes * (num_nodes + 1) // 2, jnp.int32)
  return cell.at[first + source].set(function)


def derive(probs: Arch) -> Arch:
  """Return the discrete cell of a relaxed one: the strongest input of a node.

  Each node keeps the edge with the largest `max_{k != none} p_ek`, with its
  best function other than `none`. Ties go to the lower source, then to the
  lower function.

  Args:
    probs: pytree of `f32[E, K]`, weights of the functions with `none` first.

  Returns:
    Pytree of `int32[E]`; edges that are not kept are 0, `none`.

  References:
    DARTS, section 2.4.
  """

  def derive_cell(cell):
    num_edges = cell.shape[-2]
    best = 1 + jnp.argmax(cell[:, 1:], axis=-1).astype(jnp.int32)
    strength = jnp.max(cell[:, 1:], axis=-1)[None]
    enters = members(num_nodes_of(num_edges))
    strength = jnp.broadcast_to(strength, enters.shape)
    kept = jnp.argmax(jnp.where(enters, strength, -jnp.inf), axis=-1)
    return jnp.zeros(num_edges, jnp.int32).at[kept].set(best[kept])

  return jax.tree.map(derive_cell, probs)


def to_genotype(arch: Arch, functions: Sequence[str] = FUNCTIONS) -> Genotype:
  """Return the genotype of an architecture, whose output is that of all nodes.

  Args:
    arch: `{'recurrent': int32[E]}` with known values, or its static form.
    functions: names of the choices, `none` first.

  Returns:
    The genotype.
  """
  cell = np.asarray(arch['recurrent'])
  source, _ = edges(num_nodes_of(len(cell)))
  pairs = [(functions[cell[e]], source[e]) for e in np.flatnonzero(cell)]
  return Genotype(pairs, range(1, 1 + len(pairs)))


def from_genotype(
  genotype: Genotype, functions: Sequence[str] = FUNCTIONS
) -> Arch:
  """Return the architecture of a genotype; its output is that of all nodes.

  Args:
    genotype: a `(function, source)` pair for each node in turn.
    functions: names of the choices, `none` first.

  Returns:
    `{'recurrent': int32[E]}`.

  Raises:
    ValueError: if a function is unknown or a source comes after its node.
  """
  cell = []
  for node, (name, source) in enumerate(genotype.recurrent):
    if name not in functions[1:]:
      raise ValueError(
        f'Unknown function {name!r}. Known: {", ".join(functions[1:])}.'
      )
    if not 0 <= source <= node:
      raise ValueError(
        f'Node {node} receives from one of the states 0 to {node}, got '
        f'{source}.'
      )
    row = [0] * (node + 1)
    row[source] = functions.index(name)
    cell += row
  return {'recurrent': jnp.asarray(cell, jnp.int32)}
