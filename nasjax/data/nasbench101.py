"""Tables of NAS-Bench-101: cells, and what was measured of them.

C. Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search,
ICML 2019, https://arxiv.org/abs/1902.09635. Energies: P. Bakhtiarifard, C. Igel
and R. Selvan, EC-NAS: Energy Consumption Aware Tabular Benchmarks for Neural
Architecture Search, 2023, https://arxiv.org/abs/2210.06015.

A table need not hold all 423,624 cells: `spaces.nasbench101` has the space of
those that it holds (`cells=`), and finds their rows (`row_of`). A search should
see `*_valid`; `*_test` is for reports.
"""

import csv
import gzip
import os
import pathlib
from typing import NamedTuple

import numpy as np

from nasjax.data import tables

FILE = 'nb101_20k.npz'
ENERGY_FILE = 'nb101_energy_4310.csv.gz'
OPERATIONS = ('conv3x3-bn-relu', 'conv1x1-bn-relu', 'maxpool3x3')
LABELS = (*OPERATIONS, 'input', 'output')
NUM_VERTICES = 7
MAX_EDGES = 9
PADDING = 255

_COLUMNS, _ROWS = np.tril_indices(NUM_VERTICES, -1)  # edges column by column
_MEASURES = {
  'val_acc': ('valid', 100),
  'test_acc': ('test', 100),
  'train_acc': ('train', 100),
  'train_time_s': ('seconds', 1),
}
_SOURCE = (
  '`python -m experiments.convert --benchmark=nasbench101` makes such a table '
  'of the official files (https://github.com/google-research/nasbench).'
)
_ENERGY_SOURCE = (
  'It is a re-encoding of 7v_data.pt of '
  'https://github.com/raghavian/surrogate-ec-nasbench.'
)


class NasBench101(NamedTuple):
  """Cells of NAS-Bench-101 and what was measured of them."""

  md5: np.ndarray  # u8[N, 16] key of the cell in the official files
  archs: dict[str, np.ndarray]  # 'edge' i32[N, 21], 'op' i32[N, 5]
  columns: dict[str, np.ndarray]  # [N], or [N, R] of R runs


def _archs(path, adjacency, labels, num_vertices):
  """Return cells whose vertices are first, with the output moved to the end."""
  vertex = np.arange(NUM_VERTICES)
  last = num_vertices.astype(int)[:, None] - 1
  inner = vertex[None] < last
  is_edge = np.triu(inner[:, :, None] & (vertex[None] <= last)[:, None], 1)
  expected = np.where(vertex[None] == last, LABELS.index('output'), PADDING)
  expected[:, 0] = LABELS.index('input')
  is_op = inner & (vertex[None] > 0)
  fits = (
    (num_vertices >= 2)
    & (num_vertices <= NUM_VERTICES)
    & np.all(adjacency <= is_edge, (1, 2))
    & (adjacency.sum((1, 2)) <= MAX_EDGES)
    & np.all(np.where(is_op, labels < len(OPERATIONS), labels == expected), 1)
  )
  if not fits.all():
    raise ValueError(
      f'Row {np.argmin(fits)} of {path} is no cell: its adjacency is '
      f'{adjacency[np.argmin(fits)].tolist()}, its operations '
      f'{labels[np.argmin(fits)].tolist()}.'
    )
  matrix = np.where(inner[:, None], adjacency, 0)
  matrix[:, :, -1] = np.take_along_axis(adjacency, last[:, None], 2)[:, :, 0]
  return {
    'edge': matrix[:, _ROWS, _COLUMNS].astype(np.int32),
    'op': np.where(is_op, labels, 0)[:, 1:-1].astype(np.int32),
  }


def _columns(path, arrays, num_rows):
  """Return what was measured, a column for every training."""
  budgets = tables.take(path, arrays, 'budgets', 'int64', (None,)).tolist()
  columns = {}
  for name, (suffix, factor) in _MEASURES.items():
    shape = (num_rows, len(budgets))
    if name in arrays or name == 'val_acc':
      values = tables.take(path, arrays, name, 'float32', shape)
      for i, epochs in enumerate(budgets):
        columns[f'e{epochs}_{suffix}'] = factor * values[:, i]
    if f'{name}_runs' in arrays:
      values = tables.take(
        path, arrays, f'{name}_runs', 'float32', (*shape, None)
      )
      for i, epochs in enumerate(budgets):
        columns[f'e{epochs}_{suffix}_runs'] = factor * values[:, i]
  if 'train_time_s_108' in arrays:
    columns['e108_seconds'] = tables.take(
      path, arrays, 'train_time_s_108', 'float32', (num_rows,)
    )
  columns['trainable_parameters'] = tables.take(
    path, arrays, 'trainable_parameters', 'int32', (num_rows,)
  )
  return columns


def load_nasbench101(
  data_dir: str | os.PathLike[str] | None = None, file: str = FILE
) -> NasBench101:
  """Return a table of NAS-Bench-101.

  Columns are `e4_valid`, `e12_valid`, ...: accuracies in percent after so many
  epochs of training, each budget a training of its own. A table of the official
  files has `*_test`, `*_train` and `*_seconds` of all budgets too, all of them
  means over the runs, and the runs as `*_runs`, `f32[N, 3]`. The sample of
  20,001 cells has one of the runs for validation, and `e108_seconds`.

  Args:
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.
    file: its name; by default that of the sample.

  Returns:
    The table.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Ying et al., NAS-Bench-101, https://arxiv.org/abs/1902.09635.
  """
  path = tables.find(file, data_dir, _SOURCE)
  arrays = tables.read(path)
  md5 = tables.take(path, arrays, 'md5', 'uint8', (None, 16))
  if len(np.unique(md5, axis=0)) != len(md5):
    raise ValueError(f'md5 in {path} must name every cell once.')
  shape = (len(md5), NUM_VERTICES)
  tables.check_names(path, arrays, 'op_names', LABELS)
  archs = _archs(
    path,
    tables.take(path, arrays, 'adjacency', 'uint8', (*shape, NUM_VERTICES)),
    tables.take(path, arrays, 'ops', 'uint8', shape),
    tables.take(path, arrays, 'num_vertices', 'uint8', (len(md5),)),
  )
  columns = _columns(path, arrays, len(md5))
  if arrays:
    raise ValueError(f'Unknown arrays in {path}: {", ".join(sorted(arrays))}.')
  return NasBench101(md5, archs, columns)


def values(table: NasBench101, column: str, scale: float = 1.0) -> np.ndarray:
  """Return a column of a table, a value for each of its rows.

  Args:
    table: the table.
    column: its name.
    scale: a factor, -1 where less is better.

  Returns:
    `f32[N]`; what was not measured is NaN, a query that fails.

  Raises:
    ValueError: if there is no such column of one value a row.
  """
  known = [name for name, row in table.columns.items() if row.ndim == 1]
  if column not in known:
    raise ValueError(
      f'Unknown column {column!r}. Known: {", ".join(sorted(known))}.'
    )
  return np.asarray(scale * table.columns[column], np.float32)


def _parse(row):
  """Return key, adjacency, labels and number of vertices of a line."""
  size = int(row['num_vertices'])
  adjacency = np.zeros((NUM_VERTICES, NUM_VERTICES), np.uint8)
  bits = [int(bit) for bit in row['adjacency_rowmajor']]
  adjacency[:size, :size] = np.reshape(bits, (size, size))
  inner = [int(op) for op in row['ops012']]
  ends = [LABELS.index('input')], [LABELS.index('output')]
  labels = np.full(NUM_VERTICES, PADDING, np.uint8)
  labels[:size] = [*ends[0], *inner, *ends[1]]
  key = np.frombuffer(bytes.fromhex(row['md5']), np.uint8)
  return key, adjacency, labels, size


def load_nasbench101_energy(
  data_dir: str | os.PathLike[str] | None = None,
) -> NasBench101:
  """Return the measured energy of training 4,310 cells of NAS-Bench-101.

  Columns are `e4_energy_kwh`, of 4 epochs on one graphics card;
  `trainable_parameters`; and `e108_valid` in percent, NaN where not known.

  Args:
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    The table.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Bakhtiarifard, Igel and Selvan, EC-NAS, https://arxiv.org/abs/2210.06015.
  """
  path = tables.find(ENERGY_FILE, data_dir, _ENERGY_SOURCE)
  try:
    text = gzip.decompress(pathlib.Path(path).read_bytes()).decode()
    rows = list(csv.DictReader(text.splitlines()))
    cells = [_parse(row) for row in rows]
    md5, adjacency, labels, sizes = map(np.stack, zip(*cells))
    energy = [float(row['energy_kwh_4epochs']) for row in rows]
    params = [int(row['trainable_parameters']) for row in rows]
    valid = [float(row['val108_if_known'] or 'nan') for row in rows]
  except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
    raise ValueError(f'Cannot read {path}: {error!r}') from error
  columns = {
    'e4_energy_kwh': np.array(energy, np.float32),
    'trainable_parameters': np.array(params, np.int32),
    'e108_valid': 100 * np.array(valid, np.float32),
  }
  return NasBench101(md5, _archs(path, adjacency, labels, sizes), columns)
