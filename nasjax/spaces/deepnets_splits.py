"""The splits of DeepNets-1M: networks of one kind, and networks unlike them.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, section 3.2. A split is a layout, a seed and a
size; network i of it is a function of its number, so a million networks take no
room.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.spaces import deepnets, deepnets_layouts
from nasjax.types import Arch

Layout = deepnets_layouts.Layout


class Split(NamedTuple):
  """Networks that belong together."""

  layout: Layout
  seed: int
  size: int
  source: Layout  # from which they are drawn, of as many options


class Extremes(NamedTuple):
  """What the splits of networks out of the distribution look like."""

  wide: int = 4  # times the width (ImageNet: 2)
  depths: tuple[int, ...] = tuple(range(10, 37))
  steps: tuple[int, ...] = tuple(range(2, 11))
  size: int = 100
  max_params: float | None = 1e8  # of 'deep' and 'dense'
  deep_from: tuple[int, int] = (18, 19)  # of 'deep'
  steps_if_deep: int = 6  # of 'dense'


_EXTREMES = Extremes()


def splits(
  layout: Layout = deepnets_layouts.CIFAR,
  sizes: tuple[int, int, int] = (10**6, 500, 500),
  extremes: Extremes = _EXTREMES,
) -> dict[str, Split]:
  """Return the splits of a layout by name.

  'train', 'valid' and 'test' have one distribution. Out of it are 'wide', whose
  networks are those of 'test' with more channels, 'deep', 'dense' and
  'norm_free'.

  Args:
    layout: of networks in the distribution.
    sizes: networks of 'train', 'valid' and 'test'.
    extremes: what the others look like.

  Returns:
    Dict of the splits.

  References:
    Knyazev et al., 2021, section 3.2 and table 1.
  """
  few = extremes.size
  widths = tuple(extremes.wide * width for width in layout.widths)
  large = layout._replace(max_params=extremes.max_params)
  deep = large._replace(depths=extremes.depths, deep_from=extremes.deep_from)
  dense = large._replace(
    steps=extremes.steps, steps_if_deep=extremes.steps_if_deep
  )
  norm_free = layout._replace(norms=('none',))
  wide = layout._replace(widths=widths, max_params=None)
  return {
    'train': Split(layout, 1, sizes[0], layout),
    'valid': Split(layout, 0, sizes[1], layout),
    'test': Split(layout, 2, sizes[2], layout),
    'wide': Split(wide, 2, few, layout),
    'deep': Split(deep, 3, few, deep),
    'dense': Split(dense, 4, few, dense),
    'norm_free': Split(norm_free, 5, few, norm_free),
  }


def networks(split: Split, first: int = 0, count: int | None = None) -> Arch:
  """Return some networks of a split.

  Args:
    split: of `splits`.
    first: number of the first one.
    count: B; None for all that follow it.

  Returns:
    Architectures stacked `[B, ...]`.

  Raises:
    ValueError: if the split has not so many.
  """
  count = split.size - first if count is None else count
  if first < 0 or count < 1 or first + count > split.size:
    raise ValueError(
      f'Networks {first} to {first + count - 1} of a split of {split.size}.'
    )
  space, key = deepnets.deepnets(split.source), jax.random.key(split.seed)
  draw = lambda i: space.sample(jax.random.fold_in(key, i))
  return jax.jit(jax.vmap(draw))(first + jnp.arange(count))
