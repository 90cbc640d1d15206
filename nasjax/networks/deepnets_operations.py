"""The operations of DeepNets-1M, whatever form their weights have.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, appendix A, as in the authors' program: what
excites channels has a hard swish, and what attends is a layer of a
transformer, with eight heads.

An operation is a function of its input `[B, H, W, C]`, of weights `p` and of
whether the network has norms. A `Reader` makes tensors of `p`, by their places
in `deepnets_primitives.chains`.
"""

from collections.abc import Callable, Sequence
import functools
from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp

from nasjax import ops
from nasjax.spaces import deepnets_primitives as primitives

_EPSILON = 1e-5

Operation = Callable[[jax.Array, Any, chex.Numeric], jax.Array]


class Reader(Protocol):
  """How weights become tensors of the channels that are computed, C."""

  def kernel(self, p: Any, place: int, rows: int, columns: int) -> jax.Array:
    """Return a kernel `[rows, columns, C, C]`."""

  def depthwise(self, p: Any, place: int, size: int) -> jax.Array:
    """Return the kernel of a depthwise convolution, `[size, size, C]`."""

  def vectors(self, p: Any, place: int) -> jax.Array:
    """Return scales and biases, `[2, C]`."""

  def projections(self, p: Any, place: int) -> Sequence[jax.Array]:
    """Return the kernels `[C, C]` of queries, keys and values."""

  def members(self, p: Any) -> jax.Array:
    """Return how many channels of a head each of the C stands for, `[8, C]`."""


def norm(x: jax.Array, vectors: jax.Array, normed: chex.Numeric) -> jax.Array:
  """Return batch norm with scale and bias, where the network has it."""
  y = ops.scale(vectors[0], ops.batch_norm(x))
  y += ops.spread_channels(vectors[1], x.shape[:-1])
  return jnp.where(normed, y, x)


def _add(x, bias):
  return x + jnp.broadcast_to(bias, x.shape)


def _separable(read, x, p, places, normed, size, dilation):
  depth, point, last = places
  kernel = read.depthwise(p, depth, size)
  y = ops.depthwise(jax.nn.relu(x), kernel, dilation=dilation)
  y = ops.pointwise(y, read.kernel(p, point, 1, 1)[0, 0])
  return norm(y, read.vectors(p, last), normed)


def _sep_conv(read, x, p, normed, size):
  x = _separable(read, x, p, (1, 3, 4), normed, size, 1)
  return _separable(read, x, p, (5, 6, 7), normed, size, 1)


def _dil_conv(read, x, p, normed, size):
  return _separable(read, x, p, (1, 3, 4), normed, size, 2)


def _conv(read, x, p, normed, size):
  x, kernel = jax.nn.relu(x), read.kernel(p, 1, size, size)
  y = (
    ops.pointwise(x, kernel[0, 0]) if size == 1 else ops.convolution(x, kernel)
  )
  return norm(y, read.vectors(p, 4), normed)


def _crossed(read, x, p, normed, size):
  """Convolve along rows, then along columns."""
  y = ops.convolution(jax.nn.relu(x), read.kernel(p, 1, 1, size))
  y = ops.convolution(y, read.kernel(p, 3, size, 1))
  return norm(y, read.vectors(p, 4), normed)


def _excite(read, x, p, normed):
  """Squeeze and excite; the second vectors are biases, not those of a norm."""
  del normed
  dense = lambda x, place: _add(
    x @ read.kernel(p, place, 1, 1)[0, 0], read.vectors(p, place + 1)[1]
  )
  gate = dense(jax.nn.relu(dense(jnp.mean(x, (1, 2)), 1)), 3)
  return x * jax.nn.hard_swish(gate)[:, None, None]


def _layer_norm(x, vectors, share):
  """Normalise the channels, of which each is a share of all."""
  mean = (x @ share)[..., None]
  variance = (jnp.square(x - mean) @ share)[..., None]
  x = (x - mean) * jax.lax.rsqrt(variance + _EPSILON)
  return _add(x * jnp.broadcast_to(vectors[0], x.shape), vectors[1])


def _attend(read, x, p, normed):
  """Attention of all pixels to all and two layers, both with norms before."""
  del normed
  shape, members = x.shape, read.members(p)
  count = members.sum(0)
  width = jnp.maximum(count.sum(), 1)
  share = count / width
  x = x.reshape(shape[0], -1, shape[-1])
  y = _layer_norm(x, read.vectors(p, 0), share)
  query, key, value = (y @ kernel for kernel in read.projections(p, 1))
  logits = jnp.einsum('bic,hc,bjc->bhij', query, members, key)
  weights = jax.nn.softmax(logits / jnp.sqrt(width / primitives.HEADS))
  # A channel that stands for some of several heads is their mean.
  part = members / jnp.maximum(count, 1)[None]
  y = jnp.einsum('bhij,bjc,hc->bic', weights, value, part)
  dense = lambda y, place: _add(
    y @ read.kernel(p, place, 1, 1)[0, 0], read.vectors(p, place + 1)[1]
  )
  x += dense(y, 3)
  y = _layer_norm(x, read.vectors(p, 6), share)
  x += dense(jax.nn.gelu(dense(y, 7), approximate=False), 9)
  return x.reshape(shape)


def _none(read, x, p, normed):
  del read, p, normed
  return jnp.zeros_like(x)


def _skip(read, x, p, normed):
  del read, p, normed
  return x


def _pool(read, x, p, normed, pool):
  del read, p, normed
  return pool(x)


def _sizes(operation, kind, *sizes):
  """Return an operation by the names of its sizes."""
  return {
    f'{kind}_{k}x{k}': functools.partial(operation, size=k) for k in sizes
  }


_OPERATIONS = {
  'none': _none,
  'skip_connect': _skip,
  'max_pool_3x3': functools.partial(_pool, pool=ops.max_pool),
  'avg_pool_3x3': functools.partial(_pool, pool=ops.avg_pool),
  **_sizes(_sep_conv, 'sep_conv', 3, 5),
  **_sizes(_dil_conv, 'dil_conv', 3, 5),
  **_sizes(_conv, 'conv', 1, 3, 5, 7),
  'conv_7x1_1x7': functools.partial(_crossed, size=7),
  'msa': _attend,
  'cse': _excite,
}


def operations(names: Sequence[str], reader: Reader) -> list[Operation]:
  """Return operations by name.

  Args:
    names: of `deepnets_primitives.OPERATIONS`.
    reader: of their weights.

  Returns:
    Functions `(x, p, normed) -> y`.

  Raises:
    ValueError: for a name that is not known.
  """
  for name in names:
    if name not in _OPERATIONS:
      raise ValueError(
        f'Unknown operation {name!r}. Known: {", ".join(_OPERATIONS)}.'
      )
  return [functools.partial(_OPERATIONS[name], reader) for name in names]
