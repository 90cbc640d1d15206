"""Weights for the networks of DeepNets-1M, from blocks of any size.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, section 4. A decoder gives a block of weights
for every place of a layout (`Blocks`), of one size for all. To become the
tensors of a network they are repeated and cut to their shapes, and normalised:
kernels by sqrt(2 / fan_in), the scales of norms to between 0 and 2, biases to
between -1 and 1. Tensors of all networks of a layout have one padded shape, and
are zero outside of their own.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.networks import hypernetwork
from nasjax.spaces import deepnets_graphs
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.spaces.deepnets_graphs import TensorGraph
from nasjax.types import Arch, Params

Layout = layouts.Layout
KERNEL = 3  # rows and columns of all kernels in cells
# Tensors of an operation by their places, see `deepnets_primitives`.
CHAIN = {
  1: 'first',
  2: 'squeeze',
  3: 'point',
  4: 'norm',
  5: 'second',
  6: 'last_point',
  7: 'last_norm',
}
VECTORS = ('stem_norm', 'input_norm', 'squeeze', 'norm', 'last_norm', 'bias')
_POINTS = ('point', 'last_point')
_OF_STATES = ('inputs', 'weight')  # [N, C, outputs], C channels of N nodes


class Blocks(NamedTuple):
  """Weights of all places that have tensors, before they have their shapes."""

  stem: jax.Array  # [k, k, S, S] kernels: rows, columns, inputs, outputs
  stem_norm: jax.Array  # [2, S]
  inputs: jax.Array  # [L, 2, S, S]
  input_norm: jax.Array  # [L, 2, 2, S]
  first: jax.Array  # [L, N, 2, 3, 3, S, S] place 1 of the operations
  squeeze: jax.Array  # [L, N, 2, 2, S] place 2
  point: jax.Array  # [L, N, 2, S, S] place 3
  norm: jax.Array  # [L, N, 2, 2, S] place 4
  second: jax.Array  # [L, N, 2, 3, 3, S, S] place 5
  last_point: jax.Array  # [L, N, 2, S, S] place 6
  last_norm: jax.Array  # [L, N, 2, 2, S] place 7
  weight: jax.Array  # [S, classes]
  bias: jax.Array  # [classes]


def _blocks(model, graph, at, kernel):
  """What the hypernetwork does, as a method of its."""
  h = model.embed(graph)
  square = lambda ids, size: model.squares(h[ids], graph.shape[ids], size)
  point = lambda ids: model.tensors(h[ids], 1, 1)[..., 0, 0, :, :]
  vector = lambda ids: model.vectors(h[ids])
  chain = lambda place: at.chains[..., place]
  return Blocks(
    square(at.stem[1], kernel),
    vector(at.stem[2]),
    point(at.inputs[..., 1]),
    vector(at.inputs[..., 2]),
    square(chain(1), KERNEL),
    vector(chain(2)),
    point(chain(3)),
    vector(chain(4)),
    square(chain(5), KERNEL),
    point(chain(6)),
    vector(chain(7)),
    *model.classifier(h[at.head[-2]], h[at.head[-1]]),
  )


def predictor(
  layout: Layout, model: hypernetwork.Hypernetwork
) -> tuple[Callable[..., Any], Callable[..., Blocks]]:
  """Return a hypernetwork as two functions of graphs of a layout.

  Args:
    layout: of the networks.
    model: the hypernetwork, S its channels.

  Returns:
    `(key, graph) -> variables` and `(variables, graph) -> Blocks`.

  Raises:
    ValueError: if the model predicts smaller kernels than the layout has.
  """
  at, kernel = deepnets_graphs.places(layout), layout.kernels[0]
  if model.kernel < max(kernel, KERNEL):
    raise ValueError(
      f'The layout has kernels of {max(kernel, KERNEL)} rows, the model '
      f'predicts {model.kernel}.'
    )
  method = functools.partial(_blocks, at=at, kernel=kernel)
  return (
    functools.partial(model.init, method=method),
    functools.partial(model.apply, method=method),
  )


def widths(layout: Layout) -> list[int]:
  """Return the channels of the widest network in every stage."""
  growth = max(layout.multipliers)
  stages = range(layout.reductions + 1)
  return [max(layout.widths) * growth**stage for stage in stages]


def _inside(length, size):
  """Return which of so many entries are within sizes, `bool[..., length]`."""
  places = jnp.arange(length).reshape((1,) * size.ndim + (length,))
  return places < size[..., None]


def _cut(x, shape):
  """Set what lies outside of kernels' shapes (`[..., 4]`) to zero."""
  for axis, size in zip(range(-4, 0), (2, 3, 1, 0)):
    inside = _inside(x.shape[axis], shape[..., size])
    places = [-1 if i == axis else 1 for i in range(-4, 0)]
    x = x * inside.reshape(*shape.shape[:-1], *places)
  return x


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
    there = kept[..., None] & _inside(num_channels, width)
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


def _take(x, rows):
  """Return the rows (axis -2) of weights, repeated, and zero for -1."""
  lead, size = rows.shape[:-2], rows.shape[-2:]
  rows = rows.reshape(*lead, -1)
  taken = jnp.take_along_axis(x, rows[..., None] % x.shape[-2], axis=-2)
  taken = taken * (rows >= 0)[..., None]
  return taken.reshape(*lead, *size, x.shape[-1])


def fit(
  layout: Layout,
  arch: Arch,
  graph: TensorGraph,
  blocks: Blocks,
  normalise: bool = True,
) -> Params:
  """Return the tensors of a network, padded to those of the widest.

  Args:
    layout: of the network.
    arch: index choices.
    graph: of the network.
    blocks: weights before they have their shapes.
    normalise: whether they are normalised (GHN-2) or taken as they are.

  Returns:
    Dict of arrays.
  """
  at, most = deepnets_graphs.places(layout), widths(layout)[-1]
  scale = hypernetwork.weight_scale(graph.op, graph.shape)
  (rows, last_rows), _ = rows_of_states(layout, arch, most)

  def wide(x):
    return hypernetwork.fit(x, -1, most)

  def scaled(x, ids):
    factor = scale[ids] if normalise else jnp.ones(np.shape(ids))
    return x * factor.reshape(*factor.shape, *(1,) * (x.ndim - factor.ndim))

  def kernels(x, ids, inputs=most):
    x = hypernetwork.fit(wide(x), -2, inputs)
    return scaled(_cut(x, graph.shape[ids]), ids)

  def points(x, ids):
    return kernels(x[..., None, None, :, :], ids)[..., 0, 0, :, :]

  def vectors(x, ids):
    x = hypernetwork.normalise_vectors(wide(x)) if normalise else wide(x)
    inside = _inside(most, graph.shape[ids][..., 0])[..., None, :]
    has_scale = graph.op[ids] != primitives.INDEX['bias']
    has = jnp.stack([has_scale, jnp.ones_like(has_scale)], axis=-1)
    return x * inside * has[..., None]

  chain = lambda place: at.chains[..., place]
  outputs = _inside(most, graph.shape[at.inputs[..., 1]][..., 0])
  inputs = _take(wide(blocks.inputs), rows) * outputs[..., None, None, :]
  weight = _take(blocks.weight, last_rows)
  bias = jnp.tanh(0.2 * blocks.bias) if normalise else blocks.bias
  return {
    'stem': kernels(blocks.stem, at.stem[1], layout.image[2]),
    'stem_norm': vectors(blocks.stem_norm, at.stem[2]),
    'inputs': scaled(inputs, at.inputs[..., 1]),
    'input_norm': vectors(blocks.input_norm, at.inputs[..., 2]),
    'edges': {
      'first': kernels(blocks.first, chain(1)),
      'squeeze': vectors(blocks.squeeze, chain(2)),
      'point': points(blocks.point, chain(3)),
      'norm': vectors(blocks.norm, chain(4)),
      'second': kernels(blocks.second, chain(5)),
      'last_point': points(blocks.last_point, chain(6)),
      'last_norm': vectors(blocks.last_norm, chain(7)),
    },
    'weight': scaled(weight, at.head[-2]),
    'bias': bias,
  }


def sum_of_norms(params: Params) -> jax.Array:
  """Return the sum of the Euclidean norms of all tensors of a network.

  Args:
    params: from `fit`.

  Returns:
    `f32[]`, whose gradient at tensors of zeros is zero, not NaN.
  """

  def of_leaf(path, leaf):
    name = path[-1].key
    axes = {**dict.fromkeys(VECTORS, 1), **dict.fromkeys(_POINTS, 2)}
    num_axes = (axes | dict.fromkeys(_OF_STATES, 3)).get(name, 4)
    rows = leaf.reshape(-1, np.prod(leaf.shape[leaf.ndim - num_axes :]))
    return jnp.sum(optax.safe_norm(rows, 0.0, axis=-1))

  leaves = jax.tree_util.tree_map_with_path(of_leaf, params)
  return sum(jax.tree.leaves(leaves))
