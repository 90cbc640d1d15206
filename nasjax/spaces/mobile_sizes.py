"""Channels of the blocks of mobile networks, for every option that counts."""

import itertools
import math

import numpy as np

from nasjax.choice import Choice
from nasjax.spaces import mobile
from nasjax.types import Arch


def choice_of(arch: Arch, name: str, i: int) -> Choice:
  """Return the i-th choice of a name; 0 where there is none to take."""
  return arch[name][i] if name in arch else 0


def place(layout: mobile.Layout, name: str, stage: int, block: int) -> int:
  """Return where the choice of a block stands, also its channels.

  Args:
    layout: the layout.
    name: of the decision; 'input' and 'output' for channels.
    stage: number of the stage.
    block: number in the stage.
  """
  if name == 'input':
    return stage if block == 0 else stage + 1
  return (
    stage + 1
    if name == 'output'
    else mobile.position(layout, name, stage, block)
  )


def rows(layout: mobile.Layout, name: str, stage: int, block: int) -> tuple:
  """Return the options of a block, padded; see `place`."""
  i = place(layout, name, stage, block)
  leaf = 'width' if name in ('input', 'output') else name
  return mobile.padded(layout, leaf, i)


def divisible(value: float, divisor: int) -> int:
  """Return the nearest multiple, at least one and at least 0.9 of the value."""
  rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
  return rounded + divisor * (rounded < 0.9 * value)


def hidden(layout: mobile.Layout, channels: int, expansion: int) -> int:
  """Return the hidden channels of a bottleneck."""
  return divisible(channels * expansion, layout.divisor)


def squeezed(
  layout: mobile.Layout, channels: int, expansion: int, ratio: float
) -> int:
  """Return the channels that squeeze-excite has within; 0 where there is none.

  Args:
    layout: says what ratios are of.
    channels: of the input.
    expansion: of the bottleneck.
    ratio: of squeeze-excite.
  """
  if layout.squeeze_of == 'hidden':
    channels = hidden(layout, channels, expansion)
  return divisible(int(channels * ratio), layout.divisor) if ratio > 0 else 0


def hidden_table(layout: mobile.Layout, stage: int, block: int) -> np.ndarray:
  """Return hidden channels by options of the input and expansion, `i[K, K]`."""
  inputs = rows(layout, 'input', stage, block)
  expansions = rows(layout, 'expansion', stage, block)
  return np.array([[hidden(layout, c, e) for e in expansions] for c in inputs])


def squeeze_table(layout: mobile.Layout, stage: int, block: int) -> np.ndarray:
  """Return squeezed channels by input, expansion and ratio, `i[K, K, K]`."""
  names = ('input', 'expansion', 'squeeze')
  axes = [rows(layout, name, stage, block) for name in names]
  values = [squeezed(layout, *options) for options in itertools.product(*axes)]
  return np.array(values).reshape(tuple(map(len, axes)))


def equal_table(layout: mobile.Layout, stage: int) -> np.ndarray:
  """Return whether a stage keeps its channels, `bool[K, K]` by its ends."""
  inputs, outputs = (
    np.array(rows(layout, name, stage, 0)) for name in ('input', 'output')
  )
  return inputs[:, None] == outputs


def gates(layout: mobile.Layout, stage: int) -> np.ndarray:
  """Return which blocks of a stage are there, `f32[K, blocks]` by depth."""
  depths = np.array(mobile.padded(layout, 'depth', stage))
  present = np.arange(max(layout.stages[stage].depths)) < depths[:, None]
  return present.astype(np.float32)


def expands(layout: mobile.Layout, stage: int) -> bool:
  """Return whether bottlenecks of a stage have a layer that expands."""
  return layout.stages[stage].expansions != (1,)


def shortcut(
  layout: mobile.Layout, stage: int, block: int, project: bool
) -> str | None:
  """Return how the input of a block is added to its output.

  Args:
    layout: the layout.
    stage: number of the stage.
    block: number in the stage.
    project: whether blocks that change channels or size have a shortcut.

  Returns:
    'identity', 'project', or None where it is not added.
  """
  same = rows(layout, 'input', stage, block) == rows(
    layout, 'output', stage, block
  )
  fixed = len(layout.stages[stage].widths) == 1
  if block > 0 or (same and fixed and layout.stages[stage].stride == 1):
    return 'identity'
  return 'project' if project else None


def halved(size: int, stride: int) -> int:
  """Return pixels a side after a convolution with a stride."""
  return math.ceil(size / stride)
