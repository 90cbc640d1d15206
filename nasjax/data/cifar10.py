"""CIFAR-10 from compact files or from tensorflow-datasets.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html. Two protocols divide the 50,000
training images into those that train weights and those that steer the search:

  halves       the first and the second half, as DARTS does
               (https://arxiv.org/abs/1806.09055)
  nasbench201  the published lists of 25,000 images each of X. Dong, Y. Yang,
               "NAS-Bench-201", 2020, https://arxiv.org/abs/2001.00326

Compact files hold the first 20,000 training and the first 1,000 test images,
lossless: planes R - G, G, B - G, of each pixel the difference to its left,
upper and upper left neighbours, all modulo 256. Here the protocols apply to the
images that there are: `halves` gives 10,000 each, `nasbench201` the members of
its lists among the 20,000.
"""

import os
import pathlib
import zipfile

import numpy as np

from nasjax.data import arrays, augment, tfds

PROTOCOLS = ('halves', 'nasbench201')
TRAIN_FILES = ('cifar10_train_1of5.npz', 'cifar10_train_2of5.npz')
TEST_FILE = 'cifar10_test_1000.npz'
SPLIT_FILE = 'nb201_cifar10_split.npz'


def _load(data_dir, name, shapes):
  """Return the arrays of a file, their types and shapes checked."""
  folder = data_dir or os.environ.get('NASJAX_DATA_DIR')
  path = pathlib.Path(folder or '', name)
  if not folder or not path.is_file():
    where = folder or 'no folder: $NASJAX_DATA_DIR is not set'
    raise ValueError(
      f'Expected {name} in data_dir or $NASJAX_DATA_DIR, which hold(s) '
      f'{", ".join((*TRAIN_FILES, TEST_FILE, SPLIT_FILE))}; got {where}. Or '
      'pass tfds_dir, a folder in which tensorflow-datasets has prepared '
      f'cifar10: {tfds.command("cifar10", "DIR")}'
    )
  try:
    with np.load(path, allow_pickle=False) as file:
      loaded = {key: file[key] for key in shapes}
  except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
    raise ValueError(
      f'Cannot read {", ".join(shapes)} in {path}: {error}'
    ) from error
  for key, (dtype, *shape) in shapes.items():
    got = loaded[key]
    fits = got.ndim == len(shape) and all(
      want in (None, have) for want, have in zip(shape, got.shape)
    )
    if got.dtype != dtype or not fits:
      raise ValueError(
        f'{key} in {path} must be {dtype} of shape {tuple(shape)} (None: '
        f'any), got {got.dtype} of shape {got.shape}.'
      )
  return loaded


def decode(delta: np.ndarray) -> np.ndarray:
  """Return the images of a compact file.

  Args:
    delta: `u8[N, 3, 32, 32]`, see the head of this file.

  Returns:
    `u8[N, 32, 32, 3]`.
  """
  planes = np.cumsum(np.cumsum(delta, 2, dtype=np.uint8), 3, dtype=np.uint8)
  planes[:, 0] += planes[:, 1]
  planes[:, 2] += planes[:, 1]
  return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _from_compact(data_dir, names):
  """Return the images of some compact files as one data set."""
  shapes = {'delta': ('u1', None, 3, 32, 32), 'labels': ('u1', None)}
  files = [_load(data_dir, name, shapes) for name in names]
  return arrays.from_numpy(
    np.concatenate([decode(file['delta']) for file in files]),
    np.concatenate([file['labels'] for file in files]),
    10,
    augment.CIFAR10_MEAN,
    augment.CIFAR10_STD,
  )


def _from_tfds(split, tfds_dir):
  """Return a split of the tfds set, in the order of the original files."""
  source = tfds.tfds_source('cifar10', split, tfds_dir)
  examples = [source[i] for i in range(len(source))]
  # tfds shuffles; its ids, train_00000 and so on, count in the old order.
  examples.sort(key=lambda example: example['id'])
  return arrays.from_numpy(
    [example['image'] for example in examples],
    [example['label'] for example in examples],
    10,
    augment.CIFAR10_MEAN,
    augment.CIFAR10_STD,
  )


def read_nasbench201_split(
  num_images: int = 50_000, data_dir: str | os.PathLike[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
  """Return the rows that NAS-Bench-201 trains on and validates on.

  Args:
    num_images: how many training images there are; rows of others are left out.
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    Two sorted `i64[<= 25,000]`, rows of the CIFAR-10 training images in their
    original order, without a common one.

  Raises:
    ValueError: if the file is absent or is not what it should be.
  """
  shapes = {'train': ('u2', 25_000), 'valid': ('u2', 25_000)}
  lists = _load(data_dir, SPLIT_FILE, shapes)
  rows = np.sort(np.concatenate([lists['train'], lists['valid']]))
  if not np.array_equal(rows, np.arange(50_000)):
    raise ValueError(f'{SPLIT_FILE} does not hold each of 50,000 rows once.')
  train, valid = (
    np.sort(lists[name].astype(np.int64)) for name in ('train', 'valid')
  )
  return train[train < num_images], valid[valid < num_images]


def load_cifar10(
  protocol: str = 'halves',
  data_dir: str | os.PathLike[str] | None = None,
  tfds_dir: str | os.PathLike[str] | None = None,
) -> dict[str, arrays.Dataset]:
  """Return CIFAR-10 as 'train' and 'valid', which steer, and 'test'.

  Args:
    protocol: how training images are divided: 'halves' or 'nasbench201'.
    data_dir: folder of the compact files (20,000 training, 1,000 test images),
      by default `$NASJAX_DATA_DIR`.
    tfds_dir: folder in which tensorflow-datasets has prepared cifar10 (all
      50,000 and 10,000 images); where given, only 'nasbench201' reads data_dir,
      for its lists.

  Returns:
    Dict of 'train', 'valid' and 'test', with the constants of DARTS as mean and
    std.

  Raises:
    ValueError: if the protocol is unknown, or a file is absent or not what it
      should be.
  """
  if protocol not in PROTOCOLS:
    raise ValueError(
      f'Unknown protocol {protocol!r}. Known: {", ".join(PROTOCOLS)}.'
    )
  if tfds_dir is None:
    train = _from_compact(data_dir, TRAIN_FILES)
    test = _from_compact(data_dir, [TEST_FILE])
  else:
    train, test = (_from_tfds(name, tfds_dir) for name in ('train', 'test'))
  num_images = len(train.labels)
  if protocol == 'halves':
    rows = np.split(np.arange(num_images), [num_images // 2])
  else:
    rows = read_nasbench201_split(num_images, data_dir)
  return {
    'train': arrays.take(train, rows[0]),
    'valid': arrays.take(train, rows[1]),
    'test': test,
  }
