"""Sums over all axes but the channels, and their transpose.

XLA's CPU backend reduces leading axes with scalar code, several times slower
than memory allows. Here the array is added up in a few slabs, which vectorises,
and the rest is one small matrix-vector product. `sum_channels` and
`spread_channels` are each other's transpose, so derivatives of any order of
what is built from them stay in this form.
"""

import functools

import chex
import jax
from jax import lax
import jax.numpy as jnp

_MAX_SLABS = 16


def num_slabs(size: int, limit: int = _MAX_SLABS) -> int:
  """Return the largest power of two up to `limit` that divides `size`."""
  slabs = 1
  while slabs * 2 <= limit and size % (slabs * 2) == 0:
    slabs *= 2
  return slabs


def _slabs(x):
  rows = x.reshape(-1, x.shape[-1])
  return list(rows.reshape(num_slabs(len(rows)), -1, x.shape[-1]))


def _sum_in_slabs(x):
  total = functools.reduce(jnp.add, _slabs(x))
  return jnp.ones(len(total), x.dtype) @ total


def _squares_in_slabs(x):
  slabs = _slabs(x)
  total = functools.reduce(jnp.add, slabs)
  squares = functools.reduce(jnp.add, [slab * slab for slab in slabs])
  both = jnp.concatenate([total, squares], axis=-1)
  return tuple(jnp.split(jnp.ones(len(both), x.dtype) @ both, 2))


def _sum(x):
  return lax.platform_dependent(
    x, cpu=_sum_in_slabs, default=lambda x: jnp.sum(x, tuple(range(x.ndim - 1)))
  )


def sum_channels(x: chex.Array) -> chex.Array:
  """Sum over every axis but the last: `[..., C] -> [C]`."""
  shape = x.shape[:-1]

  @jax.custom_vjp
  def apply(x):
    return _sum(x)

  apply.defvjp(
    lambda x: (_sum(x), ()), lambda _, ct: (spread_channels(ct, shape),)
  )
  return apply(x)


def sum_squares(x: chex.Array) -> tuple[chex.Array, chex.Array]:
  """Sum the numbers and their squares over every axis but the last, in one go.

  Args:
    x: `[..., C]`.

  Returns:
    Two arrays `[C]`.
  """
  shape = x.shape[:-1]

  @jax.custom_vjp
  def apply(x):
    return lax.platform_dependent(
      x,
      cpu=_squares_in_slabs,
      default=lambda x: (_sum(x), _sum(x * x)),
    )

  def backward(x, cotangents):
    total, squares = (spread_channels(ct, shape) for ct in cotangents)
    return (total + 2 * x * squares,)

  apply.defvjp(lambda x: (apply(x), x), backward)
  return apply(x)


def spread_channels(v: chex.Array, shape: tuple[int, ...]) -> chex.Array:
  """Repeat a vector over leading axes: `[C] -> [*shape, C]`."""

  @jax.custom_vjp
  def apply(v):
    return jnp.broadcast_to(v, shape + v.shape)

  apply.defvjp(lambda v: (apply(v), ()), lambda _, ct: (sum_channels(ct),))
  return apply(v)


def scale(weight: chex.Array, x: chex.Array) -> chex.Array:
  """Multiply an array by a scalar, or by one factor a channel.

  Args:
    weight: `[]` or `[C]`.
    x: `[..., C]`.

  Returns:
    `weight * x`, `[..., C]`.
  """
  factors = jnp.broadcast_to(weight, x.shape[-1:]).astype(x.dtype)
  return x * spread_channels(factors, x.shape[:-1])
