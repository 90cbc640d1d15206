"""The candidate operations of cell spaces, as modules of one signature.

An operation is made by a factory `(Site) -> module`, and the module maps
`(x, train) -> y` from `[N, H, W, C]` to `[N, H / stride, W / stride, C]`. A
dictionary from names to factories is all that a network needs, so an operation
of the user's own is one more entry.

Liu, Simonyan, Yang, DARTS, 2019 (https://arxiv.org/abs/1806.09055), the eight
operations, and the two more that its NASNet and AmoebaNet cells use; Dong,
Yang, NAS-Bench-201, 2020 (https://arxiv.org/abs/2001.00326), the five.
"""

from collections.abc import Callable, Mapping, Sequence
import functools
from typing import NamedTuple

import chex
from flax import linen as nn
import jax.numpy as jnp

from nasjax import ops
from nasjax.networks import layers


class Site(NamedTuple):
  """Where an operation stands."""

  channels: int
  stride: int = 1
  affine: bool = False  # whether normalisation scales and shifts
  track: bool = False  # whether it keeps running statistics
  pool_norm: bool = True  # whether pooling is followed by normalisation
  parts: int = 1  # of the channels of an edge; operations see the first
  drop_skips: bool = (
    False  # whether dropped paths are identities, and no others
  )


def inside(site: Site) -> Site:
  """Return where operations stand that see a part of an edge's channels.

  Args:
    site: of the edge.

  Returns:
    The site with the channels of the first of its parts.

  Raises:
    ValueError: if the channels do not make equal parts.
  """
  if site.channels % site.parts:
    raise ValueError(
      f'{site.channels} channels do not make {site.parts} equal parts.'
    )
  return site._replace(channels=site.channels // site.parts, parts=1)


Factory = Callable[[Site], nn.Module]


class Zero(nn.Module):
  """No connection: zeros."""

  site: Site

  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    del train
    return jnp.zeros_like(x[:, :: self.site.stride, :: self.site.stride])


class Skip(nn.Module):
  """Identity; factorized reduction where the image is halved."""

  site: Site

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    site = self.site
    if site.stride == 1:
      return x
    return layers.FactorizedReduce(site.channels, site.affine, site.track)(
      x, train
    )


class Pool(nn.Module):
  """Pooling over 3x3 windows; normalised without affine where asked."""

  site: Site
  kind: str

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    pool = {'max': ops.max_pool, 'avg': ops.avg_pool}[self.kind]
    x = pool(x, self.site.stride)
    if self.site.pool_norm:
      x = layers.BatchNorm(False, self.site.track)(x, train)
    return x


def _separable(site, size, stride, dilation, x, train):
  """ReLU, depthwise, pointwise, normalisation; inside of a compact method."""
  x = layers.DepthwiseConv((size, size), stride, dilation=dilation)(
    layers.Relu()(x)
  )
  x = layers.Conv(site.channels)(x)
  return layers.BatchNorm(site.affine, site.track)(x, train)


class SeparableConv(nn.Module):
  """Twice: ReLU, depthwise, pointwise, normalisation; stride in the first."""

  site: Site
  size: int

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    x = _separable(self.site, self.size, self.site.stride, 1, x, train)
    return _separable(self.site, self.size, 1, 1, x, train)


class DilatedConv(nn.Module):
  """ReLU, depthwise with dilation 2, pointwise, normalisation."""

  site: Site
  size: int

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    return _separable(self.site, self.size, self.site.stride, 2, x, train)


class FactorizedConv(nn.Module):
  """ReLU, 1xk and kx1 convolution, normalisation."""

  site: Site
  size: int

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    site, size = self.site, self.size
    x = layers.Relu()(x)
    # Strides lie on the axis that each kernel spans.
    x = layers.Conv(site.channels, (1, size))(x)[:, :, :: site.stride]
    x = layers.Conv(site.channels, (size, 1))(x)[:, :: site.stride]
    return layers.BatchNorm(site.affine, site.track)(x, train)


class NormConv(nn.Module):
  """ReLU, convolution, normalisation: the convolutions of NAS-Bench-201."""

  site: Site
  size: int

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    site = self.site
    return layers.ReluConvNorm(
      site.channels, (self.size,) * 2, site.stride, site.affine, site.track
    )(x, train)


def _of(module, **settings):
  return functools.partial(module, **settings)


OPERATIONS = {
  'none': Zero,
  'skip_connect': Skip,
  'max_pool_3x3': _of(Pool, kind='max'),
  'avg_pool_3x3': _of(Pool, kind='avg'),
  'sep_conv_3x3': _of(SeparableConv, size=3),
  'sep_conv_5x5': _of(SeparableConv, size=5),
  'sep_conv_7x7': _of(SeparableConv, size=7),
  'dil_conv_3x3': _of(DilatedConv, size=3),
  'dil_conv_5x5': _of(DilatedConv, size=5),
  'conv_7x1_1x7': _of(FactorizedConv, size=7),
  'nor_conv_1x1': _of(NormConv, size=1),
  'nor_conv_3x3': _of(NormConv, size=3),
}


def resolve(
  names: Sequence[str], custom: Mapping[str, Factory] | None = None
) -> tuple[tuple[str, Factory], ...]:
  """Return `(name, factory)` for every name.

  Args:
    names: names of operations, in the order of the space's choices.
    custom: optional mapping of further names to factories `(Site) -> module`.

  Returns:
    One pair a name, in the given order.

  Raises:
    ValueError: for a name that is in neither mapping.
  """
  known = {**OPERATIONS, **(custom or {})}
  for name in names:
    if name not in known:
      raise ValueError(
        f'Unknown operation {name!r}. Known: {", ".join(sorted(known))}.'
      )
  return tuple((name, known[name]) for name in names)
