"""Tests for the reader of the NAS-Bench-201 table."""

import itertools

import jax
import numpy as np
import pytest

from nasjax.data import tabular
from nasjax.spaces import nasbench201


def _write(folder, **changes):
  """Writes a made-up table whose rows are in a random order."""
  ops = np.array(list(itertools.product(range(5), repeat=6)), np.uint8)
  ops = np.random.default_rng(0).permutation(ops)
  arrays = dict(
    ops=ops,
    op_names=np.array(tabular.OPERATIONS),
    acc=ops.sum(1).astype(np.float32),
  )
  arrays |= changes
  np.savez(folder / tabular.FILE, **arrays)
  return arrays


def test_a_column_is_ordered_as_the_space_counts(tmp_path):
  _write(tmp_path)
  table = tabular.load_nasbench201(tmp_path)
  values = tabular.values_by_index(table, 'acc')
  space = nasbench201.nasbench201()
  cells = jax.vmap(space.index)(np.arange(space.size))
  np.testing.assert_array_equal(values, np.sum(cells['op'], axis=1))
  np.testing.assert_array_equal(
    jax.vmap(nasbench201.cell_index)(cells), np.arange(space.size)
  )
  assert tabular.OPERATIONS == nasbench201.OPERATIONS


def test_an_absent_file_is_named_with_its_source(tmp_path, monkeypatch):
  with pytest.raises(ValueError, match=r'no such file.*D-X-Y/NAS-Bench-201'):
    tabular.load_nasbench201(tmp_path)
  monkeypatch.delenv('NASJAX_DATA_DIR', raising=False)
  with pytest.raises(ValueError, match=r'\$NASJAX_DATA_DIR is not set'):
    tabular.load_nasbench201()


def test_a_wrong_file_is_refused(tmp_path):
  ops = _write(tmp_path)['ops']
  cases = [
    (dict(ops=ops[:-1]), 'ops .* must be uint8 of shape'),
    (dict(ops=np.zeros_like(ops)), 'every cell exactly once'),
    (dict(op_names=np.array(['a'])), 'op_names .* must be'),
    (dict(acc=np.zeros(3)), r'acc .* must be number of shape \(15625\)'),
    (dict(acc=np.array([None])), 'Cannot read'),  # needs pickle
  ]
  for changes, message in cases:
    _write(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
      tabular.load_nasbench201(tmp_path)
  (tmp_path / tabular.FILE).write_bytes(b'not a table')
  with pytest.raises(ValueError, match='Cannot read'):
    tabular.load_nasbench201(tmp_path)


def test_an_unknown_column_is_named_with_the_known(tmp_path):
  _write(tmp_path)
  with pytest.raises(ValueError, match="Unknown column 'a'. Known: acc"):
    tabular.values_by_index(tabular.load_nasbench201(tmp_path), 'a')


@pytest.mark.data
def test_the_real_table_has_its_known_values(data_dir):
  table = tabular.load_nasbench201(data_dir)
  columns = table.columns
  assert len(np.unique(columns['isomorph_id'])) == 6466
  assert table.ops[0].tolist() == [4, 2, 1, 2, 1, 1]
  test = columns['e200_cifar10_test']
  np.testing.assert_allclose(test[0], 85.86, atol=1e-3)
  best = np.argmax(test)
  assert table.ops[best].tolist() == [3, 3, 3, 1, 3, 2]
  np.testing.assert_allclose(test[best], 94.37, atol=1e-3)
  # The validation accuracy of 12 epochs finds another cell as good.
  steered = np.argmax(columns['e12_cifar10_valid'])
  np.testing.assert_allclose(test[steered], 94.37, atol=1e-3)
  assert columns['params_cifar10'][0] == 129_306
  params = jax.vmap(nasbench201.num_params)({'op': table.ops.astype(np.int32)})
  np.testing.assert_array_equal(params, columns['params_cifar10'])
