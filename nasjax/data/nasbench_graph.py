"""The table of NAS-Bench-Graph: networks on nine graphs, trained and measured.

Y. Qin, Z. Zhang, X. Wang, Z. Zhang and W. Zhu, NAS-Bench-Graph: Benchmarking
Graph Neural Architecture Search, 2022, https://arxiv.org/abs/2206.09166.

`nas_bench_graph.npz` is a re-encoding of the authors' files, made by
`convert_nasbench_graph`. A search should see `*_valid`; `*_test` is for
reports. The ninth graph, proteins, has a space of its own and is left out.
"""

import os
from typing import NamedTuple

import numpy as np

from nasjax.data import tables

FILE = 'nas_bench_graph.npz'
NUM_ROWS = 26_206
GRAPHS = (
  'cora',
  'citeseer',
  'pubmed',
  'cs',
  'physics',
  'photo',
  'computers',
  'arxiv',
)
OPERATIONS = (
  'gat',
  'gcn',
  'gin',
  'cheb',
  'sage',
  'arma',
  'graph',
  'fc',
  'skip',
)
MEASURES = ('valid', 'test', 'latency_s', 'params_M')
_SOURCE = (
  '`python -m experiments.convert --benchmark=nasbench_graph` makes it of the '
  'light files of https://github.com/THUMNLab/NAS-Bench-Graph.'
)


class NasBenchGraph(NamedTuple):
  """The networks of NAS-Bench-Graph and what was measured of them."""

  archs: dict[str, np.ndarray]  # 'link' i32[N, 1], 'op' i32[N, 4]
  columns: dict[str, np.ndarray]  # f32[N + 1], see `load_nasbench_graph`


def load_nasbench_graph(
  data_dir: str | os.PathLike[str] | None = None,
) -> NasBenchGraph:
  """Return the table of NAS-Bench-Graph.

  Columns are `cora_valid`, `cora_test` (percent), `cora_latency_s`,
  `cora_params_M`, and likewise of the other GRAPHS. A last row, of NaN, stands
  for the network of skip connections alone, which was not trained.

  Args:
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    The table.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Qin et al., NAS-Bench-Graph, https://arxiv.org/abs/2206.09166.
  """
  path = tables.find(FILE, data_dir, _SOURCE)
  arrays = tables.read(path)
  tables.check_names(path, arrays, 'op_names', OPERATIONS)
  tables.check_names(path, arrays, 'columns', MEASURES)
  link = tables.take(path, arrays, 'link', 'uint8', (NUM_ROWS,))
  ops = tables.take(path, arrays, 'ops', 'uint8', (NUM_ROWS, 4))
  columns = {}
  for graph in GRAPHS:
    shape = (NUM_ROWS, len(MEASURES))
    measured = tables.take(path, arrays, graph, 'float32', shape)
    measured = np.pad(measured, ((0, 1), (0, 0)), constant_values=np.nan)
    for name, column in zip(MEASURES, measured.T):
      scale = 100 if name in ('valid', 'test') else 1
      columns[f'{graph}_{name}'] = scale * column
  archs = {'link': link[:, None].astype('i4'), 'op': ops.astype('i4')}
  return NasBenchGraph(archs, columns)


def values(table: NasBenchGraph, column: str) -> np.ndarray:
  """Return a column of the table, `f32[N + 1]`.

  Args:
    table: the table.
    column: its name.

  Returns:
    Its values, the last one NaN.

  Raises:
    ValueError: if there is no such column.
  """
  return tables.column(table.columns, column)
