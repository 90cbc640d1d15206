"""Tests for the readers of NAS-Bench-101 tables."""

import gzip

import numpy as np
import pytest

from nasjax.data import nasbench101
from nasjax.spaces import nasbench101 as space

_HEAD = (
  'md5,num_vertices,adjacency_rowmajor,ops012,energy_kwh_4epochs,'
  'trainable_parameters,val108_if_known\n'
)


def _write(folder, **changes):
  """Writes a made-up table of two cells: a chain of 3 vertices, and of 7."""
  adjacency = np.zeros((2, 7, 7), np.uint8)
  adjacency[0, [0, 1], [1, 2]] = 1
  adjacency[1, range(6), range(1, 7)] = 1
  arrays = dict(
    md5=np.arange(32, dtype=np.uint8).reshape(2, 16),
    num_vertices=np.array([3, 7], np.uint8),
    adjacency=adjacency,
    ops=np.array([[3, 2, 4] + 4 * [255], [3, 0, 1, 2, 1, 0, 4]], np.uint8),
    op_names=np.array(nasbench101.LABELS),
    budgets=np.array([4, 108]),
    val_acc=np.array([[0.5, 0.75], [0.25, 1]], np.float32),
    trainable_parameters=np.array([5, 6], np.int32),
  )
  arrays |= changes
  arrays = {name: leaf for name, leaf in arrays.items() if leaf is not None}
  np.savez(folder / nasbench101.FILE, **arrays)
  return arrays


def test_cells_are_read_as_the_space_writes_them(tmp_path):
  _write(tmp_path)
  table = nasbench101.load_nasbench101(tmp_path)
  used = [
    [space.EDGES[i] for i in np.flatnonzero(edge)]
    for edge in table.archs['edge']
  ]
  assert used[0] == [(0, 1), (1, 6)]
  assert used[1] == [(v, v + 1) for v in range(6)]
  assert table.archs['op'].tolist() == [[2, 0, 0, 0, 0], [0, 1, 2, 1, 0]]
  assert nasbench101.OPERATIONS == space.OPERATIONS
  np.testing.assert_array_equal(table.columns['e4_valid'], [50, 25])
  np.testing.assert_array_equal(table.columns['e108_valid'], [75, 100])
  np.testing.assert_array_equal(table.columns['trainable_parameters'], [5, 6])


def test_a_column_is_found_by_its_name(tmp_path):
  _write(tmp_path)
  table = nasbench101.load_nasbench101(tmp_path)
  assert nasbench101.values(table, 'e108_valid').tolist() == [75, 100]
  with pytest.raises(ValueError, match="'e108_test'. Known: e108_valid, e4_"):
    nasbench101.values(table, 'e108_test')


def test_runs_and_other_measures_are_read_where_they_are(tmp_path):
  runs = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
  _write(
    tmp_path,
    test_acc_runs=runs / 100,
    train_time_s=runs[..., 0],
    train_time_s_runs=runs,
  )
  columns = nasbench101.load_nasbench101(tmp_path).columns
  np.testing.assert_allclose(columns['e108_test_runs'], runs[:, 1])
  np.testing.assert_array_equal(columns['e4_seconds'], [0, 6])
  np.testing.assert_array_equal(columns['e108_seconds_runs'], runs[:, 1])
  assert 'e4_test' not in columns


def test_a_wrong_table_is_refused(tmp_path):
  arrays = _write(tmp_path)
  twice = np.zeros((2, 16), np.uint8)
  below, beyond, ops = (
    arrays[name].copy() for name in ('adjacency', 'adjacency', 'ops')
  )
  below[1, 3, 2] = 1
  beyond[0, 0, 4] = 1
  ops[0, 1] = 4
  full = np.triu(np.ones((2, 7, 7), np.uint8), 1)
  cases = [
    (dict(md5=None), 'md5 .* must be uint8 of shape'),
    (dict(md5=twice), 'name every cell once'),
    (dict(adjacency=below), 'Row 1 .* is no cell'),
    (dict(adjacency=beyond), 'Row 0 .* is no cell'),
    (dict(adjacency=full, num_vertices=np.array([7, 7], np.uint8)), 'Row 0'),
    (dict(ops=ops), 'Row 0 .* is no cell'),
    (dict(num_vertices=np.array([3, 8], np.uint8)), 'Row 1 .* is no cell'),
    (dict(op_names=np.array(['conv'])), 'op_names .* must be'),
    (dict(val_acc=np.zeros((2, 3), np.float32)), 'val_acc .* must be'),
    (dict(accuracy=np.zeros(2)), 'Unknown arrays .*: accuracy'),
  ]
  for changes, message in cases:
    _write(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
      nasbench101.load_nasbench101(tmp_path)


def test_an_absent_file_is_named_with_how_to_make_it(tmp_path):
  with pytest.raises(ValueError, match='convert --benchmark=nasbench101'):
    nasbench101.load_nasbench101(tmp_path)
  with pytest.raises(ValueError, match='surrogate-ec-nasbench'):
    nasbench101.load_nasbench101_energy(tmp_path)


def _write_energy(folder, text):
  path = folder / nasbench101.ENERGY_FILE
  path.write_bytes(gzip.compress(text.encode()))


def test_energies_are_read_with_their_cells(tmp_path):
  key = 'ab' * 16
  _write_energy(tmp_path, f'{_HEAD}{key},3,010001000,2,0.5,7,\n')
  table = nasbench101.load_nasbench101_energy(tmp_path)
  assert table.md5.tolist() == [[0xAB] * 16]
  assert space.EDGES.index((1, 6)) in np.flatnonzero(table.archs['edge'][0])
  assert table.archs['op'].tolist() == [[2, 0, 0, 0, 0]]
  assert table.columns['e4_energy_kwh'].tolist() == [0.5]
  assert np.isnan(table.columns['e108_valid']).all()


@pytest.mark.parametrize(
  'line',
  ['ab,3,010001000,2,0.5,7,', f'{"ab" * 16},3,0100,2,0.5,7,', 'a,b', ''],
)
def test_a_wrong_file_of_energies_is_refused(tmp_path, line):
  _write_energy(tmp_path, f'{_HEAD}{"cd" * 16},3,010001000,2,0.5,7,\n{line}\n')
  if line:
    with pytest.raises(ValueError, match='Cannot read'):
      nasbench101.load_nasbench101_energy(tmp_path)
  (tmp_path / nasbench101.ENERGY_FILE).write_bytes(b'no gzip')
  with pytest.raises(ValueError, match='Cannot read'):
    nasbench101.load_nasbench101_energy(tmp_path)


@pytest.mark.data
def test_the_real_tables_have_their_known_values(data_dir):
  table = nasbench101.load_nasbench101(data_dir)
  assert len(table.md5) == 20_001
  assert table.archs['op'][0].tolist() == [0, 2, 0, 0, 1]
  assert table.columns['trainable_parameters'][0] == 8_555_530
  # 9,984 validation images: every accuracy is a whole number of them.
  images = table.columns['e108_valid'] * 99.84
  np.testing.assert_allclose(images, np.rint(images), atol=2e-3)
  energies = nasbench101.load_nasbench101_energy(data_dir)
  assert len(energies.md5) == 4_310
  rows = {key.tobytes(): i for i, key in enumerate(table.md5)}
  known = [i for i, key in enumerate(energies.md5) if key.tobytes() in rows]
  same = [rows[energies.md5[i].tobytes()] for i in known]
  assert len(known) > 100
  for name in ('trainable_parameters', 'e108_valid'):
    np.testing.assert_allclose(
      energies.columns[name][known], table.columns[name][same], rtol=1e-6
    )
