"""Tests of data sets, their splits and the digits."""

import numpy as np
import pytest

from nasjax import data

_SIZES = {'train': 60, 'valid': 25, 'test': 15}


def _numbered(num_images=100, num_classes=4, seed=0):
  """A data set whose images carry their own number."""
  images = np.arange(num_images, dtype=np.uint8).reshape(-1, 1, 1, 1)
  labels = np.random.RandomState(seed).randint(0, num_classes, num_images)
  labels[:num_classes] = np.arange(num_classes)
  return data.from_numpy(images, labels)


def _numbers(dataset):
  return dataset.images.ravel().tolist()


@pytest.mark.parametrize(
  'given, stored',
  [
    (np.uint8, np.uint8),
    (np.int64, np.uint8),
    (np.float64, np.float32),
    (np.float16, np.float32),
  ],
)
def test_types_become_u8_or_f32_and_labels_i32(given, stored):
  images = np.arange(8).reshape(2, 2, 2).astype(given)
  dataset = data.from_numpy(images, [1, 0])
  assert dataset.images.shape == (2, 2, 2, 1)
  assert dataset.images.dtype == stored
  assert dataset.labels.dtype == np.int32
  np.testing.assert_array_equal(dataset.images[..., 0], images)


def test_the_number_of_classes_is_inferred_or_given():
  images = np.zeros((3, 2, 2, 1))
  assert data.from_numpy(images, [0, 4, 1]).num_classes == 5
  assert data.from_numpy(images, [0, 4, 1], 10).num_classes == 10


def test_given_statistics_are_kept():
  dataset = data.from_numpy(np.zeros((2, 2, 2, 2)), [0, 1], 2, [1, 2], [3, 4])
  np.testing.assert_array_equal(dataset.mean, [1, 2])
  np.testing.assert_array_equal(dataset.std, [3, 4])


@pytest.mark.parametrize('stratified', [True, False])
def test_parts_are_disjoint_and_of_the_asked_sizes(stratified):
  whole = _numbered()
  parts = data.split(whole, _SIZES, stratified=stratified)
  assert {name: len(p.labels) for name, p in parts.items()} == _SIZES
  assert sorted(sum(map(_numbers, parts.values()), [])) == list(range(100))
  for part in parts.values():
    np.testing.assert_array_equal(part.labels, whole.labels[_numbers(part)])
    assert part.num_classes == 4


def test_fractions_are_rounded_and_the_rest_is_left_out():
  parts = data.split(_numbered(10), {'train': 0.5, 'valid': 0.25})
  assert [len(p.labels) for p in parts.values()] == [5, 3]
  parts = data.split(_numbered(10), {'a': 0.7, 'b': 0.2, 'c': 0.1})
  assert [len(p.labels) for p in parts.values()] == [7, 2, 1]


def test_stratified_parts_have_the_class_frequencies_of_the_whole():
  whole = _numbered(250, 5, seed=3)
  frequency = np.bincount(whole.labels) / 250
  parts = data.split(whole, {'a': 100, 'b': 50, 'c': 77})
  for part in parts.values():
    count = np.bincount(part.labels, minlength=5)
    assert np.abs(count - frequency * len(part.labels)).max() <= 1


def test_a_split_depends_on_its_seed_alone():
  whole = _numbered()
  first, same, other = (
    _numbers(data.split(whole, _SIZES, seed)['train']) for seed in (0, 0, 1)
  )
  assert first == same
  assert first != other


def test_statistics_are_those_of_the_first_part_unless_kept():
  whole = _numbered()
  parts = data.split(whole, _SIZES)
  for part in parts.values():
    np.testing.assert_allclose(
      part.mean, parts['train'].images.mean() / 255, rtol=1e-6
    )
  for part in data.split(whole, _SIZES, keep_statistics=True).values():
    np.testing.assert_array_equal(part.mean, whole.mean)


@pytest.mark.parametrize(
  'sizes, message',
  [
    ({}, 'size of a part or more'),
    ({'train': 10, 'valid': 0}, 'No part may be empty'),
    ({'train': -1, 'valid': 5}, 'No part may be empty'),
    ({'train': 0.5, 'valid': 0.001}, 'No part may be empty'),
    ({'train': 60, 'valid': 41}, 'need 101 images, there are 100'),
    ({'train': 0.6, 'valid': 0.5}, 'need 110 images, there are 100'),
    ({'train': 0.6, 'valid': 5}, 'all integers or all fractions'),
  ],
)
def test_bad_sizes_are_named(sizes, message):
  with pytest.raises(ValueError, match=message):
    data.split(_numbered(), sizes)


def test_digits_have_the_stated_parts():
  parts = data.digits()
  assert {name: p.images.shape for name, p in parts.items()} == {
    'train': (700, 8, 8, 1),
    'valid': (700, 8, 8, 1),
    'test': (397, 8, 8, 1),
  }
  rows = np.concatenate([p.images for p in parts.values()]).reshape(1797, -1)
  labels = np.concatenate([p.labels for p in parts.values()])
  # All 1,797, and about 180 a class.
  np.testing.assert_array_equal(
    np.bincount(labels), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
  )
  assert len(np.unique(rows, axis=0)) == 1797
  for part in parts.values():
    assert part.images.dtype == np.uint8
    assert part.num_classes == 10
    np.testing.assert_array_equal(part.mean, parts['train'].mean)


def test_the_test_digits_are_the_same_for_everybody():
  first = data.digits()
  other = data.digits({'train': 0.8, 'valid': 0.1}, seed=5)
  np.testing.assert_array_equal(first['test'].images, other['test'].images)
  np.testing.assert_array_equal(first['test'].labels, other['test'].labels)
  assert [len(other[name].labels) for name in ('train', 'valid')] == [1120, 140]


def test_the_test_digits_cannot_be_resized():
  with pytest.raises(ValueError, match="'test' always has 397 images"):
    data.digits({'train': 100, 'test': 100})
