"""Layers that the operations of cell spaces are made of.

Initialisation, padding and statistics follow the official (PyTorch) code of the
papers: weights and biases uniform in +-1/sqrt(fan_in), symmetric padding,
normalisation with momentum 0.9 and unbiased running variance.
"""

import math

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp

from nasjax import ops
from nasjax.ops import normalization

AGREEMENT = 'agreement'  # the collection that rectifiers report to


def _mix(bits):
  """Scramble 32-bit words (a multiply-xorshift hash)."""
  for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
    bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
  return bits ^ (bits >> 16)


def _uniform(key, shape):
  """Draw from U(0, 1) by hashing the positions with the key.

  `jax.random.uniform` takes more than a second of compilation for every shape
  on CPU, minutes for a supernet; a hash is all that initial weights need.
  """
  high, low = jax.random.key_data(key).astype(jnp.uint32)[:2]
  bits = _mix(_mix(lax.iota(jnp.uint32, math.prod(shape)) + high) ^ low)
  mantissa = (bits >> 9) | jnp.uint32(0x3F800000)
  return (lax.bitcast_convert_type(mantissa, jnp.float32) - 1).reshape(shape)


def fan_in_uniform(fan_in: float) -> nn.initializers.Initializer:
  """Return the initialiser U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
  bound = 1 / math.sqrt(fan_in)

  def init(key, shape, dtype=jnp.float32):
    return (bound * (2 * _uniform(key, shape) - 1)).astype(dtype)

  return init


class Conv(nn.Module):
  """Convolution without bias, symmetric padding by default."""

  features: int
  kernel: tuple[int, int] = (1, 1)
  stride: int = 1
  dilation: int = 1
  padding: tuple[tuple[int, int], tuple[int, int]] | None = None

  @nn.compact
  def __call__(
    self, x: chex.Array, taps: chex.Array | None = None
  ) -> chex.Array:
    """Convolve; `taps` `[kh, kw]` are factors of the kernel, of a mask say."""
    shape = (*self.kernel, x.shape[-1], self.features)
    kernel = self.param('kernel', fan_in_uniform(math.prod(shape[:3])), shape)
    if taps is not None:
      kernel = kernel * taps[..., None, None].astype(kernel.dtype)
    return ops.convolution(x, kernel, self.stride, self.dilation, self.padding)


class DepthwiseConv(nn.Module):
  """Convolution of every channel with a kernel of its own."""

  kernel: tuple[int, int]
  stride: int = 1
  dilation: int = 1

  @nn.compact
  def __call__(
    self, x: chex.Array, taps: chex.Array | None = None
  ) -> chex.Array:
    """Convolve; `taps` as for `Conv`."""
    kernel = self.param(
      'kernel',
      fan_in_uniform(math.prod(self.kernel)),
      (*self.kernel, x.shape[-1]),
    )
    if taps is not None:
      kernel = kernel * taps[..., None].astype(kernel.dtype)
    return ops.depthwise(x, kernel, self.stride, self.dilation)


class Dense(nn.Module):
  """Linear layer."""

  features: int
  use_bias: bool = True

  @nn.compact
  def __call__(self, x: chex.Array) -> chex.Array:
    init = fan_in_uniform(x.shape[-1])
    y = x @ self.param('kernel', init, (x.shape[-1], self.features))
    if self.use_bias:
      bias = self.param('bias', init, (self.features,))
      y = y + jnp.broadcast_to(bias, y.shape)
    return y


class BatchNorm(nn.Module):
  """Batch normalisation.

  Attributes:
    affine: whether channels are scaled and shifted after it.
    track: whether running statistics are kept (collection 'batch_stats') and
      used when not training. Without them the batch's own are always used, so
      the network is a pure map of parameters and data.
    momentum: of the running statistics.
    zero: whether the scale begins at zero and not at one.
  """

  affine: bool = True
  track: bool = False
  momentum: float = 0.9
  zero: bool = False

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    y = self._running(x, train) if self.track else ops.batch_norm(x)
    if self.affine:
      first = nn.initializers.zeros if self.zero else nn.initializers.ones
      scale = self.param('scale', first, x.shape[-1:], x.dtype)
      bias = self.param('bias', nn.initializers.zeros, x.shape[-1:], x.dtype)
      y = ops.scale(scale, y) + ops.spread_channels(bias, x.shape[:-1])
    return y

  def _running(self, x, train):
    size = x.shape[-1]
    mean = self.variable('batch_stats', 'mean', jnp.zeros, size)
    variance = self.variable('batch_stats', 'var', jnp.ones, size)
    if not train:
      return ops.normalize(x, mean.value, variance.value)
    if self.is_mutable_collection('batch_stats') and not self.is_initializing():
      count = x.size // size
      batch_mean, batch_variance = normalization.moments(x)
      unbiased = batch_variance * (count / max(count - 1, 1))
      keep = self.momentum
      mean.value = keep * mean.value + (1 - keep) * batch_mean
      variance.value = keep * variance.value + (1 - keep) * unbiased
    return ops.batch_norm(x)


def reports_agreement(module: nn.Module) -> bool:
  """Return whether somebody asks for the agreement of rectifiers."""
  asked = module.is_mutable_collection(AGREEMENT)
  return asked and not module.is_initializing()


def report_agreement(module: nn.Module, count: chex.Array) -> None:
  """Add a count `[N, N]`, see `ops.agreement`, to those of a module."""
  module.sow(AGREEMENT, 'count', count, init_fn=lambda: 0.0, reduce_fn=jnp.add)


def boundary(module: nn.Module, name: str, x: chex.Array) -> chex.Array:
  """Mark the output of a block, for scores that look at blocks one by one.

  It is sown into 'intermediates'. Where the collection 'perturbations' has the
  name, the next block sees x plus that, cut from the blocks before: gradients
  with respect to perturbations are those of one block each.

  Args:
    module: in whose scope the name lies.
    name: of the boundary.
    x: output of the block.

  Returns:
    What the next block sees.
  """
  module.sow('intermediates', name, x)
  if not module.has_variable('perturbations', name):
    return x
  return lax.stop_gradient(x) + module.get_variable('perturbations', name)


def halve(x: chex.Array) -> chex.Array:
  """Average images over 2x2 pixels with stride 2, over those that there are."""
  odd = [(0, size % 2) for size in x.shape[1:3]]
  x = jnp.pad(x, ((0, 0), *odd, (0, 0)), 'edge')  # counted twice: no change
  corners = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
  return sum(corners) / 4


class Relu(nn.Module):
  """Rectifier that can report which examples it treats alike.

  While the collection 'agreement' is mutable, `ops.agreement` of the input is
  added to it: what scores of untrained networks count.
  """

  @nn.compact
  def __call__(self, x: chex.Array) -> chex.Array:
    if reports_agreement(self):
      report_agreement(self, ops.agreement(x))
    return jax.nn.relu(x)


class ReluConvNorm(nn.Module):
  """ReLU, convolution, normalisation."""

  features: int
  kernel: tuple[int, int] = (1, 1)
  stride: int = 1
  affine: bool = True
  track: bool = False

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    x = Conv(self.features, self.kernel, self.stride)(Relu()(x))
    return BatchNorm(self.affine, self.track)(x, train)


class FactorizedReduce(nn.Module):
  """Halve the image by two interleaved 1x1 convolutions of stride 2.

  The second one sees the image shifted by one pixel; where the size is odd the
  shifted image is filled up with zeros (official code needs even sizes).
  """

  features: int
  affine: bool = True
  track: bool = False

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    x = Relu()(x)
    odd = [(0, size % 2) for size in x.shape[1:3]]
    shifted = jnp.pad(x[:, 1:, 1:], ((0, 0), *odd, (0, 0)))
    half = self.features // 2
    y = jnp.concatenate(
      [Conv(half, stride=2)(x), Conv(self.features - half, stride=2)(shifted)],
      axis=-1,
    )
    return BatchNorm(self.affine, self.track)(y, train)
