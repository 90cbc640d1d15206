"""The table of NAS-Bench-201: every cell of the space, trained and measured.

X. Dong and Y. Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search, ICLR 2020, https://arxiv.org/abs/2001.00326.

`nb201_table.npz` is a re-encoding of public results into columns of 15,625
rows, in the order of the official benchmark. A search should see `e12_*_valid`
(validation accuracy of the 12-epoch training); `e200_*` and `*_test` are for
reports.
"""

import os
import pathlib
from typing import NamedTuple
import zipfile

import numpy as np

FILE = 'nb201_table.npz'
NUM_CELLS = 15_625
NUM_EDGES = 6
OPERATIONS = (
  'none',
  'skip_connect',
  'nor_conv_1x1',
  'nor_conv_3x3',
  'avg_pool_3x3',
)
_SOURCE = (
  'It holds `ops` (u8[15625, 6]), `op_names` and one vector a measurement of '
  'the public tables of NAS-Bench-201 (https://github.com/D-X-Y/NAS-Bench-201)'
  ' and of the projects that publish its accuracies.'
)


class NasBench201(NamedTuple):
  """The cells of NAS-Bench-201 and what was measured of them."""

  ops: np.ndarray  # u8[15625, 6] operation of every edge, official row order
  columns: dict[str, np.ndarray]  # of [15625], see `load_nasbench201`


def _rows(ops):
  """Return the base-5 number of every cell, the first edge most significant."""
  places = len(OPERATIONS) ** np.arange(NUM_EDGES)[::-1]
  return ops.astype(np.int64) @ places


def _check(path, arrays):
  """Raise unless the arrays are the table of every cell once."""
  ops, names = arrays.pop('ops', None), arrays.pop('op_names', None)
  if ops is None or ops.shape != (NUM_CELLS, NUM_EDGES) or ops.dtype != 'u1':
    raise ValueError(
      f'ops in {path} must be uint8 of shape {(NUM_CELLS, NUM_EDGES)}, got '
      f'{None if ops is None else (ops.dtype, ops.shape)}.'
    )
  if names is None or tuple(names.tolist()) != OPERATIONS:
    raise ValueError(f'op_names in {path} must be {OPERATIONS}, got {names}.')
  if not np.array_equal(np.sort(_rows(ops)), np.arange(NUM_CELLS)):
    raise ValueError(f'ops in {path} must hold every cell exactly once.')
  for name, column in arrays.items():
    if column.shape != (NUM_CELLS,) or column.dtype.kind not in 'fiu':
      raise ValueError(
        f'{name} in {path} must be {NUM_CELLS} numbers, got {column.dtype} '
        f'of shape {column.shape}.'
      )
  return NasBench201(ops, arrays)


def load_nasbench201(
  data_dir: str | os.PathLike[str] | None = None,
) -> NasBench201:
  """Return the table of NAS-Bench-201.

  Accuracies are in percent. `e12` and `e200` are trainings of 12 and of 200
  epochs, `1run` is one training instead of a mean. `params_cifar10` counts
  weights, `flops_cifar10_M` is in millions, `isomorph_id` numbers the 6,466
  classes of cells that compute the same function.

  Args:
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    The table, about 1.3 MB.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Dong and Yang, NAS-Bench-201, https://arxiv.org/abs/2001.00326.
  """
  folder = data_dir or os.environ.get('NASJAX_DATA_DIR')
  if not folder:
    raise ValueError(
      f'Expected a data_dir with {FILE}, but $NASJAX_DATA_DIR is not set '
      f'either. {_SOURCE}'
    )
  path = pathlib.Path(folder, FILE)
  if not path.is_file():
    raise ValueError(f'Expected {FILE} in {folder}: no such file. {_SOURCE}')
  try:
    with np.load(path, allow_pickle=False) as file:
      arrays = {name: file[name] for name in file.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise ValueError(f'Cannot read {path}: {error}') from error
  return _check(path, arrays)


def values_by_index(table: NasBench201, column: str) -> np.ndarray:
  """Return a column in the order in which the space numbers its cells.

  Row `sum_e 5^(5 - e) op_e` is the cell with operation `op_e` on edge e, as
  `spaces.nasbench201.cell_index` counts: what `estimators.tabular` looks up.

  Args:
    table: the table.
    column: name of the column.

  Returns:
    `f32[15625]`.

  Raises:
    ValueError: if there is no such column.
  """
  if column not in table.columns:
    known = ', '.join(sorted(table.columns))
    raise ValueError(f'Unknown column {column!r}. Known: {known}.')
  values = np.empty(NUM_CELLS, np.float32)
  values[_rows(table.ops)] = table.columns[column]
  return values
