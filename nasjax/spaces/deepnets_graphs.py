"""Networks of DeepNets-1M as graphs whose vertices are their tensors.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, section 3.1: a vertex is one of fifteen
primitives; those with weights carry the shape of their tensor. Rectifiers are
no vertices; a normalisation is one, and so is the bias of a linear layer.

Every network of a layout has the same places for vertices, in an order in which
edges only go forward; what a network does not have is masked. So the place
tells whose tensor it is, for all networks alike:

  stem    input, conv, bn, conv, bn, conv, bn, max_pool, pos_enc, sum
  cell    twice (avg_pool, conv, bn); for every node two chains of operations
          and their sum; concat
  head    glob_avg, hidden conv, bias, conv, bias

What sums or joins a single vertex is none.
"""

from typing import NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.spaces import deepnets_shapes
from nasjax.types import Arch

Layout = layouts.Layout

_STEM, _HEAD, _INPUTS = 10, 5, 6  # places
_FIRST_OUTPUT = 5  # places of a double stem that end with its first output


class TensorGraph(NamedTuple):
  """A graph with N places, as `graphs.Graph`, and the shapes of its tensors."""

  adjacency: jax.Array  # f32[N, N] 1 where the row's vertex feeds the column's
  op: jax.Array  # i32[N] index into PRIMITIVES
  mask: jax.Array  # f32[N]
  shape: jax.Array  # i32[N, 4] outputs, inputs, rows, columns; 0: no tensor


class Places(NamedTuple):
  """Where the tensors of all networks of a layout lie."""

  stem: np.ndarray  # [10]
  inputs: np.ndarray  # [L, 2, 3]
  chains: np.ndarray  # [L, S, 2, P]
  sums: np.ndarray  # [L, S]
  concat: np.ndarray  # [L]
  head: np.ndarray  # [5]


def places(layout: Layout) -> Places:
  """Return the numbers of the places of a layout.

  Args:
    layout: of the networks.

  Returns:
    The places, in the order in which edges go forward.
  """
  depth, nodes = max(layout.depths), max(layout.steps)
  chain = primitives.chains(layout.operations)[0].shape[1]
  size = _INPUTS + nodes * (2 * chain + 1) + 1
  start = _STEM + size * np.arange(depth)
  inner = start[:, None, None] + _INPUTS
  node = inner + (np.arange(nodes) * (2 * chain + 1))[:, None]
  chains = node[..., None] + np.arange(2 * chain).reshape(2, chain)
  return Places(
    np.arange(_STEM),
    start[:, None, None] + np.arange(_INPUTS).reshape(2, 3),
    chains,
    node[..., 0] + 2 * chain,
    start + size - 1,
    _STEM + size * depth + np.arange(_HEAD),
  )


def _link(ids, present, source):
  """Return who feeds each place of chains `[..., P]`, and who ends them."""
  ids, source = jnp.broadcast_to(ids, present.shape), source[..., None]
  last = lax.cummax(jnp.where(present, ids, -1), axis=present.ndim - 1)
  last = jnp.where(last < 0, source, last)
  return jnp.concatenate([source, last[..., :-1]], -1), last[..., -1]


def _nodes(at, present, states, read, real):
  """Return who feeds the chains of nodes, and what ends them and the nodes.

  Args:
    at: places.
    present: which places chains have, `bool[L, S, 2, P]`.
    states: vertices that end the inputs of cells, `i32[L, 2]`.
    read: states that nodes read, `i32[L, S, 2]`.
    real: where they do, `bool[L, S, 2]`.

  Returns:
    Vertices that chains read `[L, S, 2]`, who feeds their places, and who ends
    them; those that end nodes `[L, S]`; and which of these are sums.
  """
  found = []
  for node in range(read.shape[1]):
    source = jnp.take_along_axis(states, read[:, node], 1)
    chain_from, out = _link(at.chains[:, node], present[:, node], source)
    is_summed = real[:, node].all(-1) & (out[:, 0] != out[:, 1])
    only = jnp.where(real[:, node, 0], out[:, 0], out[:, 1])
    end = jnp.where(is_summed, at.sums[:, node], only)
    states = jnp.concatenate([states, end[:, None]], 1)
    found.append((source, chain_from, out, end, is_summed))
  return tuple(jnp.stack(leaves, 1) for leaves in zip(*found))


def graph(layout: Layout, arch: Arch) -> TensorGraph:
  """Return the graph of a network.

  Args:
    layout: of the network.
    arch: index choices.

  Returns:
    The graph, whose places are those of `places(layout)`.
  """
  at, value = places(layout), layouts.values(layout, arch)
  cell, attends = layouts.cells(layout, arch), layouts.attends(layout, arch)
  num_cells, num_nodes = at.sums.shape
  chosen, normed = arch['op'][cell.kind], value.norms == 0
  there = cell.present[:, None] & (jnp.arange(num_nodes) < value.steps)[None]
  active = there[..., None]
  in_cells = lambda *names: layouts.has(layout, arch, names)[cell.kind] & active
  real, kept = active & ~in_cells('none'), cell.kept[cell.kind]
  is_read = layouts.reads(layout, arch)[..., :2].any((1, 2))[cell.kind]
  parts = {
    'stem': deepnets_shapes.stem(layout, value, attends),
    'inputs': deepnets_shapes.inputs(cell, is_read, normed),
    'chains': deepnets_shapes.chains(layout, cell, chosen, there, normed),
    'head': deepnets_shapes.head(layout, cell, value, attends),
  }
  # Who feeds whom. Chains skip the places that they do not have.
  stem_from, stem_out = _link(at.stem, parts['stem'][1], jnp.asarray(0))
  first = slice(_FIRST_OUTPUT)
  _, early_out = _link(at.stem[first], parts['stem'][1][first], jnp.asarray(0))
  early_out = jnp.where((value.stems > 0) & ~attends, early_out, stem_out)
  _, states = _link(
    at.inputs, parts['inputs'][1], jnp.zeros((num_cells, 2), int)
  )
  read = jnp.asarray(layouts.pairs(num_nodes))[arch['source'][cell.kind]]
  source, chain_from, chain_out, nodes, is_summed = _nodes(
    at, parts['chains'][1], states, read, real
  )
  only = jnp.take_along_axis(nodes, kept.argmax(1)[:, None], 1)
  is_joined = cell.present & (kept & (nodes != only)).any(1)
  outputs = jnp.where(is_joined, at.concat, only[:, 0])
  parts['sums'] = primitives.INDEX['sum'], is_summed, 0
  parts['concat'] = primitives.INDEX['concat'], is_joined, 0
  stem_outputs = jnp.stack([early_out, stem_out])
  before = np.arange(num_cells)[:, None] + np.array([-2, -1])
  before = jnp.concatenate([stem_outputs, outputs])[before + 2]
  input_from, _ = _link(at.inputs, parts['inputs'][1], before)
  head_from, _ = _link(at.head, parts['head'][1], outputs[value.depths - 1])
  # The positions of patches come from nowhere: they are added to the patches.
  positions, total = at.stem[-2:]
  in_stem = parts['stem'][1] & (at.stem != positions)
  edges = [
    (stem_from[1:], at.stem[1:], in_stem[1:]),
    (at.stem[1], total, attends),
    (input_from, at.inputs, parts['inputs'][1]),
    (chain_from, at.chains, parts['chains'][1]),
    (chain_out, at.sums[..., None], real & is_summed[..., None]),
    (nodes, at.concat[:, None], kept & is_joined[:, None]),
    (head_from, at.head, parts['head'][1]),
  ]
  # What is excited, or attended to, is an input of the end of a chain, too.
  for name, inner, outer in primitives.RESIDUALS:
    if name in layout.operations:
      feeds = source if inner is None else at.chains[..., inner]
      edges.append((feeds, at.chains[..., outer], in_cells(name)))
  size = at.head[-1] + 1
  adjacency = jnp.zeros((size, size))
  for feeds, fed, present in edges:
    adjacency = adjacency.at[feeds, fed].max(present.astype(jnp.float32))
  return TensorGraph(adjacency, *_place(at, parts, size))


def _place(at, parts, size):
  """Return primitives, mask and shapes of all places."""
  op, shape = jnp.zeros(size, jnp.int32), jnp.zeros((size, 4), jnp.int32)
  mask = jnp.zeros(size)
  for name, (names, present, shapes) in parts.items():
    ids = getattr(at, name)
    names = jnp.broadcast_to(names, present.shape)
    op = op.at[ids].set(jnp.where(present, names, 0))
    mask = mask.at[ids].set(present.astype(mask.dtype))
    shape = shape.at[ids].set(jnp.where(present[..., None], shapes, 0))
  return op, mask, shape


def num_params(graph: TensorGraph) -> jax.Array:
  """Return how many numbers the tensors of a graph hold, `f32[]`."""
  sizes = jnp.prod(graph.shape, -1) * graph.mask
  return jnp.sum(jnp.asarray(primitives.NUMBERS)[graph.op] * sizes)
