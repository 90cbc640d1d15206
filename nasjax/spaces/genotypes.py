"""The derivation rule of DARTS and the genotypes that it prints.

H. Liu, K. Simonyan and Y. Yang, DARTS: Differentiable Architecture Search, ICLR
2019, https://arxiv.org/abs/1806.09055, section 2.4. DARTS_V1 and DARTS_V2 are
the cells of its first and second order searches, in the authors' order.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Arch

OPERATIONS = (
  'none',
  'max_pool_3x3',
  'avg_pool_3x3',
  'skip_connect',
  'sep_conv_3x3',
  'sep_conv_5x5',
  'dil_conv_3x3',
  'dil_conv_5x5',
)


class Genotype(NamedTuple):
  """A pair of cells as published: two `(operation, source)` a node."""

  normal: list[tuple[str, int]]
  normal_concat: Sequence[int]
  reduce: list[tuple[str, int]]
  reduce_concat: Sequence[int]


DARTS_V1 = Genotype(
  normal=[
    ('sep_conv_3x3', 1),
    ('sep_conv_3x3', 0),
    ('skip_connect', 0),
    ('sep_conv_3x3', 1),
    ('skip_connect', 0),
    ('sep_conv_3x3', 1),
    ('sep_conv_3x3', 0),
    ('skip_connect', 2),
  ],
  normal_concat=[2, 3, 4, 5],
  reduce=[
    ('max_pool_3x3', 0),
    ('max_pool_3x3', 1),
    ('skip_connect', 2),
    ('max_pool_3x3', 0),
    ('max_pool_3x3', 0),
    ('skip_connect', 2),
    ('skip_connect', 2),
    ('avg_pool_3x3', 0),
  ],
  reduce_concat=[2, 3, 4, 5],
)

DARTS_V2 = Genotype(
  normal=[
    ('sep_conv_3x3', 0),
    ('sep_conv_3x3', 1),
    ('sep_conv_3x3', 0),
    ('sep_conv_3x3', 1),
    ('sep_conv_3x3', 1),
    ('skip_connect', 0),
    ('skip_connect', 0),
    ('dil_conv_3x3', 2),
  ],
  normal_concat=[2, 3, 4, 5],
  reduce=[
    ('max_pool_3x3', 0),
    ('max_pool_3x3', 1),
    ('skip_connect', 2),
    ('max_pool_3x3', 1),
    ('max_pool_3x3', 0),
    ('skip_connect', 2),
    ('skip_connect', 2),
    ('max_pool_3x3', 1),
  ],
  reduce_concat=[2, 3, 4, 5],
)


def edges(num_nodes: int = 4) -> tuple[tuple[int, ...], tuple[int, ...]]:
  """Return the source and the target state of every edge, node by node.

  Args:
    num_nodes: number of intermediate nodes.

  Returns:
    Two tuples of `num_nodes (num_nodes + 3) / 2` states; the inputs of the cell
    are the states 0 and 1, node i is state i + 2.
  """
  pairs = [(s, t) for t in range(2, 2 + num_nodes) for s in range(t)]
  return tuple(s for s, _ in pairs), tuple(t for _, t in pairs)


def num_nodes_of(num_edges: int) -> int:
  """Return the number of inner nodes of a cell.

  Args:
    num_edges: number of its edges.

  Returns:
    n with `n (n + 3) / 2` edges.

  Raises:
    ValueError: if no cell has so many edges.
  """
  num_nodes = (math.isqrt(9 + 8 * num_edges) - 3) // 2
  if num_nodes * (num_nodes + 3) != 2 * num_edges or num_nodes < 1:
    raise ValueError(
      f'A cell has n (n + 3) / 2 edges (2, 5, 9, 14, ...), got {num_edges}.'
    )
  return num_nodes


def siblings(num_nodes: int) -> np.ndarray:
  """Return which edges enter the same node: `bool[E, E]`."""
  targets = np.asarray(edges(num_nodes)[1])
  return targets[:, None] == targets[None, :]


def strength_ranks(probs: jax.Array) -> jax.Array:
  """Return the place of each edge among those that enter the same node.

  An edge is as strong as its best operation other than `none`; of equal edges
  the one from the lower source comes first.

  Args:
    probs: `f32[..., E, K]`, weights of the operations, `none` first.

  Returns:
    `int32[..., E]`, 0 for the strongest edge of each node.
  """
  num_edges = probs.shape[-2]
  strength = jnp.max(probs[..., 1:], axis=-1)
  mine, other = strength[..., :, None], strength[..., None, :]
  lower = np.tri(num_edges, k=-1, dtype=bool)  # other's number is below mine
  lower = np.broadcast_to(lower, strength.shape + (num_edges,))
  same_node = np.broadcast_to(siblings(num_nodes_of(num_edges)), lower.shape)
  beats = same_node & ((other > mine) | ((other == mine) & lower))
  return jnp.sum(beats, axis=-1, dtype=jnp.int32)


def derive(probs: Arch) -> Arch:
  """Return the discrete cells of relaxed ones: two strongest edges a node.

  Each node keeps the 2 edges with the largest `max_{k != none} p_ek`, and each
  of them its best operation other than `none`. Ties go to the lower edge, then
  to the lower operation.

  Args:
    probs: pytree of `f32[..., E, K]`, weights of the operations with `none`
      first.

  Returns:
    Pytree of `int32[..., E]`; edges that are not kept are 0, `none`.

  References:
    DARTS, section 2.4.
  """

  def derive_cell(cell):
    best = 1 + jnp.argmax(cell[..., 1:], axis=-1).astype(jnp.int32)
    return jnp.where(strength_ranks(cell) < 2, best, 0)

  return jax.tree.map(derive_cell, probs)


def to_genotype(
  arch: Arch,
  probs: Arch | None = None,
  operations: Sequence[str] = OPERATIONS,
) -> Genotype:
  """Return the genotype of an architecture.

  Args:
    arch: `{'normal': int32[E], 'reduce': int32[E]}` with known values, or its
      static form.
    probs: the weights that it was derived from; when given, the two inputs of
      a node are listed strongest first, as in published genotypes, else by
      source.
    operations: names of the choices, `none` first.

  Returns:
    The genotype, whose output concatenates all nodes.
  """

  def pairs(name):
    cell = np.asarray(arch[name])
    source, target = edges(num_nodes_of(len(cell)))
    rank = source if probs is None else np.asarray(strength_ranks(probs[name]))
    kept = sorted(np.flatnonzero(cell), key=lambda e: (target[e], rank[e]))
    return [(operations[cell[e]], source[e]) for e in kept]

  concat = list(range(2, 2 + num_nodes_of(len(arch['normal']))))
  return Genotype(pairs('normal'), concat, pairs('reduce'), list(concat))


def from_genotype(
  genotype: Genotype, operations: Sequence[str] = OPERATIONS
) -> Arch:
  """Return the architecture of a genotype; which nodes it outputs is dropped.

  Args:
    genotype: two `(operation, source)` pairs for each node in turn.
    operations: names of the choices, `none` first.

  Returns:
    `{'normal': int32[E], 'reduce': int32[E]}`.

  Raises:
    ValueError: if an operation is unknown, or the two sources of a node are
      equal or come after it.
  """

  def cell(pairs):
    num_nodes = len(pairs) // 2
    source, target = edges(num_nodes)
    numbers = {edge: e for e, edge in enumerate(zip(source, target))}
    ops = np.zeros(len(source), np.int32)
    for i, (name, state) in enumerate(pairs):
      edge = (state, 2 + i // 2)
      if name not in operations[1:]:
        raise ValueError(
          f'Unknown operation {name!r}. Known: {", ".join(operations[1:])}.'
        )
      if edge not in numbers or ops[numbers[edge]]:
        raise ValueError(
          f'State {edge[1]} needs two different inputs among the states '
          f'before it, got {pairs[i // 2 * 2 : i // 2 * 2 + 2]}.'
        )
      ops[numbers[edge]] = operations.index(name)
    return jnp.asarray(ops)

  return {'normal': cell(genotype.normal), 'reduce': cell(genotype.reduce)}
