"""Augmentation of image batches: random crop, flip and cutout.

H. Liu, K. Simonyan, Y. Yang, "DARTS: Differentiable Architecture Search", 2019,
https://arxiv.org/abs/1806.09055, and its code for the constants; cutout is
T. DeVries, G. W. Taylor, "Improved Regularization of Convolutional Neural
Networks with Cutout", 2017, https://arxiv.org/abs/1708.04552.

Each operation is a pure function of the images and of the random numbers, one
row an example; `cifar_augment` draws the numbers. Nothing here asks for the
size of the images: 32, 4 and 16 pixels are CIFAR's, other sizes scale them.
"""

from collections.abc import Callable, Sequence

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Key

CIFAR10_MEAN = (0.49139968, 0.48215827, 0.44653124)
CIFAR10_STD = (0.24703233, 0.24348505, 0.26158768)


def normalise(
  images: jax.Array, mean: Sequence[float], std: Sequence[float]
) -> jax.Array:
  """Return `(images - mean) / std`, with u8 images first divided by 255.

  Args:
    images: u8 or float `[..., C]`.
    mean: `[C]`.
    std: `[C]`.

  Returns:
    `f32[..., C]`.
  """
  scale = 255.0 if images.dtype == jnp.uint8 else 1.0
  shape = (1,) * (images.ndim - 1) + (-1,)
  mean = np.asarray(mean, np.float32).reshape(shape)
  std = np.asarray(std, np.float32).reshape(shape)
  return (images.astype(jnp.float32) / scale - mean) / std


def crop(images: jax.Array, offsets: jax.Array, padding: int) -> jax.Array:
  """Pad the images with zeros and cut out their own size at an offset.

  Args:
    images: `[B, H, W, C]`.
    offsets: `i32[B, 2]`, row and column from 0 to `2 * padding`; `padding`
      leaves an image where it is.
    padding: pixels on each side.

  Returns:
    `[B, H, W, C]`.
  """
  width = ((0, 0), (padding, padding), (padding, padding), (0, 0))
  padded = jnp.pad(images, width)
  return jax.vmap(
    lambda image, offset: lax.dynamic_slice(
      image, (offset[0], offset[1], 0), images.shape[1:]
    )
  )(padded, offsets)


def flip(images: jax.Array, flipped: jax.Array) -> jax.Array:
  """Mirror some images left to right.

  Args:
    images: `[B, H, W, C]`.
    flipped: `bool[B]`, whether to mirror.

  Returns:
    `[B, H, W, C]`.
  """
  return jnp.where(flipped[:, None, None, None], images[:, :, ::-1], images)


def cutout(images: jax.Array, centres: jax.Array, size: int) -> jax.Array:
  """Set a square of each image to zero; what lies outside is clipped.

  The square has rows `centre - size // 2` up to, not including,
  `centre + size // 2`, and columns likewise.

  Args:
    images: `[B, H, W, C]`, normalised: zero is the mean.
    centres: `i32[B, 2]`, row and column.
    size: pixels a side.

  Returns:
    `[B, H, W, C]`.
  """
  _, height, width, _ = images.shape

  def covered(length, centre):
    distance = jnp.arange(length)[None] - centre[:, None]
    return (distance >= -(size // 2)) & (distance < size // 2)

  rows = covered(height, centres[:, 0])[:, :, None, None]
  columns = covered(width, centres[:, 1])[:, None, :, None]
  return jnp.where(rows & columns, 0, images)


def cifar_augment(
  mean: Sequence[float] = CIFAR10_MEAN,
  std: Sequence[float] = CIFAR10_STD,
  padding: int = 4,
  flips: bool = True,
  cutout_size: int = 0,
) -> Callable[[Key, jax.Array], jax.Array]:
  """Return the CIFAR-10 augmentation of DARTS: crop, flip, normalise, cutout.

  Padding is black, before normalisation; cutout is the mean, after it.

  Args:
    mean: `[C]`, subtracted from images that count from 0 to 1.
    std: `[C]`, likewise; of another data set, pass its own two.
    padding: pixels on each side of the random crop; 0 for no crop.
    flips: whether half of the images are mirrored.
    cutout_size: side of the cutout square; 0 for none (search), 16 (training
      of the final network).

  Returns:
    `(key, images) -> f32[B, H, W, C]` of raw images, u8 or float.

  Raises:
    ValueError: if a size is negative or the cutout size is odd.
  """
  if padding < 0 or cutout_size < 0 or cutout_size % 2:
    raise ValueError(
      'Expected padding >= 0 and an even cutout_size >= 0, got '
      f'padding={padding} and cutout_size={cutout_size}.'
    )

  def augment(key, images):
    crop_key, flip_key, cutout_key = jax.random.split(key, 3)
    batch, height, width, _ = images.shape
    if padding:
      offsets = jax.random.randint(crop_key, (batch, 2), 0, 2 * padding + 1)
      images = crop(images, offsets, padding)
    if flips:
      images = flip(images, jax.random.bernoulli(flip_key, 0.5, (batch,)))
    images = normalise(images, mean, std)
    if cutout_size:
      limits = jnp.array([[height, width]])
      centres = jax.random.randint(cutout_key, (batch, 2), 0, limits)
      images = cutout(images, centres, cutout_size)
    return images

  return augment
