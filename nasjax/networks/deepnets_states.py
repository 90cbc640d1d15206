"""How cells of DeepNets-1M follow one another, whatever their weights.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. The state of a network are the outputs of its
last two cells, `[B, H, W, N, C]`, C channels of each of N nodes; channels and
nodes that a network does not have are zero.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import layers
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.types import Arch

Layout = layouts.Layout

# Series of sizes: full, halved by the stem, patches.
FULL, HALVED, PATCHES = range(3)


def series(layout: Layout) -> tuple[int, ...]:
  """Return the series of sizes that networks of a layout may have."""
  halved = 'double' in layout.stems or True in layout.stem_pools
  full = 'simple' in layout.stems and False in layout.stem_pools
  found = zip(
    (FULL, HALVED, PATCHES), (full, halved, 'msa' in layout.operations)
  )
  return tuple(number for number, there in found if there)


def inside(length: int, size: jax.Array) -> jax.Array:
  """Return which of so many entries are within sizes, `bool[..., length]`."""
  places = jnp.arange(length).reshape((1,) * size.ndim + (length,))
  return places < size[..., None]


def rows_of_states(
  layout: Layout, arch: Arch, num_channels: int
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
  """Return which input each channel of a cell's output is, -1 for none.

  Args:
    layout: of the network.
    arch: index choices.
    num_channels: C, of every node.

  Returns:
    Rows for the inputs of all cells `i32[L, 2, N, C]` and for the classifier
    `i32[N, C]`, and the channels that nodes have, `i32[L, 2, N]` and `i32[N]`.
  """
  value, cell = layouts.values(layout, arch), layouts.cells(layout, arch)
  last, num_cells = value.depths - 1, len(cell.kind)
  before = np.arange(num_cells)[:, None] + np.array([-2, -1])
  is_stem, before = before < 0, np.maximum(before, 0)

  def rows(kept, width):
    rank = jnp.cumsum(kept, -1) - 1
    channel = jnp.arange(num_channels).reshape((1,) * kept.ndim + (-1,))
    there = kept[..., None] & inside(num_channels, width)
    return jnp.where(there, (rank * width)[..., None] + channel, -1)

  only = jnp.arange(max(layout.steps)) == 0
  kept = jnp.where(
    is_stem[..., None], only[None, None], cell.kept[cell.kind[before]]
  )
  width = jnp.where(is_stem, cell.inputs, cell.width[before])
  kept = kept, cell.kept[cell.kind[last]]
  widths = tuple(
    jnp.broadcast_to(width[..., None], kept.shape)
    for width, kept in zip((width, cell.width[last]), kept)
  )
  return tuple(map(rows, kept, widths)), widths


def halve(state: jax.Array) -> jax.Array:
  """Return a cell's output at half the size, `[B, H / 2, W / 2, N, C]`."""
  halved = layers.halve(state.reshape(*state.shape[:3], -1))
  return halved.reshape(*halved.shape[:3], *state.shape[3:])


def run_nodes(
  inputs: Sequence[jax.Array],
  edges: tuple[jax.Array, jax.Array, Any],
  operate: Callable[[jax.Array, jax.Array, Any], jax.Array],
  kept: jax.Array,
) -> jax.Array:
  """Run the nodes of a cell, one after the other.

  Args:
    inputs: both, preprocessed, `[B, H, W, C]`.
    edges: of every node, the states that it reads and the operations,
      `i32[N, 2]`, and their weights, a pytree of `[N, 2, ...]`.
    operate: `(state, operation, weights) -> [B, H, W, C]`.
    kept: nodes that are put out, `bool[N]`.

  Returns:
    Their outputs, `[B, H, W, N, C]`, zero for the others.
  """
  num_nodes = len(kept)
  nodes = jnp.stack([*inputs] + [jnp.zeros_like(inputs[0])] * num_nodes)

  def edge(nodes, item):
    target, source, op, weights = item
    x = lax.dynamic_index_in_dim(nodes, source, keepdims=False)
    return nodes.at[target].add(operate(x, op, weights)), None

  target = 2 + jnp.repeat(jnp.arange(num_nodes), 2)
  flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), edges)
  nodes, _ = lax.scan(edge, nodes, (target, *flat))
  kept = kept.astype(nodes.dtype)
  return jnp.moveaxis(nodes[2:] * kept[:, None, None, None, None], 0, 3)


def run_stages(
  layout: Layout,
  depth: jax.Array,
  states: tuple[jax.Array, jax.Array],
  step: Callable[[int, tuple[jax.Array, jax.Array], jax.Array], jax.Array],
  enter: Callable[[int, jax.Array], jax.Array] | None,
) -> tuple[jax.Array, jax.Array]:
  """Run the cells of a network; those that it does not have are not computed.

  Args:
    layout: of the network.
    depth: cells that it has, `i32[]`.
    states: both outputs of the stem.
    step: `(stage, states, cell) -> output`.
    enter: `(stage, state) -> state` of another size, before the first cell of
      every stage but the first; None where all cells are of one stage.

  Returns:
    Both outputs behind the last cell.
  """
  num_stages = layout.reductions + 1 if enter else 1
  ends = lambda depth: [s * depth // num_stages for s in range(num_stages + 1)]
  longest = np.max([np.diff(ends(depth)) for depth in layout.depths], axis=0)
  bounds = ends(depth)
  for stage in range(num_stages):
    if stage:
      states = tuple(enter(stage, state) for state in states)

    def run(states, index, stage=stage):
      return states[1], step(stage, states, index)

    def body(states, index, end=bounds[stage + 1], run=run):
      stay = lambda states, index: states
      return lax.cond(index < end, run, stay, states, index), None

    cells = bounds[stage] + jnp.arange(int(longest[stage]))
    states, _ = lax.scan(body, states, cells)
  return states
