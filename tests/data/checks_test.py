"""Tests that what does not fit is refused, in words that help."""

import numpy as np
import pytest

from nasjax import data
from nasjax.data import checks

_IMAGES = np.zeros((6, 5, 4, 3), np.uint8)
_LABELS = np.array([0, 1, 2, 0, 1, 2])


def _with(array, value, dtype):
  array = array.astype(dtype)
  array.flat[0] = value
  return array


@pytest.mark.parametrize(
  'images, labels, options, message',
  [
    (_IMAGES[0, 0], _LABELS, {}, r'shape \[N, H, W, C\].*got \(4, 3\)'),
    (_IMAGES[None], _LABELS, {}, r'got \(1, 6, 5, 4, 3\)'),
    (_IMAGES[:0], _LABELS[:0], {}, r'not be empty, got shape \(0, 5, 4, 3\)'),
    (_IMAGES[:, :0], _LABELS, {}, r'not be empty, got shape \(6, 0, 4, 3\)'),
    ([_IMAGES[0], _IMAGES[0, :2]], _LABELS, {}, 'one common shape'),
    (np.zeros((6, 3, 8, 8)), _LABELS, {}, r'channels last.*moveaxis'),
    (_with(_IMAGES, np.nan, float), _LABELS, {}, 'finite, got NaN or inf'),
    (_with(_IMAGES, -np.inf, float), _LABELS, {}, 'finite, got NaN or inf'),
    (_IMAGES.astype(complex), _LABELS, {}, 'got dtype complex128'),
    (_IMAGES.astype(bool), _LABELS, {}, 'got dtype bool'),
    (_IMAGES.astype(str), _LABELS, {}, 'got dtype <U'),
    (_with(_IMAGES, 256, int), _LABELS, {}, 'values from 0 to 256'),
    (_with(_IMAGES, -1, int), _LABELS, {}, 'values from -1 to 0'),
    (_IMAGES, _LABELS[:5], {}, '6 images and 5 labels'),
    (_IMAGES, np.eye(6), {}, r'got \(6, 6\).*argmax'),
    (_IMAGES, _LABELS.astype(float), {}, 'integers, got dtype float64'),
    (_IMAGES, _LABELS - 1, {}, 'between 0 and 1, got values from -1 to 1'),
    (_IMAGES, _LABELS, {'num_classes': 2}, 'between 0 and 1.*from 0 to 2'),
    (_IMAGES, _LABELS * 0, {}, 'at least 2 classes, got 1'),
    (_IMAGES, _LABELS, {'mean': [0.5]}, '3 finite values of mean.*got'),
    (_IMAGES, _LABELS, {'std': [1, 1, np.nan]}, '3 finite values of std'),
    (_IMAGES, _LABELS, {'std': [1, 0, 1]}, 'std must be positive'),
  ],
)
def test_bad_arrays_are_named(images, labels, options, message):
  with pytest.raises(ValueError, match=message):
    data.from_numpy(images, labels, **options)


def test_statistics_are_those_of_all_pixels_across_blocks():
  images = np.random.RandomState(0).randint(0, 256, (2100, 3, 2, 3), np.uint8)
  mean, std = checks.statistics(images)
  pixels = images.reshape(-1, 3) / 255.0
  np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-6)
  np.testing.assert_allclose(std, pixels.std(0), rtol=1e-6)


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_a_constant_channel_can_be_divided_by(dtype):
  mean, std = checks.statistics(np.full((4, 2, 2, 1), 51, dtype))
  np.testing.assert_allclose(
    mean, 0.2 if dtype == np.uint8 else 51.0, rtol=1e-6
  )
  np.testing.assert_array_equal(std, 1.0)
