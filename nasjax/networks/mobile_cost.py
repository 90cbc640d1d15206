"""Parameters and multiply-adds of mobile networks, from tables.

A block's cost depends on few choices: one table a block, with an axis for each
of them. What `cost.count` counts of a child by tracing it is looked up here,
for architectures in any form, differentiably and in one program.
"""

from collections.abc import Callable
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.networks import elastic
from nasjax.networks import mobile as networks
from nasjax.networks.cost import Cost
from nasjax.spaces import mobile as spaces
from nasjax.spaces import mobile_sizes
from nasjax.types import Arch

_NORM = 2  # parameters of a channel
# Choices that the cost of a block depends on; the first of a stage also on its
# input, which is that of all others by their output.
_AXES = ('operation', 'kernel', 'expansion', 'squeeze', 'output', 'input')
_Entry = tuple[tuple[tuple[str, int], ...], jax.Array]


def mobile_cost(
  network: networks.Mobile, num_channels: int = 3
) -> Callable[[Arch], Cost]:
  """Return the cost of any architecture of a mobile network.

  Multiply-adds are those of an image of the architecture's resolution.

  Args:
    network: the network.
    num_channels: of the images.

  Returns:
    `(arch) -> Cost` of two `f32[]`; expected ones for relaxed choices. A float
    holds 24 bits: large counts are off in the last digits.
  """
  layout = network.layout
  spaces.check(layout)
  ends = [
    _stem(layout, num_channels),
    _head(layout, network.num_classes),
  ]
  blocks = [
    (s, b, _block(network, s, b))
    for s, stage in enumerate(layout.stages)
    for b in range(max(stage.depths))
  ]

  def look_up(arch: Arch, entry: _Entry) -> jax.Array:
    places, table = entry
    return elastic.choose(
      table,
      tuple(mobile_sizes.choice_of(arch, *place) for place in places),
    )

  def cost(arch: Arch) -> Cost:
    total = sum(look_up(arch, entry) for entry in ends)
    for s, b, entry in blocks:
      depth = mobile_sizes.choice_of(arch, 'depth', s)
      gate = choice.select(depth, jnp.asarray(mobile_sizes.gates(layout, s)))
      total += gate[b] * look_up(arch, entry)
    return Cost(total[0], total[1])

  return cost


def mobile_params(
  network: networks.Mobile, num_channels: int = 3
) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, the number of parameters; see `mobile_cost`."""
  cost = mobile_cost(network, num_channels)
  return lambda arch: cost(arch).params


def mobile_macs(
  network: networks.Mobile, num_channels: int = 3
) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, multiply-adds of an image; see `mobile_cost`."""
  cost = mobile_cost(network, num_channels)
  return lambda arch: cost(arch).macs


def _table(count, places, axes):
  """Tabulate a function of options, `f32[K, ..., 2]`, with its choices."""
  rows = [count(*options) for options in itertools.product(*axes)]
  shape = (*map(len, axes), 2)
  return places, jnp.asarray(np.array(rows, np.float32).reshape(shape))


def _layer(weights, pixels, extra=0):
  """Parameters and multiply-adds of a layer without padding effects."""
  return np.array([weights + extra, weights * pixels], np.float64)


def _sides(layout, resolution, stage):
  """Return pixels a side before and after the first block of a stage."""
  side = mobile_sizes.halved(resolution, layout.stem_stride)
  for before in layout.stages[:stage]:
    side = mobile_sizes.halved(side, before.stride)
  if stage == len(layout.stages):
    return side, side
  return side, mobile_sizes.halved(side, layout.stages[stage].stride)


def _stem(layout, num_channels):

  def count(resolution, width):
    pixels = mobile_sizes.halved(resolution, layout.stem_stride) ** 2
    return _layer(9 * num_channels * width, pixels, _NORM * width)

  axes = (layout.resolutions, spaces.padded(layout, 'width', 0))
  return _table(count, (('resolution', 0), ('width', 0)), axes)


def _head(layout, num_classes):
  last = 1 + len(layout.stages)

  def count(resolution, channels, width):
    pixels = _sides(layout, resolution, len(layout.stages))[0] ** 2
    inner = width
    if layout.head_expansion:
      inner = layout.head_expansion * channels
    total = _layer(channels * inner, pixels, _NORM * inner)
    if layout.head_expansion:
      total += _layer(inner * width, 1)
    return total + _layer(width * num_classes, 1, num_classes)

  axes = (
    layout.resolutions,
    spaces.padded(layout, 'width', last - 1),
    spaces.padded(layout, 'width', last),
  )
  places = (('resolution', 0), ('width', last - 1), ('width', last))
  return _table(count, places, axes)


def _block(network, s, b):
  """Tabulate block b of stage s, with its shortcut."""
  layout = network.layout
  shortcut = mobile_sizes.shortcut(layout, s, b, network.project)

  names = _AXES if b == 0 else _AXES[:-1]

  def count(resolution, *options):
    before, after = (side**2 for side in _sides(layout, resolution, s))
    *inner, output, channels = options if b == 0 else (*options, options[-1])
    total = _branch(
      layout, s, before if b == 0 else after, after, channels, output, *inner
    )
    if shortcut == 'project' and channels != output:
      total += _layer(channels * output, after)
    return total

  axes = [mobile_sizes.rows(layout, name, s, b) for name in names]
  places = [
    (
      'width' if name in ('input', 'output') else name,
      mobile_sizes.place(layout, name, s, b),
    )
    for name in names
  ]
  return _table(
    count, (('resolution', 0), *places), (layout.resolutions, *axes)
  )


def _branch(
  layout, s, before, after, channels, output, kind, kernel, expansion, ratio
):
  """Count what a block adds, of so many pixels before and after its stride."""
  squeezed = mobile_sizes.squeezed(layout, channels, expansion, ratio)
  inner = channels
  total = _layer(0, 0)
  if kind == 'conv':
    inner = output
    weights = kernel**2 * channels * output
    total += _layer(weights, after, _NORM * output)
  else:
    if kind == 'mbconv' and mobile_sizes.expands(layout, s):
      inner = mobile_sizes.hidden(layout, channels, expansion)
      total += _layer(channels * inner, before, _NORM * inner)
    total += _layer(kernel**2 * inner, after, _NORM * inner)
    total += _layer(inner * output, after, _NORM * output)
  if squeezed:
    total += _layer(2 * inner * squeezed, 1, inner + squeezed)
  return total
