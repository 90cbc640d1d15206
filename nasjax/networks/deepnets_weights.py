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

from nasjax.networks import deepnets_states, hypernetwork
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
POINTS = ('point', 'last_point')
OF_STATES = ('inputs', 'weight')  # [N, C, outputs], C channels of N nodes


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


def lacks(layout: Layout) -> str:
  """Return what a layout has and padded tensors have not.

  Args:
    layout: of the networks.

  Returns:
    A phrase that says it, '' for nothing.
  """
  wanted = {
    'stems': ('simple',),
    'stem_pools': (False,),
    'heads': ('average',),
    'hidden': (0,),
    'stem_factor': 1,
    'kernels': layout.kernels[:1],
  }
  for name, only in wanted.items():
    if getattr(layout, name) != only:
      return f'layout.{name}={getattr(layout, name)}, not {only}'
  _, shapes = primitives.chains(layout.operations)
  for name, shape in zip(layout.operations, shapes):
    if name == 'msa' or shape[:, 2:].max() > KERNEL:
      return f'layout.operations: {name!r}'
  return ''


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


def check_classes(layout: Layout, model: hypernetwork.Hypernetwork) -> None:
  """Raise a ValueError if a model has other classes than a layout."""
  if model.num_classes != layout.num_classes:
    raise ValueError(
      f'The layout has {layout.num_classes} classes, the model '
      f'{model.num_classes}.'
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
    ValueError: if the layout has what padded tensors have not, or the model
      predicts smaller kernels or other classes.
  """
  if lacking := lacks(layout):
    raise ValueError(f'Padded tensors have no {lacking}.')
  check_classes(layout, model)
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


def _cut(x, shape):
  """Set what lies outside of kernels' shapes (`[..., 4]`) to zero."""
  for axis, size in zip(range(-4, 0), (2, 3, 1, 0)):
    inside = deepnets_states.inside(x.shape[axis], shape[..., size])
    places = [-1 if i == axis else 1 for i in range(-4, 0)]
    x = x * inside.reshape(*shape.shape[:-1], *places)
  return x


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
  (rows, last_rows), _ = deepnets_states.rows_of_states(layout, arch, most)

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
    inside = deepnets_states.inside(most, graph.shape[ids][..., 0])[
      ..., None, :
    ]
    has_scale = graph.op[ids] != primitives.INDEX['bias']
    has = jnp.stack([has_scale, jnp.ones_like(has_scale)], axis=-1)
    return x * inside * has[..., None]

  chain = lambda place: at.chains[..., place]
  outputs = deepnets_states.inside(most, graph.shape[at.inputs[..., 1]][..., 0])
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
