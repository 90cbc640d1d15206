"""Labelled images as arrays: the user's own, their splits, and the digits.

A split has a purpose and keeps to it: 'train' and 'valid' steer a search,
'test' is only reported. The names are the user's; `split` makes them disjoint.

The digits are the test set of E. Alpaydin, "Optical Recognition of Handwritten
Digits", UCI, 1998, as embedded in scikit-learn: real images by 13 writers,
and nothing to download.
archive.ics.uci.edu/ml/datasets/Optical+Recognition+of+Handwritten+Digits
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nasjax.data import checks

DIGITS_TEST_SIZE = 397


class Dataset(NamedTuple):
  """Labelled images on the host, with what it takes to normalise them."""

  images: np.ndarray  # u8 or f32 [N, H, W, C]
  labels: np.ndarray  # i32[N], below num_classes
  num_classes: int  # of the task, also where this part lacks a class
  mean: np.ndarray  # f32[C] mean of a channel, u8 counted from 0 to 1
  std: np.ndarray  # f32[C] standard deviation of a channel, likewise


def from_numpy(
  images: Any,
  labels: Any,
  num_classes: int | None = None,
  mean: Sequence[float] | None = None,
  std: Sequence[float] | None = None,
) -> Dataset:
  """Check the user's own images and labels and return them as a data set.

  Args:
    images: `[N, H, W, C]` or `[N, H, W]`; integers from 0 to 255, or floats in
      any unit.
    labels: `int[N]`.
    num_classes: number of classes, by default the largest label plus one.
    mean: `[C]` mean of a channel that is subtracted before a network sees the
      images, integers counted from 0 to 1. By default that of these images: of
      a validation or test part, pass the values of the training part.
    std: `[C]` standard deviation, likewise.

  Returns:
    The data set, with images as u8 or f32.

  Raises:
    ValueError: if the arrays do not fit each other or what is said above.
  """
  images = checks.as_images(images)
  labels, num_classes = checks.as_labels(labels, len(images), num_classes)
  if mean is None or std is None:
    measured = checks.statistics(images)
    mean = measured[0] if mean is None else mean
    std = measured[1] if std is None else std
  channels = images.shape[-1]
  return Dataset(
    images=images,
    labels=labels,
    num_classes=num_classes,
    mean=checks.as_channels('mean', mean, channels),
    std=checks.as_channels('std', std, channels),
  )


def take(dataset: Dataset, rows: np.ndarray) -> Dataset:
  """Return the images of some rows, `int[M]`, all else unchanged."""
  return dataset._replace(
    images=dataset.images[rows], labels=dataset.labels[rows]
  )


def merge(datasets: Sequence[Dataset]) -> Dataset:
  """Return all images of several parts, with the statistics of the first.

  Args:
    datasets: parts of one data set.

  Returns:
    The data set.

  Raises:
    ValueError: if the parts differ in image shape or number of classes.
  """
  shapes = {(part.images.shape[1:], part.num_classes) for part in datasets}
  if len(shapes) != 1:
    raise ValueError(
      'Expected parts of one image shape and number of classes, got '
      f'{sorted(shapes)}.'
    )
  return datasets[0]._replace(
    images=np.concatenate([part.images for part in datasets]),
    labels=np.concatenate([part.labels for part in datasets]),
  )


def _boundaries(sizes, total):
  """Return the row at which every part ends."""
  values = list(sizes.values())
  if not values:
    raise ValueError("Expected the size of a part or more, e.g. {'train': .5}.")
  if all(isinstance(size, float) for size in values):
    ends = np.rint(np.cumsum(values) * total).astype(int)
  elif all(isinstance(size, (int, np.integer)) for size in values):
    ends = np.cumsum(values)
  else:
    raise ValueError(
      f'Sizes must be all integers or all fractions, got {dict(sizes)}.'
    )
  if np.diff(ends, prepend=0).min() <= 0:
    raise ValueError(
      f'No part may be empty, got {dict(sizes)} of {total} images.'
    )
  if ends[-1] > total:
    raise ValueError(
      f'The parts {dict(sizes)} need {ends[-1]} images, there are {total}.'
    )
  return ends


def split(
  dataset: Dataset,
  sizes: Mapping[str, int | float],
  seed: int = 0,
  stratified: bool = True,
  keep_statistics: bool = False,
) -> dict[str, Dataset]:
  """Split a data set at random into disjoint named parts.

  Args:
    dataset: the data set.
    sizes: number of images of each part, or its fraction; what the parts do not
      need is left out.
    seed: of the shuffle.
    stratified: whether each part has the class frequencies of the whole, to one
      image a class and boundary.
    keep_statistics: whether the parts keep the mean and std of the data set (as
      for published constants); by default they are measured on the first part
      and given to all, so that no other part leaks into them.

  Returns:
    Dict of the parts, in the order of `sizes`.

  Raises:
    ValueError: if a part is empty, or the parts need more images than there
      are.
  """
  ends = _boundaries(sizes, len(dataset.labels))
  # RandomState: unlike Generator, it promises the same stream for ever.
  order = np.random.RandomState(seed).permutation(len(dataset.labels))
  if stratified:
    # Every class is spread evenly over the rows: any slice has a fair share.
    position = np.empty(len(order))
    for label in np.unique(dataset.labels):
      members = np.flatnonzero(dataset.labels[order] == label)
      position[members] = (np.arange(len(members)) + 0.5) / len(members)
    order = order[np.argsort(position, kind='stable')]
  rows = np.split(order, ends)[:-1]
  parts = {name: take(dataset, r) for name, r in zip(sizes, rows)}
  if keep_statistics:
    return parts
  mean, std = checks.statistics(next(iter(parts.values())).images)
  return {name: p._replace(mean=mean, std=std) for name, p in parts.items()}


def digits(
  sizes: Mapping[str, int | float] | None = None, seed: int = 0
) -> dict[str, Dataset]:
  """Return scikit-learn's 1,797 handwritten digits, `[N, 8, 8, 1]`, in parts.

  The 397 images of 'test' are always the same ones; `sizes` and `seed` divide
  the other 1,400. The 16 steps of grey are stored as multiples of 15.

  Args:
    sizes: as in `split`, by default 700 images each for 'train' and 'valid'.
    seed: of the shuffle of the 1,400.

  Returns:
    Dict of the parts in `sizes`, and 'test'.

  Raises:
    ValueError: as in `split`, or if `sizes` names 'test'.
  """
  from sklearn import datasets  # takes a second: only those who ask wait

  sizes = {'train': 700, 'valid': 700} if sizes is None else sizes
  if 'test' in sizes:
    raise ValueError(
      f"'test' always has {DIGITS_TEST_SIZE} images: leave it out of sizes."
    )
  raw = datasets.load_digits()
  whole = from_numpy(raw.images.astype(np.int32) * 15, raw.target)
  rest = len(whole.labels) - DIGITS_TEST_SIZE
  fixed = split(whole, {'rest': rest, 'test': DIGITS_TEST_SIZE})
  parts = split(fixed['rest'], sizes, seed)
  first = next(iter(parts.values()))
  test = fixed['test']._replace(mean=first.mean, std=first.std)
  return parts | {'test': test}
