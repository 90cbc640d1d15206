"""Tests of the table that comes with the package."""

import numpy as np
import pytest

from nasjax.data import digits_table
from nasjax.spaces import categorical, nasbench201


def test_it_has_every_cell_of_its_space():
  table = digits_table.load()
  space = nasbench201.nasbench201(table.mask)
  assert space.size == digits_table.NUM_CELLS
  for split, total in digits_table.NUM_IMAGES.items():
    assert table.counts[split].dtype == np.uint16
    assert table.counts[split].max() <= total


def test_values_are_shares_of_right_answers_in_percent():
  table = digits_table.load()
  runs = [digits_table.values(table, 'valid', 36, run) for run in range(3)]
  np.testing.assert_allclose(
    digits_table.values(table, 'valid'), np.mean(runs, 0), rtol=1e-5
  )
  np.testing.assert_array_equal(
    np.rint(runs[0] * 7), table.counts['valid'][:, 2, 0]
  )


def test_disconnected_cells_guess_and_convolutions_learn():
  table = digits_table.load()
  number = categorical.numbering(table.mask)
  accuracy = digits_table.values(table, 'test')
  none = int(number({'op': np.array([0, 0, 0, 0, 0, 0])}))
  convolutions = int(number({'op': np.array([3, 3, 3, 3, 3, 3])}))
  assert accuracy[none] < 20 < 70 < accuracy[convolutions]


def test_longer_training_is_better_and_runs_agree():
  table = digits_table.load()
  means = [
    digits_table.values(table, 'valid', steps).mean()
    for steps in digits_table.STEPS
  ]
  assert means[0] < means[1] < means[2]
  a, b = (digits_table.values(table, 'valid', run=run) for run in (0, 1))
  assert np.corrcoef(a, b)[0, 1] > 0.8


@pytest.mark.parametrize(
  'arguments', [('train',), ('valid', 11), ('valid', 36, 3)]
)
def test_an_unknown_column_is_named(arguments):
  with pytest.raises(ValueError, match='must be one of'):
    digits_table.values(digits_table.load(), *arguments)


def test_another_file_is_refused(tmp_path):
  np.savez(tmp_path / 'x.npz', valid=np.zeros((5, 3, 3), np.uint16))
  with pytest.raises(ValueError, match='valid in .* must be counts'):
    digits_table.load(tmp_path / 'x.npz')
