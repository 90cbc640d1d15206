"""Three-by-three pooling, separable, with gradients of any order.

The maximum is taken along one axis after the other, which needs 4 comparisons
a pixel instead of 8. Its gradient goes to the first maximum of each window, as
in other frameworks; for a fixed input it is linear, and its transpose picks the
same pixels, so second derivatives need nothing new.
"""

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

_SIZE = 3


def _windows(x, axis, stride, fill):
  """The three shifted views whose elementwise reduction pools along `axis`."""
  pads = [(0, 0, 0)] * x.ndim
  pads[axis] = (1, 1, 0)
  padded = lax.pad(x, jnp.asarray(fill, x.dtype), pads)
  return [
    lax.slice_in_dim(
      padded, i, i + (x.shape[axis] - 1) // stride * stride + 1, stride, axis
    )
    for i in range(_SIZE)
  ]


def _winners(x, axis, stride):
  """Return the maximum along one axis and masks of the pixel that gave it."""
  left, middle, right = _windows(x, axis, stride, -jnp.inf)
  from_left = (left >= middle) & (left >= right)
  from_middle = ~from_left & (middle >= right)
  masks = (from_left, from_middle, ~from_left & ~from_middle)
  return jnp.maximum(jnp.maximum(left, middle), right), masks


def _gather(masks, x, axis, stride):
  """Pick from every window the pixel that the masks name."""
  views = _windows(x, axis, stride, 0)
  return sum(jnp.where(mask, view, 0) for mask, view in zip(masks, views))


def _scatter(masks, g, axis, stride, size):
  """Transpose of `_gather`: send every cotangent to the pixel named."""
  total = 0
  for i, mask in enumerate(masks):
    pads = [(0, 0, 0)] * g.ndim
    spread = (g.shape[axis] - 1) * stride + 1
    pads[axis] = (i - 1, size - spread - (i - 1), stride - 1)
    total += lax.pad(jnp.where(mask, g, 0), jnp.zeros((), g.dtype), pads)
  return total


def _route(x, v, stride, transposed):
  """Apply the derivative of max-pooling at `x`, or its transpose, to `v`."""

  @jax.custom_vjp
  def apply(x, v):
    rows, row_masks = _winners(x, 2, stride)
    _, column_masks = _winners(rows, 1, stride)
    if transposed:
      v = _scatter(column_masks, v, 1, stride, x.shape[1])
      return _scatter(row_masks, v, 2, stride, x.shape[2])
    v = _gather(row_masks, v, 2, stride)
    return _gather(column_masks, v, 1, stride)

  # Which pixel wins is piecewise constant in x: no gradient flows to it.
  apply.defvjp(
    lambda x, v: (apply(x, v), x),
    lambda x, ct: (None, _route(x, ct, stride, not transposed)),
  )
  return apply(x, v)


def max_pool(x: chex.Array, stride: int = 1) -> chex.Array:
  """Take the maximum over 3x3 windows, padded by one pixel of -inf.

  Args:
    x: `[N, H, W, C]`.
    stride: step of the window.

  Returns:
    `[N, (H - 1) // stride + 1, (W - 1) // stride + 1, C]`.
  """

  @jax.custom_vjp
  def apply(x):
    rows, _ = _winners(x, 2, stride)
    return _winners(rows, 1, stride)[0]

  apply.defvjp(
    lambda x: (apply(x), x), lambda x, ct: (_route(x, ct, stride, True),)
  )
  return apply(x)


def _valid_pixels(size, stride):
  """Return how many pixels of the image each window holds, along one axis."""
  counts = np.convolve(np.ones(size), np.ones(_SIZE))[1:-1]
  return counts[::stride]


@jax.custom_vjp
def _sum_windows(x):
  """Sum over 3x3 windows with stride 1; linear and its own transpose."""
  num, height, width, channels = x.shape
  # Rows of pixels as vectors, and sums that XLA does not merge: each is one
  # vectorised pass. Fused, every number would be picked by tests of its place.
  rows = x.reshape(num, height, width * channels)
  pads = ((0, 0), (1, 1), (channels, channels))
  rows = lax.optimization_barrier(jnp.pad(rows, pads))
  size = width * channels
  rows = sum(rows[:, :, i * channels :][:, :, :size] for i in range(_SIZE))
  rows = lax.optimization_barrier(rows)
  rows = sum(rows[:, i : i + height] for i in range(_SIZE))
  return rows.reshape(x.shape)


_sum_windows.defvjp(
  lambda x: (_sum_windows(x), None), lambda _, ct: (_sum_windows(ct),)
)


def avg_pool(x: chex.Array, stride: int = 1) -> chex.Array:
  """Average over the valid pixels of 3x3 windows, padding not counted.

  Args:
    x: `[N, H, W, C]`.
    stride: step of the window.

  Returns:
    `[N, (H - 1) // stride + 1, (W - 1) // stride + 1, C]`.
  """
  height, width = x.shape[1:3]
  counts = (
    _valid_pixels(height, stride)[:, None, None]
    * _valid_pixels(width, stride)[:, None]
  )
  if stride == 1:
    total = _sum_windows(x)
  else:
    total = sum(_windows(sum(_windows(x, 2, stride, 0)), 1, stride, 0))
  return total * jnp.asarray(1 / counts, x.dtype)[None]
