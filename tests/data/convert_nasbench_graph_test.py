"""The conversion of NAS-Bench-Graph's files."""

import pickle

import numpy as np
import pytest

from nasjax.data import convert_nasbench_graph, nasbench_graph


def _save(folder, numbers, **changes):
  for place, graph in enumerate(nasbench_graph.GRAPHS):
    table = {
      number: dict(
        valid_perf=0.5 + number / 10**6,
        perf=0.25,
        latency=0.01,
        para=np.float64(place),
      )
      for number in changes.get(graph, numbers)
    }
    path = folder / f'{graph}.bench'
    path.write_bytes(pickle.dumps(table, protocol=3))


def test_files_become_a_table_that_the_reader_takes(tmp_path, monkeypatch):
  _save(tmp_path, [80_123, 1_117], arxiv=[1_117, 80_123])
  output = tmp_path / nasbench_graph.FILE
  assert convert_nasbench_graph.convert(tmp_path, output) == 2
  monkeypatch.setattr(nasbench_graph, 'NUM_ROWS', 2)
  table = nasbench_graph.load_nasbench_graph(tmp_path)
  np.testing.assert_array_equal(table.archs['link'], [[0], [8]])
  np.testing.assert_array_equal(table.archs['op'], [[1, 1, 1, 7], [0, 1, 2, 3]])
  for graph in ('cora', 'arxiv'):
    values = nasbench_graph.values(table, f'{graph}_valid')
    np.testing.assert_allclose(values[:2], [50.1117, 58.0123], rtol=1e-5)
  np.testing.assert_allclose(table.columns['citeseer_params_M'][:2], 1)
  np.testing.assert_allclose(table.columns['photo_test'][:2], 25)


def test_files_that_are_no_such_table_are_refused(tmp_path):
  output = tmp_path / 'table.npz'
  with pytest.raises(ValueError, match='cora.bench: no such file'):
    convert_nasbench_graph.convert(tmp_path, output)
  _save(tmp_path, [1, 2], photo=[1, 3])
  with pytest.raises(ValueError, match='photo.bench .* of other networks'):
    convert_nasbench_graph.convert(tmp_path, output)
  with pytest.raises(ValueError, match='ends in .npz'):
    convert_nasbench_graph.convert(tmp_path, tmp_path / 'table')
  for content, message in (({1: {'perf': 1}}, 'no such table'), (eval, 'eval')):
    (tmp_path / 'cora.bench').write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=message):
      convert_nasbench_graph.convert(tmp_path, output)
