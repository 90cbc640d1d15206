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


def _rows(*shapes):
  """Stack shapes whose sizes may be traced, `i32[P, 4]`."""
  return jnp.stack([jnp.stack([jnp.asarray(n) for n in s]) for s in shapes])


def _stem(layout, value, attends):
  """Return primitives, presence and shapes of the places of the stem."""
  width, double = value.widths, (value.stems > 0) & ~attends
  simple = ~double & ~attends
  first = jnp.where(double, width // 2, width)
  first = jnp.where(simple, width * layout.stem_factor, first)
  kernel = jnp.where(attends, layouts.PATCH, value.kernels)
  normed, true = (value.norms == 0) & ~attends, jnp.asarray(True)
  pooled = simple & (value.stem_pools > 0)
  present = [true, true, normed, *[double, double & normed] * 2]
  shapes = _rows(
    (0, 0, 0, 0),
    (first, layout.image[2], kernel, kernel),
    (first, 1, 1, 1),
    (width, first, 3, 3),
    (width, 1, 1, 1),
    (width, width, 3, 3),
    (width, 1, 1, 1),
    (1, 1, 3, 3),
    (1, width, *layouts.sides(layout, 0, 1)),
    (0, 0, 0, 0),
  )
  names = 'input conv bn conv bn conv bn max_pool pos_enc sum'
  present = jnp.stack([*present, pooled, attends, attends])
  return _indices(names), present, shapes


def _head(layout, cell, value, attends):
  """Return primitives, presence and shapes of the places of the head."""
  last = value.depths - 1
  kind, pooled = cell.kind[last], value.heads == 0
  rows, columns = layouts.sides(
    layout, cell.level[last], attends.astype(jnp.int32)
  )
  features = cell.width[last] * cell.kept.sum(1)[kind]
  features *= jnp.where(pooled, 1, rows * columns)
  names = 'glob_avg conv bias conv bias'
  true, deep = jnp.asarray(True), value.hidden > 0
  shapes = _rows(
    (0, 0, 0, 0),
    (value.hidden, features, 1, 1),
    (value.hidden, 1, 1, 1),
    (layout.num_classes, jnp.where(deep, value.hidden, features), 1, 1),
    (layout.num_classes, 1, 1, 1),
  )
  return _indices(names), jnp.stack([pooled, deep, deep, true, true]), shapes


def _indices(names):
  return jnp.asarray([primitives.INDEX[name] for name in names.split()])


def _inputs(cell, read, normed):
  """Return primitives, presence and shapes of the preprocessing of cells."""
  one = jnp.ones_like(cell.inputs)
  width, size = cell.width[:, None] * one, 2**cell.halvings
  shapes = [(one, one, size, size), (width, cell.inputs, one, one)]
  shapes = jnp.stack(
    [jnp.stack(s, -1) for s in (*shapes, (width, one, one, one))], -2
  )
  there = cell.present[:, None] & read
  present = jnp.stack([there & (cell.halvings > 0), there, there & normed], -1)
  return _indices('avg_pool conv bn'), present, shapes


def _chains(layout, cell, chosen, there, normed):
  """Return primitives, presence and shapes of the operations of cells."""
  op, shape = map(jnp.asarray, primitives.chains(layout.operations))
  op, shape = op[chosen], shape[chosen]
  present = (op >= 0) & there[..., None, None]
  present &= normed | (op != primitives.INDEX['bn'])
  width = cell.width
  sizes = jnp.stack(
    [0 * width, 0 * width + 1, width // primitives.SQUEEZE, width], -1
  )
  sizes = jnp.concatenate([sizes, 3 * width[:, None]], -1)
  channels = jnp.take_along_axis(
    sizes, shape[..., :2].reshape(len(width), -1), 1
  ).reshape(*op.shape, 2)
  return op, present, jnp.concatenate([channels, shape[..., 2:]], -1)


def _link(ids, present, source):
  """Return who feeds each place of chains `[..., P]`, and who ends them."""
  ids, source = jnp.broadcast_to(ids, present.shape), source[..., None]
  last = lax.cummax(jnp.where(present, ids, -1), axis=present.ndim - 1)
  last = jnp.where(last < 0, source, last)
  return jnp.concatenate([source, last[..., :-1]], -1), last[..., -1]


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
    'stem': _stem(layout, value, attends),
    'inputs': _inputs(cell, is_read, normed),
    'chains': _chains(layout, cell, chosen, there, normed),
    'head': _head(layout, cell, value, attends),
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
  sources, froms, ends, sums = [], [], [], []
  for node in range(num_nodes):
    source = jnp.take_along_axis(states, read[:, node], 1)
    present = parts['chains'][1][:, node]
    chain_from, out = _link(at.chains[:, node], present, source)
    summed = real[:, node].all(-1) & (out[:, 0] != out[:, 1])
    only = jnp.where(real[:, node, 0], out[:, 0], out[:, 1])
    only = jnp.where(summed, at.sums[:, node], only)
    states = jnp.concatenate([states, only[:, None]], 1)
    sources, froms = [*sources, source], [*froms, chain_from]
    ends, sums = [*ends, out], [*sums, summed]
  source, chain_from, chain_out, is_summed = (
    jnp.stack(x, 1) for x in (sources, froms, ends, sums)
  )
  nodes = states[:, 2:]
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
