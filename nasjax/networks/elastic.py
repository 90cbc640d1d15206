"""Layers whose size is a choice.

Where choices are known while tracing, layers have the size that was chosen.
Otherwise they have the largest, and masks make them smaller: the first channels
of all, the centre of kernels. Outputs of masked channels are zero after
normalisation, so the statistics, products and means of what is left are those
of the small layer. Activations take zero to zero.
"""

from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice, ops
from nasjax.networks import layers
from nasjax.spaces import mobile

ACTIVATIONS = {name: getattr(jax.nn, name) for name in mobile.ACTIVATIONS}


class Width(NamedTuple):
  """Channels, and which of them count."""

  size: int
  mask: chex.Array | None = None  # [size]; None where all do


class Taps(NamedTuple):
  """Side of a kernel, and which of its taps count."""

  size: int
  mask: chex.Array | None = None  # [size, size]


def choose(table: Any, choices: tuple[choice.Choice, ...]) -> Any:
  """Return the chosen entry of a table with an axis for each choice."""
  for c in choices:
    table = choice.select(c, table)
  return table


def are_static(choices: tuple[choice.Choice, ...]) -> bool:
  """Return whether all choices are known while tracing."""
  return all(map(choice.is_static, choices))


def width(sizes: np.ndarray, *choices: choice.Choice) -> Width:
  """Return a number of channels that choices decide about.

  Args:
    sizes: `i[K, ...]`, channels for every option of each choice.
    *choices: as many as axes.
  """
  if are_static(choices):
    return Width(int(choose(sizes, choices)))
  size = int(np.max(sizes))
  masks = np.arange(size) < np.asarray(sizes)[..., None]
  return Width(size, choose(jnp.asarray(masks, jnp.float32), choices))


def taps(kernels: tuple[int, ...], c: choice.Choice) -> Taps:
  """Return the kernel that a choice decides about: the centre of the largest.

  Args:
    kernels: K odd sizes.
    c: the choice.
  """
  if choice.is_static(c):
    return Taps(kernels[c])
  size = max(kernels)
  distance = np.abs(np.arange(size) - size // 2)
  reach = np.maximum(distance[:, None], distance)
  masks = reach <= np.array(kernels)[:, None, None] // 2
  return Taps(size, choice.select(c, jnp.asarray(masks, jnp.float32)))


def masked(x: chex.Array, width: Width) -> chex.Array:
  """Return an array whose channels that do not count are zero."""
  return x if width.mask is None else ops.scale(width.mask, x)


class ConvNorm(nn.Module):
  """Convolution, normalisation, activation.

  Attributes:
    stride: of the convolution.
    depthwise: whether every channel has a kernel of its own.
    activation: its name, or None.
    track: whether running statistics are kept.
    momentum: of them.
    zero: whether the scale of the norm begins at zero.
  """

  stride: int = 1
  depthwise: bool = False
  activation: str | None = None
  track: bool = False
  momentum: float = 0.9
  zero: bool = False

  @nn.compact
  def __call__(
    self, x: chex.Array, width: Width, train: bool, taps: Taps | None = None
  ) -> chex.Array:
    """Return `[N, H', W', width.size]` of images `[N, H, W, C]`."""
    size, mask = taps or Taps(1)
    kernel = (size, size)
    if self.depthwise:
      conv = layers.DepthwiseConv(kernel, self.stride, name='conv')
    else:
      conv = layers.Conv(width.size, kernel, self.stride, name='conv')
    x = layers.BatchNorm(
      True, self.track, self.momentum, self.zero, name='norm'
    )(conv(x, mask), train)
    if self.activation is not None:
      x = ACTIVATIONS[self.activation](x)
    return masked(x, width)


class SqueezeExcite(nn.Module):
  """Factors of the channels from their means.

  Hu, Shen, Sun, Squeeze-and-Excitation Networks, 2018
  (https://arxiv.org/abs/1709.01507).
  """

  @nn.compact
  def __call__(
    self, x: chex.Array, squeeze: Width, share: chex.Numeric = 1.0
  ) -> chex.Array:
    """Scale images `[N, H, W, C]`.

    Args:
      x: images.
      squeeze: channels between the two linear layers.
      share: how much of the factors counts; 0 for none.
    """
    means = jnp.mean(x, axis=(1, 2))
    hidden = jax.nn.relu(layers.Dense(squeeze.size, name='squeeze')(means))
    factors = layers.Dense(x.shape[-1], name='excite')(masked(hidden, squeeze))
    factors = jax.nn.sigmoid(factors)
    share = jnp.asarray(share, x.dtype)
    return x * (share * factors + (1 - share))[:, None, None]


class Sizes(NamedTuple):
  """What a block is made of."""

  hidden: Width
  output: Width
  taps: Taps
  squeeze: Width | None = None  # None where no option has squeeze-excite
  share: chex.Numeric = 1.0  # of its factors


class Block(nn.Module):
  """What a block adds to its input.

  'mbconv'     expand to the hidden channels, depthwise, project to the output
  'separable'  depthwise, project
  'conv'       a convolution

  Attributes:
    operation: which of them.
    stride: of its spatial convolution.
    activation: within.
    expand: whether a bottleneck expands; without, hidden are the input's.
    track: whether running statistics are kept.
    momentum: of them.
    zero: whether the scale of the last norm begins at zero.
  """

  operation: str = 'mbconv'
  stride: int = 1
  activation: str = 'swish'
  expand: bool = True
  track: bool = False
  momentum: float = 0.9
  zero: bool = False

  @nn.compact
  def __call__(self, x: chex.Array, sizes: Sizes, train: bool) -> chex.Array:
    """Return `[N, H', W', F]` of images `[N, H, W, C]`."""
    norm = dict(track=self.track, momentum=self.momentum)
    active = dict(norm, activation=self.activation)
    if self.operation == 'conv':
      x = ConvNorm(self.stride, **active, zero=self.zero, name='spatial')(
        x, sizes.output, train, sizes.taps
      )
      return self._excite(x, sizes)
    if self.operation == 'mbconv' and self.expand:
      x = ConvNorm(**active, name='expand')(x, sizes.hidden, train)
    x = ConvNorm(self.stride, True, **active, name='spatial')(
      x, sizes.hidden, train, sizes.taps
    )
    x = self._excite(x, sizes)
    return ConvNorm(**norm, zero=self.zero, name='project')(
      x, sizes.output, train
    )

  def _excite(self, x, sizes):
    if sizes.squeeze is None:
      return x
    return SqueezeExcite(name='excite')(x, sizes.squeeze, sizes.share)
