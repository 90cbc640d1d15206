"""What ladders of children say, against planted numbers."""

import numpy as np

from nasjax.experiment import ladders


def _seed(shift):
  base = np.array([0.5, 0.6, 0.7, 0.65])
  return {
    'arch': ['a', 'b', 'c', f'found {shift}'],
    'macs': np.array([1.0, 2.0, 3.0, 2.0 + shift]),
    'shared': base,
    'alone': base + np.array([0.01, 0.0, -0.02, 0.03]) + shift * 0.01,
  }


def test_a_row_has_the_mean_and_the_deviation_of_the_seeds():
  rows = ladders.table([_seed(0), _seed(2)])
  assert [row['arch'] for row in rows] == ['a', 'b', 'c', 'selected']
  assert [row['macs'] for row in rows] == [1, 2, 3, 3]
  np.testing.assert_allclose(rows[3]['macs_std'], np.sqrt(2))
  np.testing.assert_allclose(rows[0]['alone'], 0.52)
  np.testing.assert_allclose(rows[0]['alone_std'], np.sqrt(2) * 0.01)


def test_differences_are_those_of_pairs():
  of_seeds = [_seed(shift) for shift in (-1, 0, 1)]
  (line,) = ladders.differences(of_seeds, ('shared', 'alone'))
  half = f'{4.302653 / np.sqrt(3):.2f}'  # shifts deviate by one percent
  means = ('1.00', '-2.00', '-0.33', '3.00')
  assert line == ['alone', *(f'{mean} +- {half}' for mean in means)]


def test_one_seed_has_no_interval():
  (line,) = ladders.differences([_seed(0)], ('shared', 'alone'))
  assert line[1] == '1.00 +- nan'
