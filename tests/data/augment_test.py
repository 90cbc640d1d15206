"""Tests of augmentation against loops over pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import data
from nasjax.data import augment

_SHAPE = (6, 7, 5, 2)
_RANDOM = np.random.RandomState(0)
_IMAGES = _RANDOM.randint(1, 256, _SHAPE).astype(np.uint8)


def _slow_crop(images, offsets, padding):
  result = np.zeros_like(images)
  for b, row, column, c in np.ndindex(images.shape):
    y = row + offsets[b, 0] - padding
    x = column + offsets[b, 1] - padding
    if 0 <= y < images.shape[1] and 0 <= x < images.shape[2]:
      result[b, row, column, c] = images[b, y, x, c]
  return result


def _slow_cutout(images, centres, size):
  result = images.copy()
  _, height, width, _ = images.shape
  for image, (y, x) in zip(result, centres):
    top, bottom = np.clip([y - size // 2, y + size // 2], 0, height)
    left, right = np.clip([x - size // 2, x + size // 2], 0, width)
    image[top:bottom, left:right] = 0
  return result


@pytest.mark.parametrize('padding', [1, 3])
def test_crop_equals_a_loop_over_pixels(padding):
  offsets = _RANDOM.randint(0, 2 * padding + 1, (6, 2))
  offsets[:3] = [[0, 0], [2 * padding] * 2, [padding] * 2]
  result = jax.jit(augment.crop, static_argnums=2)(_IMAGES, offsets, padding)
  assert result.dtype == jnp.uint8
  np.testing.assert_array_equal(result, _slow_crop(_IMAGES, offsets, padding))
  np.testing.assert_array_equal(result[2], _IMAGES[2])


def test_flip_mirrors_the_flagged_images_only():
  flags = np.array([True, False, True, True, False, False])
  result = augment.flip(jnp.asarray(_IMAGES), flags)
  for image, flag, flipped in zip(_IMAGES, flags, result):
    expected = np.stack([row[::-1] for row in image]) if flag else image
    np.testing.assert_array_equal(flipped, expected)


@pytest.mark.parametrize('size', [2, 4, 12])
def test_cutout_equals_a_loop_over_images(size):
  images = _RANDOM.randn(*_SHAPE).astype(np.float32)
  centres = np.stack(
    [_RANDOM.randint(0, 7, 6), _RANDOM.randint(0, 5, 6)], axis=1
  )
  centres[0] = 0
  result = jax.jit(augment.cutout, static_argnums=2)(images, centres, size)
  np.testing.assert_array_equal(result, _slow_cutout(images, centres, size))


def test_cutout_covers_its_area_and_a_quarter_of_it_in_the_corner():
  centres = jnp.array([[16, 16], [0, 0], [31, 31]])
  result = augment.cutout(jnp.ones((3, 32, 32, 1)), centres, 16)
  covered = np.sum(np.asarray(result) == 0, (1, 2, 3))
  np.testing.assert_array_equal(covered, [256, 64, 81])


@pytest.mark.parametrize('dtype, unit', [(np.uint8, 255.0), (np.float32, 1.0)])
def test_normalise_counts_u8_from_zero_to_one(dtype, unit):
  images = _IMAGES.astype(dtype)
  result = augment.normalise(jnp.asarray(images), (0.5, 1.0), (2.0, 4.0))
  assert result.dtype == jnp.float32
  expected = (images / unit - [0.5, 1.0]) / [2.0, 4.0]
  np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_cifar_augment_without_options_only_normalises():
  apply = data.cifar_augment((0.5, 1.0), (2.0, 4.0), padding=0, flips=False)
  np.testing.assert_array_equal(
    apply(jax.random.key(0), jnp.asarray(_IMAGES)),
    augment.normalise(jnp.asarray(_IMAGES), (0.5, 1.0), (2.0, 4.0)),
  )


def test_cifar_augment_gives_every_shift_and_flip_of_the_image():
  image = np.arange(1, 17, dtype=np.uint8).reshape(1, 4, 4, 1)
  apply = data.cifar_augment((0.0,), (1.0,), padding=1)
  result = jax.jit(apply)(jax.random.key(0), jnp.repeat(image, 400, axis=0))
  seen = {tuple(x) for x in np.rint(result * 255).astype(int).reshape(400, 16)}
  expected = set()
  for y in range(3):
    for x in range(3):
      shifted = _slow_crop(image, np.array([[y, x]]), 1)
      expected |= {tuple(shifted.ravel()), tuple(shifted[:, :, ::-1].ravel())}
  assert seen == expected


def test_cutout_is_the_mean_and_padding_is_black():
  apply = data.cifar_augment(
    (0.25,), (0.5,), padding=2, flips=False, cutout_size=4
  )
  white = jnp.full((64, 8, 8, 1), 255, jnp.uint8)
  values = np.unique(apply(jax.random.key(1), white))
  np.testing.assert_allclose(values, [-0.5, 0, 1.5], atol=1e-6)


def test_cutout_reaches_every_pixel_of_a_tall_image():
  apply = data.cifar_augment(
    (0.0,), (1.0,), padding=0, flips=False, cutout_size=2
  )
  result = apply(jax.random.key(2), jnp.ones((400, 9, 3, 1)))
  assert np.all(np.any(np.asarray(result) == 0, axis=0))


def test_examples_are_augmented_independently_and_by_their_key():
  images = jnp.repeat(_IMAGES[:1], 8, axis=0)
  apply = jax.jit(data.cifar_augment((0, 0), (1, 1), cutout_size=2))
  first, same, other = (apply(jax.random.key(k), images) for k in (0, 0, 1))
  np.testing.assert_array_equal(first, same)
  assert np.any(np.asarray(first) != np.asarray(other))
  assert len(np.unique(np.reshape(first, (8, -1)), axis=0)) > 4


@pytest.mark.parametrize(
  'options', [{'padding': -1}, {'cutout_size': -2}, {'cutout_size': 15}]
)
def test_bad_sizes_are_refused(options):
  with pytest.raises(ValueError, match='even cutout_size >= 0, got'):
    data.cifar_augment(**options)
