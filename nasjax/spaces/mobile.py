"""Mobile networks: stages of inverted bottlenecks of many sizes.

One description, a `Layout`, stands for the spaces of MnasNet (Tan et al., 2019,
https://arxiv.org/abs/1807.11626), ProxylessNAS (Cai et al., 2019,
https://arxiv.org/abs/1812.00332), Once-for-All (Cai et al., 2020,
https://arxiv.org/abs/1908.09791), BigNAS (Yu et al., 2020,
https://arxiv.org/abs/2003.11142) and AttentiveNAS (Wang et al., 2021,
https://arxiv.org/abs/2011.09011); `mobile_layouts` has them.

An architecture is a dict of the decisions that have options:

  resolution  of the image                                    [1]
  width       channels of the stem, the stages and the head   [S + 2]
  depth       blocks of every stage                           [S]
  kernel, expansion, squeeze, operation, skip
              of every stage [S], or of every block in a row where the layout
              says so; those of absent blocks mean nothing

Options are written from the smallest to the largest.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical
from nasjax.types import Arch, Mask, Space

OPERATIONS = ('conv', 'separable', 'mbconv')
SKIPS = ('none', 'identity', 'pool')
# Decisions of blocks, and the field of a stage that has their options.
_BLOCK = {
  'kernel': 'kernels',
  'expansion': 'expansions',
  'squeeze': 'squeezes',
  'operation': 'operations',
  'skip': 'skips',
}
NAMES = ('resolution', 'width', 'depth', *_BLOCK)
ACTIVATIONS = ('hard_swish', 'relu', 'relu6', 'swish')


class Stage(NamedTuple):
  """A row of blocks; the first has the stride."""

  widths: tuple[int, ...]  # channels
  depths: tuple[int, ...]  # blocks
  kernels: tuple[int, ...] = (3,)  # odd
  expansions: tuple[int, ...] = (6,)  # hidden channels for each of the input
  squeezes: tuple[float, ...] = (0.0,)  # squeeze-excite ratio, 0 for none
  stride: int = 1
  activation: str = 'swish'
  operations: tuple[str, ...] = ('mbconv',)
  skips: tuple[str, ...] = ('identity',)


class Layout(NamedTuple):
  """What there is to choose."""

  resolutions: tuple[int, ...]  # pixels a side
  stem: tuple[int, ...]  # channels of the first convolution
  stages: tuple[Stage, ...]
  head: tuple[int, ...]  # channels before the classifier
  stem_stride: int = 2
  activation: str = 'swish'  # of stem and head
  # Hidden channels of the head for each of the last stage: pooled before the
  # head mixes them, as in MobileNetV3. 0 for a head of one convolution.
  head_expansion: int = 0
  squeeze_of: str = 'input'  # channels that ratios are of, or 'hidden'
  divisor: int = 1  # of hidden and squeezed channels
  per_block: tuple[str, ...] = ()  # decisions that every block takes


def options(layout: Layout) -> dict[str, tuple[tuple[Any, ...], ...]]:
  """Return the options of every decision, also where there is one.

  Args:
    layout: the layout.

  Returns:
    By name, a row of options for each decision.
  """
  stages = layout.stages
  found = {
    'resolution': (layout.resolutions,),
    'width': (layout.stem, *(stage.widths for stage in stages), layout.head),
    'depth': tuple(stage.depths for stage in stages),
  }
  for name, field in _BLOCK.items():
    found[name] = tuple(
      getattr(stage, field)
      for stage in stages
      for _ in range(
        max(stage.depths, default=0) if name in layout.per_block else 1
      )
    )
  return {
    name: tuple(map(tuple, decisions)) for name, decisions in found.items()
  }


def leaves(layout: Layout) -> dict[str, tuple[tuple[Any, ...], ...]]:
  """Return the options of the decisions that an architecture has."""
  return {
    name: decisions
    for name, decisions in options(layout).items()
    if max(map(len, decisions)) > 1
  }


def position(layout: Layout, name: str, stage: int, block: int) -> int:
  """Return where in its leaf the decision of a block stands."""
  if name not in layout.per_block:
    return stage
  return block + sum(max(s.depths) for s in layout.stages[:stage])


def padded(layout: Layout, name: str, position: int) -> tuple[Any, ...]:
  """Return the options of a decision, as many as its leaf has.

  Where others of the leaf have more, the last is repeated: tables have a row
  for every weight of a relaxed choice.
  """
  decisions = options(layout)[name]
  row = decisions[position]
  return row + (row[-1],) * (max(map(len, decisions)) - len(row))


def check(layout: Layout) -> None:
  """Check that a layout means something.

  Args:
    layout: the layout.

  Raises:
    ValueError: if there are no options, options are not in order, or names are
      unknown.
  """
  if not layout.stages:
    raise ValueError('A layout needs a stage.')
  known = {'operation': OPERATIONS, 'skip': SKIPS}
  for name, decisions in options(layout).items():
    for row in decisions:
      in_order = name in known or tuple(sorted(set(row))) == row
      if not row or len(set(row)) < len(row) or not in_order:
        raise ValueError(
          f'Options of {name} must be distinct and rise, got {row}.'
        )
      if name in known and not set(row) <= set(known[name]):
        raise ValueError(
          f'Unknown {name} in {row}. Known: {", ".join(known[name])}.'
        )
  if any(k % 2 == 0 for row in options(layout)['kernel'] for k in row):
    raise ValueError('Kernels must be odd.')
  for name in ('width', 'depth'):
    if any(size < 1 for row in options(layout)[name] for size in row):
      raise ValueError(f'Every {name} must be positive.')
  names = {layout.activation, *(stage.activation for stage in layout.stages)}
  if wrong := sorted(names - set(ACTIVATIONS)):
    raise ValueError(
      f'Unknown activation {wrong[0]!r}. Known: {", ".join(ACTIVATIONS)}.'
    )
  strides = {layout.stem_stride, *(stage.stride for stage in layout.stages)}
  if not strides <= {1, 2}:
    raise ValueError(f'Strides must be 1 or 2, got {sorted(strides)}.')
  wrong = set(layout.per_block) - set(_BLOCK)
  if wrong or layout.squeeze_of not in ('input', 'hidden'):
    raise ValueError(
      f'Blocks decide about {", ".join(_BLOCK)} (got {layout.per_block}), and '
      f"ratios are of 'input' or 'hidden' (got {layout.squeeze_of!r})."
    )


def mask(layout: Layout) -> Mask:
  """Return the mask of the space, `bool[D, K]` by name of the leaf."""
  return {
    name: np.arange(max(map(len, decisions)))
    < np.array([[len(row)] for row in decisions])
    for name, decisions in leaves(layout).items()
  }


def biggest(layout: Layout) -> Arch:
  """Return the architecture with the last option of every decision."""
  return {
    name: jnp.array([len(row) - 1 for row in decisions], jnp.int32)
    for name, decisions in leaves(layout).items()
  }


def smallest(layout: Layout) -> Arch:
  """Return the architecture with the first option of every decision."""
  return {
    name: jnp.zeros(len(decisions), jnp.int32)
    for name, decisions in leaves(layout).items()
  }


def num_children(layout: Layout) -> int:
  """Return the number of different networks.

  The size of the space is larger where blocks that may be absent take decisions
  of their own.

  Args:
    layout: the layout.

  Returns:
    The number, not bounded.
  """
  found = options(layout)
  total = math.prod(
    len(row) for name in ('resolution', 'width') for row in found[name]
  )
  for s, stage in enumerate(layout.stages):
    blocks = []
    for depth in stage.depths:
      blocks.append(1)
      for name in _BLOCK:
        num = len(found[name][position(layout, name, s, 0)])
        blocks[-1] *= num ** (depth if name in layout.per_block else 1)
    total *= sum(blocks)
  return total


def mobile(layout: Layout) -> Space:
  """Return the space of all choices of a layout, drawn uniformly.

  Example:
    >>> from nasjax.spaces import mobile_layouts
    >>> space = mobile(mobile_layouts.bignas())
    >>> sorted(space.mask)
    ['depth', 'kernel', 'resolution', 'width']

  Args:
    layout: stages and their options.

  Returns:
    The space.

  Raises:
    ValueError: as `check`.
  """
  check(layout)
  return categorical.categorical(mask(layout))
