"""Slow loops in numpy that say what fast code must compute."""

import itertools

import numpy as np


def convolution(x, kernel, stride, dilation, padding):
  """Images `[N, H, W, C]` with a kernel `[kh, kw, C, F]`, zeros outside."""
  num, height, width, _ = x.shape
  kh, kw, _, features = kernel.shape
  (top, bottom), (left, right) = padding
  rows = (height + top + bottom - dilation * (kh - 1) - 1) // stride + 1
  columns = (width + left + right - dilation * (kw - 1) - 1) // stride + 1
  out = np.zeros((num, rows, columns, features))
  for i, j, a, b in itertools.product(*map(range, (rows, columns, kh, kw))):
    row = i * stride + a * dilation - top
    column = j * stride + b * dilation - left
    if 0 <= row < height and 0 <= column < width:
      for n, f in itertools.product(range(num), range(features)):
        out[n, i, j, f] += np.dot(x[n, row, column], kernel[a, b, :, f])
  return out


def same_padding(kernel, dilation):
  """The symmetric padding that keeps the size of an image at stride 1."""
  return tuple((dilation * (k - 1) // 2,) * 2 for k in kernel.shape[:2])


def depthwise(x, kernel, stride, dilation):
  """Every channel convolved alone, with its kernel of `[kh, kw, C]`."""
  padding = same_padding(kernel, dilation)
  return np.concatenate(
    [
      convolution(
        x[..., c : c + 1],
        kernel[:, :, c : c + 1, None],
        stride,
        dilation,
        padding,
      )
      for c in range(x.shape[-1])
    ],
    axis=-1,
  )


def windows(x, stride):
  """Yield the index of every 3x3 window and its pixels, row by row."""
  num, height, width, channels = x.shape
  rows, columns = (height - 1) // stride + 1, (width - 1) // stride + 1
  shape = (num, rows, columns, channels)
  for n, i, j, c in itertools.product(*map(range, shape)):
    pixels = [
      (n, i * stride + a, j * stride + b, c)
      for a, b in itertools.product((-1, 0, 1), (-1, 0, 1))
      if 0 <= i * stride + a < height and 0 <= j * stride + b < width
    ]
    yield (n, i, j, c), pixels


def _pooled(x, stride):
  shape = ((size - 1) // stride + 1 for size in x.shape[1:3])
  return np.zeros((x.shape[0], *shape, x.shape[3]))


def max_pool(x, stride):
  """The largest pixel of every window."""
  out = _pooled(x, stride)
  for index, pixels in windows(x, stride):
    out[index] = max(x[pixel] for pixel in pixels)
  return out


def max_pool_gradient(x, g, stride):
  """Cotangents `g` at the first largest pixel of every window."""
  out = np.zeros_like(x)
  for index, pixels in windows(x, stride):
    values = [x[pixel] for pixel in pixels]
    out[pixels[values.index(max(values))]] += g[index]
  return out


def avg_pool(x, stride):
  """The mean over the pixels of every window that lie in the image."""
  out = _pooled(x, stride)
  for index, pixels in windows(x, stride):
    out[index] = sum(x[pixel] for pixel in pixels) / len(pixels)
  return out


def batch_norm(x, epsilon=1e-5):
  """Channels less their mean, over their deviation."""
  out = np.empty_like(x)
  for c in range(x.shape[-1]):
    values = x[..., c].ravel().tolist()
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    out[..., c] = (x[..., c] - mean) / (variance + epsilon) ** 0.5
  return out
