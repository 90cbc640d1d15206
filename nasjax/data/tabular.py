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

import numpy as np

from nasjax.data import tables

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
  ' and of the projects that publish its accuracies. `python -m '
  'experiments.convert --benchmark=nats` makes one of the files of NATS-Bench.'
)


class NasBench201(NamedTuple):
  """The cells of NAS-Bench-201 and what was measured of them."""

  ops: np.ndarray  # u8[15625, 6] operation of every edge, official row order
  columns: dict[str, np.ndarray]  # of [15625], see `load_nasbench201`


def _rows(ops):
  """Return the base-5 number of every cell, the first edge most significant."""
  places = len(OPERATIONS) ** np.arange(NUM_EDGES)[::-1]
  return ops.astype(np.int64) @ places


def check_cells(
  path: pathlib.Path, arrays: dict[str, np.ndarray]
) -> NasBench201:
  """Return arrays as a table of every cell once.

  Args:
    path: of their file, for errors.
    arrays: `ops` and columns.

  Returns:
    The table.

  Raises:
    ValueError: if they are no such table.
  """
  columns = dict(arrays)
  ops = tables.take(path, columns, 'ops', 'uint8', (NUM_CELLS, NUM_EDGES))
  if not np.array_equal(np.sort(_rows(ops)), np.arange(NUM_CELLS)):
    raise ValueError(f'ops in {path} must hold every cell exactly once.')
  for name in list(columns):
    columns[name] = tables.take(path, columns, name, 'number', (NUM_CELLS,))
  return NasBench201(ops, columns)


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
  path = tables.find(FILE, data_dir, _SOURCE)
  arrays = tables.read(path)
  tables.check_names(path, arrays, 'op_names', OPERATIONS)
  return check_cells(path, arrays)


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
  values = np.empty(NUM_CELLS, np.float32)
  values[_rows(table.ops)] = tables.column(table.columns, column)
  return values
