"""A benchmark that comes with the package: 4,096 cells trained on digits.

Every cell of NAS-Bench-201's space without average pooling, in a network of 4
channels and one cell a stage, trained three times on scikit-learn's digits by
`configs/score_table_digits.py` (which says how). Small enough to ship, large
enough to search: what quick configs and tests of search quality look up.

It is a table of our own and says nothing of CIFAR-10.
"""

import os
import pathlib
from typing import NamedTuple

import numpy as np

PATH = pathlib.Path(__file__).with_name('digits_table.npz')
STEPS = (4, 12, 36)  # of the training, where it was looked at
NUM_RUNS = 3
NUM_IMAGES = {'valid': 700, 'test': 397}
MASK = {'op': np.arange(30).reshape(6, 5) % 5 < 4}  # all but avg_pool_3x3
NUM_CELLS = 4**6


class DigitsTable(NamedTuple):
  """What was measured of every cell, in the order of the space."""

  counts: dict[str, np.ndarray]  # u2[4096, 3 looks, 3 runs] right answers
  mask: dict[str, np.ndarray]  # bool[6, 5] of the space


def load(path: str | os.PathLike[str] | None = None) -> DigitsTable:
  """Return the table.

  Example:
    >>> table = load()
    >>> space = nasbench201.nasbench201(table.mask)
    >>> estimator = tabular.tabular(
    ...   categorical.numbering(table.mask), values(table, 'valid')
    ... )

  Args:
    path: of another table of the same form; by default that of the package.

  Returns:
    The table.

  Raises:
    ValueError: if the file is not such a table.
  """
  path = pathlib.Path(path or PATH)
  with np.load(path, allow_pickle=False) as file:
    counts = {name: file[name] for name in file.files}
  shape = (NUM_CELLS, len(STEPS), NUM_RUNS)
  for name, total in NUM_IMAGES.items():
    found = counts.get(name)
    if found is None or found.shape != shape or found.max() > total:
      raise ValueError(
        f'{name} in {path} must be counts of up to {total} of shape {shape}, '
        f'got {None if found is None else found.shape}.'
      )
  return DigitsTable(counts, MASK)


def values(
  table: DigitsTable,
  split: str,
  steps: int = STEPS[-1],
  run: int | None = None,
) -> np.ndarray:
  """Return an accuracy of every cell, in the order of the space.

  Args:
    table: from `load`.
    split: 'valid', which is to steer searches, or 'test', to be reported.
    steps: when it was measured, one of `STEPS`.
    run: which training; the mean of all by default.

  Returns:
    `f32[4096]`, in percent.

  Raises:
    ValueError: if there is no such column.
  """
  known = {'split': tuple(NUM_IMAGES), 'steps': STEPS}
  known['run'] = (None, *range(NUM_RUNS))
  for name, value in (('split', split), ('steps', steps), ('run', run)):
    if value not in known[name]:
      raise ValueError(f'{name} must be one of {known[name]}, got {value!r}.')
  counts = table.counts[split][:, STEPS.index(steps)]
  counts = counts.mean(1) if run is None else counts[:, run]
  return (100 * counts / NUM_IMAGES[split]).astype(np.float32)
