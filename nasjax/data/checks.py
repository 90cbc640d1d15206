"""What arrays must be like to become a data set, each said in one error."""

from collections.abc import Sequence
from typing import Any

import numpy as np

_BLOCK = 1024  # images converted to float64 at a time


def as_images(images: Any) -> np.ndarray:
  """Return images as u8 or f32 `[N, H, W, C]`.

  Args:
    images: `[N, H, W, C]` or `[N, H, W]`; integers from 0 to 255, or floats.

  Returns:
    u8 for integers, f32 for floats, with a channel axis.

  Raises:
    ValueError: for any other shape, type or value.
  """
  try:
    images = np.asarray(images)
  except ValueError as error:
    raise ValueError(f'Images must have one common shape: {error}.') from error
  if images.ndim not in (3, 4):
    raise ValueError(
      'Images must have shape [N, H, W, C], or [N, H, W] for one channel, '
      f'got {images.shape}.'
    )
  if 0 in images.shape:
    raise ValueError(f'Images must not be empty, got shape {images.shape}.')
  images = images if images.ndim == 4 else images[..., None]
  _, height, width, channels = images.shape
  if height in (1, 3) and width == channels and width > 4:
    raise ValueError(
      'Images must have the channels last, [N, H, W, C], got '
      f'{images.shape}: use numpy.moveaxis(images, 1, -1).'
    )
  if np.issubdtype(images.dtype, np.floating):
    if not np.isfinite(images).all():
      raise ValueError('Images must be finite, got NaN or inf.')
    return images.astype(np.float32)
  if not np.issubdtype(images.dtype, np.integer):
    raise ValueError(
      'Images must be integers from 0 to 255 or floats, got dtype '
      f'{images.dtype}.'
    )
  if images.min() < 0 or images.max() > 255:
    raise ValueError(
      'Integer images must lie between 0 and 255, got values from '
      f'{images.min()} to {images.max()}.'
    )
  return images.astype(np.uint8)


def as_labels(
  labels: Any, num_images: int, num_classes: int | None
) -> tuple[np.ndarray, int]:
  """Return labels as i32 `[N]`, and the number of classes.

  Args:
    labels: `int[N]`.
    num_images: N.
    num_classes: bound of the labels; None for the largest one plus one.

  Returns:
    The labels and the number of classes.

  Raises:
    ValueError: for any other shape, type or value.
  """
  labels = np.asarray(labels)
  if labels.ndim != 1:
    raise ValueError(
      f'Labels must have shape [N], one integer an image, got {labels.shape}'
      '; of one-hot labels take the argmax.'
    )
  if len(labels) != num_images:
    raise ValueError(
      f'Expected one label an image, got {num_images} images and '
      f'{len(labels)} labels.'
    )
  if not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(f'Labels must be integers, got dtype {labels.dtype}.')
  least, largest = int(labels.min()), int(labels.max())
  num_classes = largest + 1 if num_classes is None else num_classes
  if num_classes < 2:
    raise ValueError(
      f'Expected at least 2 classes, got {num_classes}; pass num_classes '
      'where these labels are not all there are.'
    )
  if least < 0 or largest >= num_classes:
    raise ValueError(
      f'Labels must lie between 0 and {num_classes - 1}, got values from '
      f'{least} to {largest}.'
    )
  return labels.astype(np.int32), int(num_classes)


def statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Return the mean and standard deviation of every channel.

  Args:
    images: u8 or float `[N, H, W, C]`; u8 counts from 0 to 1.

  Returns:
    `f32[C]` each; a constant channel has standard deviation 1, so that it
    can be divided by.
  """
  scale = 255.0 if images.dtype == np.uint8 else 1.0
  blocks = [images[i : i + _BLOCK] for i in range(0, len(images), _BLOCK)]
  count = images[..., 0].size
  # In blocks, because float64 copies of all images may not fit.
  mean = sum(b.sum((0, 1, 2), dtype=np.float64) for b in blocks) / count
  variance = sum(np.square(b - mean).sum((0, 1, 2)) for b in blocks) / count
  std = np.where(variance > 0, np.sqrt(variance), scale)
  return np.float32(mean / scale), np.float32(std / scale)


def as_channels(
  name: str, values: Sequence[float], num_channels: int
) -> np.ndarray:
  """Return the mean or the std of every channel as f32 `[C]`.

  Args:
    name: 'mean', or 'std' where values must be positive.
    values: `[C]`.
    num_channels: C.

  Returns:
    The values.

  Raises:
    ValueError: if there is not one finite value a channel.
  """
  values = np.asarray(values, np.float32)
  if values.shape != (num_channels,) or not np.isfinite(values).all():
    raise ValueError(
      f'Expected {num_channels} finite values of {name}, one a channel, '
      f'got {values.tolist()}.'
    )
  if name == 'std' and (values <= 0).any():
    raise ValueError(f'std must be positive, got {values.tolist()}.')
  return values
