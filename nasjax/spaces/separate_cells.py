"""Cells that share nothing: their parsing, deeper networks, their distance.

A. Heuillet, H. Tabia, H. Arioui and K. Youcef-Toumi, D-DARTS: Distributed
Differentiable Architecture Search, 2021, https://arxiv.org/abs/2108.09306.

An architecture is `{'cells': int32[G, E]}` for G cells in the form of
`darts_cell`, which has the space (`num_cells`). In `threshold_sparse` a node
has at most two inputs and an edge at most one operation; in `threshold_edges`
an edge may have two, side by side: `int32[G, 2 E]`.

Deviations
  * The authors' map of layers to cells takes `(i % G) // 3` in the first third,
    where it takes `i % (G // 3)` in the others: `official` is theirs.
  * What leaves a node without inputs is dropped when cells are parsed; theirs
    builds such operations and passes over them.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import genotypes
from nasjax.types import Arch


def kinds(num_cells: int) -> tuple[str, ...]:
  """Return the kind of each of G cells: those at G // 3 and 2 G // 3 reduce."""
  reductions = (num_cells // 3, 2 * num_cells // 3)
  return tuple(
    'reduce' if i in reductions else 'normal' for i in range(num_cells)
  )


def untie(arch: Arch, kinds: Sequence[str]) -> Arch:
  """Return an architecture with a copy of the choices for every cell.

  Args:
    arch: dict of `f32[E, K]`, or `int32[E]`.
    kinds: the leaf that every cell takes, `kinds` of a `Darts` network.

  Returns:
    `{'cells': [cells, E, ...]}`, for `network.clone(cells=range(num_cells))`.
  """
  return {'cells': jnp.stack([arch[kind] for kind in kinds])}


def unshared(num_cells: int) -> Callable[[Arch], Arch]:
  """Return the form in which every cell has choices of its own.

  A network with `cells=(0, ..., G - 1)` computes with the result what one of
  two kinds of cells computes with the architecture itself.

  Args:
    num_cells: G.

  Returns:
    `(arch) -> {'cells': [G, E, ...]}` for the leaves 'normal' and 'reduce';
    architectures of one leaf 'cells' stay as they are.
  """

  def expand(arch: Arch) -> Arch:
    if 'cells' in arch:
      return arch
    return untie(arch, kinds(num_cells))

  return expand


def layer_cells(
  num_layers: int, num_cells: int, official: bool = False
) -> tuple[int, ...]:
  """Return the cell that each layer of a deeper network takes.

  The cells before, between and after the two reductions are taken in turn in
  the layers before, between and after its reductions.

  Args:
    num_layers: n, at least G.
    num_cells: G; the cells G // 3 and 2 G // 3 are the reductions.
    official: whether the first third is that of the authors' program.

  Returns:
    n numbers of cells; 0 to G - 1 for a network as deep as the search.

  Raises:
    ValueError: if there are fewer layers than cells, or a deeper network finds
      no normal cell for one of its thirds.
  """
  if num_layers == num_cells:
    return tuple(range(num_cells))
  first, second = num_cells // 3, 2 * num_cells // 3
  if num_layers < num_cells or num_cells < 5:
    raise ValueError(
      'A deeper network needs at least as many layers as cells, and 5 cells '
      f'for a normal one in each third; got {num_layers} layers and '
      f'{num_cells} cells.'
    )

  def cell(i):
    if i == num_layers // 3:
      return first
    if i == 2 * num_layers // 3:
      return second
    if i < num_layers // 3:
      return (i % num_cells) // 3 if official else i % first
    if i < 2 * num_layers // 3:
      return i % (second - first - 1) + first + 1
    return i % (num_cells - second - 1) + second + 1

  return tuple(map(cell, range(num_layers)))


def drop_unreached(arch: Arch, operations_per_edge: int = 1) -> Arch:
  """Return the architecture without the edges that leave an empty node.

  A node is empty that has no input, or none but from empty nodes.

  Args:
    arch: pytree of `int32[..., E]`, `none` 0.
    operations_per_edge: of each of the E edges' choices, M that belong to one.

  Returns:
    Pytree of the same shapes.
  """

  def of_leaf(cells):
    num_edges = cells.shape[-1] // operations_per_edge
    num_nodes = genotypes.num_nodes_of(num_edges)
    source, target = (
      np.repeat(ends, operations_per_edge)
      for ends in genotypes.edges(num_nodes)
    )
    for node in range(2, 2 + num_nodes):  # a node's sources come before it
      reached = jnp.any(cells[..., target == node] != 0, axis=-1, keepdims=True)
      leaves = np.broadcast_to(source == node, cells.shape)
      cells = jnp.where(leaves & ~reached, 0, cells)
    return cells

  return jax.tree.map(of_leaf, arch)


def threshold_sparse(weights: Arch, threshold: float = 0.85) -> Arch:
  """Return the best operation of the two best edges a node, if above a bar.

  Args:
    weights: pytree of `f32[..., E, K]`, `none` first.
    threshold: what a kept operation weighs at least (authors' program: 0.85).

  Returns:
    Pytree of `int32[..., E]`.
  """

  def keep(weight, chosen):
    best = jnp.take_along_axis(weight, chosen[..., None], -1)[..., 0]
    return jnp.where(best >= threshold, chosen, 0)

  derived = genotypes.derive(weights)
  return drop_unreached(jax.tree.map(keep, weights, derived))


def threshold_edges(weights: Arch, threshold: float = 0.85) -> Arch:
  """Return the two best operations of every edge, where they reach the bar.

  For networks with `operations_per_edge=2`.

  Args:
    weights: pytree of `f32[..., E, K]`, `none` first.
    threshold: what a kept operation weighs at least (authors' program: 0.85).

  Returns:
    Pytree of `int32[..., 2 E]`, the stronger operation of an edge first.
  """

  def of_leaf(cells):
    order = 1 + jnp.argsort(-cells[..., 1:], axis=-1, stable=True)[..., :2]
    best = jnp.take_along_axis(cells, order, -1)
    kept = jnp.where(best >= threshold, order, 0).astype(jnp.int32)
    return kept.reshape(*kept.shape[:-2], -1)

  return drop_unreached(jax.tree.map(of_leaf, weights), 2)


def distance(
  cells: jax.Array, others: jax.Array, accuracies: jax.Array
) -> jax.Array:
  """Return the mean over cells of the Hausdorff distance of their edges.

  The measure of the authors' program (`architecture_processing`):

    d(e, f)  = sum_k s_k |e_k - f_k| / sum_k s_k
    d(a, b)  = max(max_e min_f d(e, f), max_f min_e d(e, f))

  Args:
    cells: 0 or 1 `[G, E, K]`, which operations each edge has, without `none`.
    others: `[G', E', K]`; the cells that both have are compared.
    accuracies: s, `[K]`, of the operations when measured alone.

  Returns:
    `f32[]`.
  """
  share = accuracies / jnp.sum(accuracies)
  num_cells = min(len(cells), len(others))

  def hausdorff(cell, other):
    differ = jnp.abs(cell[:, None] - other[None])
    far = jnp.tensordot(differ.astype(share.dtype), share, 1)
    return jnp.maximum(far.min(1).max(), far.min(0).max())

  return jnp.mean(jax.vmap(hausdorff)(cells[:num_cells], others[:num_cells]))
