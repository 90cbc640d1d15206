"""Which vertices the parts of a network of DeepNets-1M have, and their shapes.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. For the places of every part in
`deepnets_graphs`: their primitives, whether the network has them, and the
shapes `[..., 4]` of their tensors.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives

Layout = layouts.Layout
Part = tuple[jax.Array, jax.Array, jax.Array]


def _rows(*shapes):
  """Stack shapes whose sizes may be traced, `i32[P, 4]`."""
  return jnp.stack([jnp.stack([jnp.asarray(n) for n in s]) for s in shapes])


def stem(layout: Layout, value: Any, attends: jax.Array) -> Part:
  """Describe the places of the stem.

  Args:
    layout: of the network.
    value: from `deepnets_layouts.values`.
    attends: whether the network attends, `bool[]`.

  Returns:
    Primitives, presence and shapes.
  """
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


def head(
  layout: Layout, cell: layouts.Cells, value: Any, attends: jax.Array
) -> Part:
  """Describe the places of the head.

  Args:
    layout: of the network.
    cell: from `deepnets_layouts.cells`.
    value: from `deepnets_layouts.values`.
    attends: whether the network attends, `bool[]`.

  Returns:
    Primitives, presence and shapes.
  """
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


def inputs(cell: layouts.Cells, read: jax.Array, normed: jax.Array) -> Part:
  """Describe the places of the preprocessing of cells.

  Args:
    cell: from `deepnets_layouts.cells`.
    read: which inputs a cell reads, `bool[L, 2]`.
    normed: whether the network has norms, `bool[]`.

  Returns:
    Primitives, presence and shapes.
  """
  one = jnp.ones_like(cell.inputs)
  width, size = cell.width[:, None] * one, 2**cell.halvings
  shapes = [(one, one, size, size), (width, cell.inputs, one, one)]
  shapes = jnp.stack(
    [jnp.stack(s, -1) for s in (*shapes, (width, one, one, one))], -2
  )
  there = cell.present[:, None] & read
  present = jnp.stack([there & (cell.halvings > 0), there, there & normed], -1)
  return _indices('avg_pool conv bn'), present, shapes


def chains(
  layout: Layout,
  cell: layouts.Cells,
  chosen: jax.Array,
  there: jax.Array,
  normed: jax.Array,
) -> Part:
  """Describe the places of the operations of cells.

  Args:
    layout: of the network.
    cell: from `deepnets_layouts.cells`.
    chosen: operations, `i32[L, S, 2]`.
    there: which nodes cells have, `bool[L, S]`.
    normed: whether the network has norms, `bool[]`.

  Returns:
    Primitives, presence and shapes.
  """
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
