"""Tests of CIFAR-10: the codec, the checks, and the real images."""

import numpy as np
import pytest

from nasjax import data
from nasjax.data import augment, checks, cifar10


def _encode(images):
  """The inverse of `decode`, written from the description of the format."""
  planes = images.transpose(0, 3, 1, 2).astype(int)
  red, green, blue = planes[:, 0], planes[:, 1], planes[:, 2]
  planes = np.stack([red - green, green, blue - green], 1)
  delta = planes.copy()
  delta[:, :, 1:] -= planes[:, :, :-1]
  delta[:, :, :, 1:] -= planes[:, :, :, :-1]
  delta[:, :, 1:, 1:] += planes[:, :, :-1, :-1]
  return (delta % 256).astype(np.uint8)


def _images(num_images, seed=0):
  random = np.random.RandomState(seed)
  return random.randint(0, 256, (num_images, 32, 32, 3)).astype(np.uint8)


def _write(folder, **changes):
  """Write tiny compact files, some of their arrays replaced."""
  for seed, name in enumerate((*cifar10.TRAIN_FILES, cifar10.TEST_FILE)):
    content = {
      'delta': _encode(_images(4, seed)),
      'labels': np.array([3, 9, 0, seed], np.uint8),
    } | changes
    np.savez(
      folder / name, **{key: x for key, x in content.items() if x is not None}
    )


def test_decoding_inverts_the_format():
  images = _images(3)
  np.testing.assert_array_equal(cifar10.decode(_encode(images)), images)


def test_halves_are_the_first_and_the_second_half_in_order(tmp_path):
  _write(tmp_path)
  parts = data.load_cifar10(data_dir=tmp_path)
  for seed, name in enumerate(('train', 'valid', 'test')):
    np.testing.assert_array_equal(parts[name].images, _images(4, seed))
    np.testing.assert_array_equal(parts[name].labels, [3, 9, 0, seed])
    assert parts[name].num_classes == 10
    np.testing.assert_array_equal(
      parts[name].mean, np.float32(augment.CIFAR10_MEAN)
    )


def test_the_lists_of_nasbench201_divide_the_images_that_there_are(tmp_path):
  _write(tmp_path)
  rows = np.arange(50_000, dtype=np.uint16)[::-1]
  np.savez(tmp_path / cifar10.SPLIT_FILE, train=rows[1::2], valid=rows[::2])
  train, valid = cifar10.read_nasbench201_split(data_dir=tmp_path)
  np.testing.assert_array_equal(train, np.arange(0, 50_000, 2))
  np.testing.assert_array_equal(valid, np.arange(1, 50_000, 2))
  parts = data.load_cifar10('nasbench201', tmp_path)
  np.testing.assert_array_equal(parts['train'].labels, [3, 0, 3, 0])
  np.testing.assert_array_equal(parts['valid'].labels, [9, 0, 9, 1])


def test_lists_that_share_a_row_are_refused(tmp_path):
  rows = np.arange(25_000, dtype=np.uint16)
  np.savez(tmp_path / cifar10.SPLIT_FILE, train=rows, valid=rows)
  with pytest.raises(ValueError, match='each of 50,000 rows once'):
    cifar10.read_nasbench201_split(data_dir=tmp_path)


def test_an_unset_variable_is_explained(monkeypatch):
  monkeypatch.delenv('NASJAX_DATA_DIR', raising=False)
  with pytest.raises(ValueError) as error:
    data.load_cifar10()
  for fragment in (
    'NASJAX_DATA_DIR is not set',
    *cifar10.TRAIN_FILES,
    cifar10.TEST_FILE,
    'tfds_dir',
    'download_and_prepare',
  ):
    assert fragment in str(error.value)


def test_a_folder_without_the_files_is_named(monkeypatch, tmp_path):
  monkeypatch.setenv('NASJAX_DATA_DIR', str(tmp_path))
  with pytest.raises(ValueError, match=f'{cifar10.TRAIN_FILES[0]}.*{tmp_path}'):
    data.load_cifar10()


@pytest.mark.parametrize(
  'changes, message',
  [
    (
      {'delta': np.zeros((4, 32, 32, 3), np.uint8)},
      r'delta in .* must be u1 of shape \(None, 3, 32, 32\).*\(4, 32, 32, 3\)',
    ),
    ({'delta': np.zeros((4, 3, 32, 32))}, 'got float64'),
    ({'labels': np.zeros((3,), np.uint8)}, '8 images and 6 labels'),
    ({'labels': np.full((4,), 10, np.uint8)}, 'between 0 and 9.*10 to 10'),
    ({'labels': None}, 'Cannot read delta, labels in'),
    ({'labels': np.array([None] * 4)}, 'allow_pickle=False'),
  ],
)
def test_files_are_checked_before_use(tmp_path, changes, message):
  _write(tmp_path, **changes)
  with pytest.raises(ValueError, match=message):
    data.load_cifar10(data_dir=tmp_path)


def test_a_damaged_file_is_named(tmp_path):
  _write(tmp_path)
  path = tmp_path / cifar10.TRAIN_FILES[1]
  path.write_bytes(path.read_bytes()[:500])
  with pytest.raises(ValueError, match=f'Cannot read .*{path}'):
    data.load_cifar10(data_dir=tmp_path)


def test_an_unknown_protocol_is_refused():
  with pytest.raises(ValueError, match="'thirds'. Known: halves, nasbench201"):
    data.load_cifar10('thirds')


@pytest.mark.data
def test_the_real_images_are_those_of_the_original(data_dir):
  parts = data.load_cifar10(data_dir=data_dir)
  train, valid = parts['train'], parts['valid']
  assert train.images.shape == valid.images.shape == (10_000, 32, 32, 3)
  assert parts['test'].images.shape == (1_000, 32, 32, 3)
  np.testing.assert_array_equal(
    train.labels[:10], [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
  )
  both = [checks.statistics(p.images) for p in (train, valid)]
  mean = np.mean([m for m, _ in both], 0)
  square = np.mean([m**2 + s**2 for m, s in both], 0)
  np.testing.assert_allclose(mean, augment.CIFAR10_MEAN, atol=0.005)
  np.testing.assert_allclose(
    np.sqrt(square - mean**2), augment.CIFAR10_STD, atol=0.005
  )
  # Natural images are smooth; a wrong codec is noise.
  step = np.abs(np.diff(train.images[:200].astype(int), axis=2)).mean()
  assert step < 15


@pytest.mark.data
def test_the_real_lists_of_nasbench201_are_disjoint_and_balanced(data_dir):
  train, valid = cifar10.read_nasbench201_split(data_dir=data_dir)
  assert len(train) == len(valid) == 25_000
  parts = data.load_cifar10('nasbench201', data_dir)
  sizes = [len(parts[name].labels) for name in ('train', 'valid')]
  assert sizes == [(train < 20_000).sum(), (valid < 20_000).sum()]
  assert sum(sizes) == 20_000
  assert np.bincount(parts['train'].labels).min() > 900
