"""Depthwise convolution as a sum of shifted products.

XLA's grouped convolution is 40 to 60 times slower than this on CPU, and its
gradients are slower still inside loops. The three maps here (forward, input
gradient, kernel gradient) are bilinear and each one's gradients are the others,
so derivatives of any order stay in the fast form. Other platforms use XLA's own
grouped convolution and its derivatives.
"""

import functools

import chex
import jax
from jax import lax
import jax.numpy as jnp

from nasjax.ops import channels

_KERNEL_SLABS = 8


def _windows(x, kernel_shape, stride, dilation, slabs):
  """Return a function of (row, column, slab) that slices a padded input."""
  # The barrier keeps XLA from padding again in every consumer.
  x = lax.optimization_barrier(x)
  out = [
    (x.shape[1 + a] - dilation * (kernel_shape[a] - 1) - 1) // stride + 1
    for a in range(2)
  ]
  step = x.shape[0] // slabs

  def window(i, j, slab):
    top, left = i * dilation, j * dilation
    return lax.slice(
      x,
      (slab * step, top, left, 0),
      (
        (slab + 1) * step,
        top + stride * (out[0] - 1) + 1,
        left + stride * (out[1] - 1) + 1,
        x.shape[3],
      ),
      (1, stride, stride, 1),
    )

  return window


def _forward_shifted(x, kernel, stride, dilation, padding):
  # A product with the identity is not fused: a kernel that is sliced out of a
  # stack would be sliced again in every product below.
  taps = kernel.reshape(-1, kernel.shape[-1])
  kernel = (jnp.eye(len(taps), dtype=x.dtype) @ taps).reshape(kernel.shape)
  x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  window = _windows(x, kernel.shape, stride, dilation, 1)
  return functools.reduce(
    jnp.add,
    [
      window(i, j, 0) * kernel[i, j][None, None, None]
      for i in range(kernel.shape[0])
      for j in range(kernel.shape[1])
    ],
  )


def _forward_native(x, kernel, stride, dilation, padding):
  return lax.conv_general_dilated(
    x,
    kernel[:, :, None],
    (stride, stride),
    padding,
    rhs_dilation=(dilation, dilation),
    feature_group_count=x.shape[-1],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _kernel_gradient_shifted(x, g, kernel_shape, stride, dilation, padding):
  """Sum the products of the cotangent with every window, row by row.

  The rows of the kernel are a loop: unrolled they would be most of the time
  that it takes to compile a cell.
  """
  slabs = channels.num_slabs(len(x), _KERNEL_SLABS)
  height = stride * (g.shape[1] - 1) + 1
  x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  parts = jnp.split(g, slabs)
  # One row a tap: a shared one makes XLA write the taps transposed.
  num_rows = parts[0].size // g.shape[-1]
  ones = jnp.ones((kernel_shape[1], 1, num_rows), x.dtype)

  def row(i):
    rows = lax.dynamic_slice_in_dim(x, i * dilation, height, axis=1)
    window = _windows(rows, (1, kernel_shape[1]), stride, dilation, slabs)
    taps = jnp.stack(
      [
        functools.reduce(
          jnp.add, [window(0, j, s) * parts[s] for s in range(slabs)]
        )
        for j in range(kernel_shape[1])
      ]
    )
    taps = taps.reshape(len(taps), -1, taps.shape[-1])
    return (ones @ taps)[:, 0]

  return lax.map(row, jnp.arange(kernel_shape[0]))


def _kernel_gradient_native(x, g, kernel_shape, stride, dilation, padding):
  forward = lambda kernel: _forward_native(x, kernel, stride, dilation, padding)
  kernel = jnp.zeros((*kernel_shape, x.shape[-1]), x.dtype)
  return jax.vjp(forward, kernel)[1](g)[0]


def _input_gradient(g, kernel, size, stride, dilation, padding):
  """The forward map of the dilated cotangent with the flipped kernel."""
  pads = [(0, 0, 0)] * 4
  for axis in range(2):
    reach = dilation * (kernel.shape[axis] - 1)
    low = reach - padding[axis][0]
    spread = (g.shape[1 + axis] - 1) * stride + 1
    pads[1 + axis] = (low, size[axis] - spread - low + reach, stride - 1)
  g = lax.pad(g, jnp.zeros((), g.dtype), pads)
  return _convolve(g, kernel[::-1, ::-1], 1, dilation, ((0, 0), (0, 0)))


def _convolve(x, kernel, stride, dilation, padding):
  static = (stride, dilation, padding)

  @jax.custom_vjp
  def apply(x, kernel):
    return lax.platform_dependent(
      x,
      kernel,
      cpu=lambda x, k: _forward_shifted(x, k, *static),
      default=lambda x, k: _forward_native(x, k, *static),
    )

  def backward(residuals, g):
    x, kernel = residuals
    return (
      _input_gradient(g, kernel, x.shape[1:3], *static),
      _kernel_gradient(x, g, kernel.shape[:2], *static),
    )

  apply.defvjp(lambda x, k: (apply(x, k), (x, k)), backward)
  return apply(x, kernel)


def _kernel_gradient(x, g, kernel_shape, stride, dilation, padding):
  static = (stride, dilation, padding)

  @jax.custom_vjp
  def apply(x, g):
    return lax.platform_dependent(
      x,
      g,
      cpu=lambda x, g: _kernel_gradient_shifted(x, g, kernel_shape, *static),
      default=lambda x, g: _kernel_gradient_native(x, g, kernel_shape, *static),
    )

  def backward(residuals, ct):
    x, g = residuals
    return (
      _input_gradient(g, ct, x.shape[1:3], *static),
      _convolve(x, ct, *static),
    )

  apply.defvjp(lambda x, g: (apply(x, g), (x, g)), backward)
  return apply(x, g)


def depthwise(
  x: chex.Array, kernel: chex.Array, stride: int = 1, dilation: int = 1
) -> chex.Array:
  """Convolve every channel with a kernel of its own.

  Padding is symmetric, `dilation * (k - 1) / 2`, as in the official code of
  the papers, so odd kernels keep the size at stride 1.

  Args:
    x: `[N, H, W, C]`.
    kernel: `[kh, kw, C]`.
    stride: step of the window along both axes.
    dilation: distance of the kernel's taps.

  Returns:
    `[N, H', W', C]` with `H' = (H - 1) // stride + 1` for odd kernels.
  """
  chex.assert_rank([x, kernel], [4, 3])
  chex.assert_equal(x.shape[-1], kernel.shape[-1])
  padding = tuple((dilation * (k - 1) // 2,) * 2 for k in kernel.shape[:2])
  return _convolve(x, kernel, stride, dilation, padding)
