"""Batch normalisation from two moments, with its own gradient.

Ioffe and Szegedy, Batch Normalization, 2015 (https://arxiv.org/abs/1502.03167).
"""

import chex
import jax
from jax import lax
import jax.numpy as jnp

from nasjax.ops import channels

EPSILON = 1e-5


def moments(x: chex.Array) -> tuple[chex.Array, chex.Array]:
  """Return mean and (biased) variance of every channel, `[..., C] -> [C]`."""
  count = x.size // x.shape[-1]
  mean, square = (total / count for total in channels.sum_squares(x))
  return mean, jnp.maximum(square - mean * mean, 0)


def _whiten(x, mean, scale):
  shape = x.shape[:-1]
  return (x - channels.spread_channels(mean, shape)) * channels.spread_channels(
    scale, shape
  )


@jax.custom_vjp
def batch_norm(x: chex.Array) -> chex.Array:
  """Give every channel zero mean and unit variance over the batch.

  Args:
    x: `[..., C]`; statistics are taken over all leading axes.

  Returns:
    `(x - mean) / sqrt(variance + 1e-5)`, `[..., C]`.
  """
  return _forward(x)[0]


def _forward(x):
  mean, variance = moments(x)
  scale = lax.rsqrt(variance + EPSILON)
  return _whiten(x, mean, scale), x


def _backward(x, g):
  # Statistics are recomputed so that this stays a function of (x, g) alone,
  # which reverse-over-reverse differentiates.
  mean, variance = moments(x)
  scale = lax.rsqrt(variance + EPSILON)
  white = _whiten(x, mean, scale)
  count = x.size // x.shape[-1]
  shape = x.shape[:-1]
  g_mean = channels.spread_channels(channels.sum_channels(g) / count, shape)
  g_scale = channels.spread_channels(
    channels.sum_channels(g * white) / count, shape
  )
  return (
    (g - g_mean - white * g_scale) * channels.spread_channels(scale, shape),
  )


batch_norm.defvjp(_forward, _backward)


def normalize(
  x: chex.Array, mean: chex.Array, variance: chex.Array
) -> chex.Array:
  """Normalise by given statistics `[C]`, as running averages at test time."""
  return _whiten(x, mean, lax.rsqrt(variance + EPSILON))
