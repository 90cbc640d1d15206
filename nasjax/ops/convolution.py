"""Convolution whose gradients keep their speed inside loops.

On CPU, XLA's gradients of a convolution are 20 to 60 times slower inside
`lax.scan` and `lax.map` than outside. There the input gradient is written as a
forward convolution with the flipped kernel and the kernel gradient as one
matrix product a kernel row; other platforms use XLA's own. Forward, input and
kernel gradient are bilinear and close under differentiation.
"""

import chex
import jax
from jax import lax
import jax.numpy as jnp

Padding = tuple[tuple[int, int], tuple[int, int]]


def _forward(x, kernel, stride, dilation, padding):
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    padding,
    rhs_dilation=(dilation, dilation),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _native_gradient(wrt, x, kernel, g, static):
  """XLA's own gradient with respect to the input (0) or the kernel (1)."""
  operands = (x, kernel)
  return jax.vjp(lambda *args: _forward(*args, *static), *operands)[1](g)[wrt]


def _flipped_convolution(g, kernel, size, stride, dilation, padding):
  """Input gradient: convolve the dilated cotangent with the flipped kernel."""
  kernel = kernel[::-1, ::-1].swapaxes(2, 3)
  pads = []
  for axis in range(2):
    reach = dilation * (kernel.shape[axis] - 1)
    low = reach - padding[axis][0]
    spread = (g.shape[1 + axis] - 1) * stride + 1
    pads.append((low, size[axis] - spread - low + reach))
  if stride > 1:
    inner = (0, 0, stride - 1)
    g = lax.pad(g, jnp.zeros((), g.dtype), ((0, 0, 0), inner, inner, (0, 0, 0)))
  return _forward(g, kernel, 1, dilation, pads)


def _row_products(x, g, kernel_shape, stride, dilation, padding):
  """Kernel gradient: one matrix product a kernel row."""
  kh, kw = kernel_shape
  _, out_h, out_w, features = g.shape
  x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
  width = stride * (out_w - 1) + 1 + dilation * (kw - 1)
  if stride > 1:
    g = lax.pad(
      g,
      jnp.zeros((), g.dtype),
      ((0, 0, 0), (0, 0, 0), (0, 0, stride - 1), (0, 0, 0)),
    )
  # Shifting the cotangent, not the input, lets one product serve a whole row.
  shifted = jnp.concatenate(
    [
      jnp.pad(
        g,
        (
          (0, 0),
          (0, 0),
          (j * dilation, width - g.shape[2] - j * dilation),
          (0, 0),
        ),
      )
      for j in range(kw)
    ],
    axis=-1,
  )
  rows = []
  for i in range(kh):
    top = i * dilation
    row = x[:, top : top + stride * (out_h - 1) + 1 : stride, :width]
    rows.append(jnp.einsum('nhwi,nhwo->io', row, shifted))
  return jnp.stack(rows).reshape(kh, -1, kw, features).swapaxes(1, 2)


def _patch_products(x, g, kernel_shape, stride, dilation, padding):
  """Kernel gradients of many cotangents `[R, ...]`: one matrix product.

  The taps of the image are laid out once for all of them.
  """
  kh, kw = kernel_shape
  _, _, out_h, out_w, features = g.shape
  x = jnp.pad(x, ((0, 0), *padding, (0, 0)))

  def tap(i, j):
    top, left = i * dilation, j * dilation
    return x[
      :,
      top : top + stride * (out_h - 1) + 1 : stride,
      left : left + stride * (out_w - 1) + 1 : stride,
    ]

  taps = [tap(i, j) for i in range(kh) for j in range(kw)]
  patches = jnp.concatenate(taps, axis=-1).reshape(-1, kh * kw * x.shape[-1])
  columns = g.reshape(len(g), -1, features)
  products = jnp.einsum('mk,rmo->rko', patches, columns)
  return products.reshape(-1, kh, kw, x.shape[-1], features)


def _kernel_products(x, g, shape, static):
  """Kernel gradient on CPU; cotangents under `vmap` share their image."""

  @jax.custom_batching.custom_vmap
  def apply(x, g):
    return _row_products(x, g, shape, *static)

  @apply.def_vmap
  def _(axis_size, is_batched, x, g):
    del axis_size
    if is_batched == [False, True]:
      return _patch_products(x, g, shape, *static), True
    axes = [0 if batched else None for batched in is_batched]
    rows = lambda x, g: _row_products(x, g, shape, *static)
    return jax.vmap(rows, axes)(x, g), True

  return apply(x, g)


def _convolve(x, kernel, static):

  @jax.custom_vjp
  def apply(x, kernel):
    return _forward(x, kernel, *static)

  def backward(residuals, g):
    x, kernel = residuals
    return (
      _input_gradient(g, kernel, x.shape, static),
      _kernel_gradient(x, g, kernel.shape, static),
    )

  apply.defvjp(lambda x, k: (apply(x, k), (x, k)), backward)
  return apply(x, kernel)


def _input_gradient(g, kernel, shape, static):

  @jax.custom_vjp
  def apply(g, kernel):
    return lax.platform_dependent(
      g,
      kernel,
      cpu=lambda g, k: _flipped_convolution(g, k, shape[1:3], *static),
      default=lambda g, k: _native_gradient(
        0, jnp.zeros(shape, g.dtype), k, g, static
      ),
    )

  def backward(residuals, ct):
    g, kernel = residuals
    return (
      _convolve(ct, kernel, static),
      _kernel_gradient(ct, g, kernel.shape, static),
    )

  apply.defvjp(lambda g, k: (apply(g, k), (g, k)), backward)
  return apply(g, kernel)


def _kernel_gradient(x, g, shape, static):

  @jax.custom_vjp
  def apply(x, g):
    return lax.platform_dependent(
      x,
      g,
      cpu=lambda x, g: _kernel_products(x, g, shape[:2], static),
      default=lambda x, g: _native_gradient(
        1, x, jnp.zeros(shape, x.dtype), g, static
      ),
    )

  def backward(residuals, ct):
    x, g = residuals
    return (_input_gradient(g, ct, x.shape, static), _convolve(x, ct, static))

  apply.defvjp(lambda x, g: (apply(x, g), (x, g)), backward)
  return apply(x, g)


def convolution(
  x: chex.Array,
  kernel: chex.Array,
  stride: int = 1,
  dilation: int = 1,
  padding: Padding | None = None,
) -> chex.Array:
  """Convolve images.

  Args:
    x: `[N, H, W, C]`.
    kernel: `[kh, kw, C, F]`.
    stride: step of the window along both axes.
    dilation: distance of the kernel's taps.
    padding: pixels added `((top, bottom), (left, right))`; symmetric
      `dilation * (k - 1) / 2` by default, as in the official code of the
      papers (XLA's 'SAME' differs at stride 2).

  Returns:
    `[N, H', W', F]`.
  """
  chex.assert_rank([x, kernel], 4)
  chex.assert_equal(x.shape[-1], kernel.shape[2])
  if kernel.shape[:2] == (1, 1) and padding is None:
    return pointwise(x[:, ::stride, ::stride], kernel[0, 0])
  if padding is None:
    padding = tuple((dilation * (k - 1) // 2,) * 2 for k in kernel.shape[:2])
  return _convolve(x, kernel, (stride, dilation, padding))


def pointwise(x: chex.Array, kernel: chex.Array) -> chex.Array:
  """Mix channels: `[..., C] x [C, F] -> [..., F]`, a matrix product."""
  rows = x.reshape(-1, x.shape[-1]) @ kernel
  return rows.reshape(*x.shape[:-1], kernel.shape[-1])
