"""Tests of what is said of supernets: published estimates, and our runs."""

import numpy as np
import pytest
from scipy import stats

from experiments import supernets
from nasjax.data import tabular


@pytest.mark.data
def test_published_estimates_rank_cells_as_they_are_known_to(data_dir):
  # Recomputed from the authors' files, see the head of `supernets`.
  rows = {
    row[0]: row[1:]
    for row in supernets.published(tabular.load_nasbench201(data_dir))
  }
  assert rows['all'][0] == 15625
  np.testing.assert_allclose(
    rows['all'][1:], (0.485, 0.677, 0.551, 0.741), atol=6e-4
  )
  taus = {
    'none': (0.526, 0.719),
    'skip_connect': (0.541, 0.476),
    'nor_conv_1x1': (0.349, 0.479),
    'nor_conv_3x3': (0.183, 0.394),
    'avg_pool_3x3': (0.635, 0.455),
  }
  for name, expected in taus.items():
    assert rows[name][0] == 3125
    np.testing.assert_allclose(rows[name][1::2], expected, atol=6e-4)


@pytest.mark.data
def test_the_first_by_published_estimates_are_as_good_as_known(data_dir):
  # Recomputed from the authors' files.
  rows = supernets.first(tabular.load_nasbench201(data_dir))
  expected = [(10, 91.4, 93.3), (100, 92.9, 93.8), (1000, 93.8, 94.0)]
  np.testing.assert_allclose(rows, expected, atol=0.051)


@pytest.mark.data
def test_evolution_by_the_truth_takes_as_long_as_known(data_dir):
  table = tabular.load_nasbench201(data_dir)
  truth = tabular.values_by_index(table, 'e200_cifar10_test')
  found = supernets.evaluations(truth, truth)
  # Two programs in plain Python, 50 seeds each, gave these means.
  for means in ((17, 47, 95), (18.6, 44.2, 97.6)):
    np.testing.assert_allclose(found.mean(0), means, rtol=0.4)


def _scores(tmp_path, num_runs=3):
  """A folder of scores that follow the accuracy to some degree."""
  rng = np.random.default_rng(0)
  accuracy = rng.normal(size=60)
  columns = {'accuracy': accuracy, 'params': accuracy + rng.normal(size=60)}
  columns['arch.op'] = np.stack([np.arange(60) % 2 + 1] * 6, 1)
  for kind, noise in (('one_shot', 2.0), ('few_shot', 0.5)):
    for r in range(num_runs):
      noisy = accuracy + noise * rng.normal(size=60)
      columns[f'{kind}_{r}_score'] = noisy
      columns[f'{kind}_{r}_raw'] = -noisy  # not what is ranked
  np.savez(tmp_path / 'scores.npz', **columns)
  return columns


def test_runs_are_put_together_and_compared_in_pairs(tmp_path):
  columns = _scores(tmp_path)
  rows = {row[0]: row[1:] for row in supernets.ours(tmp_path)}
  assert list(rows) == ['all', 'skip_connect', 'nor_conv_1x1']
  for name, cells in (
    ('all', slice(None)),
    ('nor_conv_1x1', slice(1, None, 2)),
  ):
    truth = columns['accuracy'][cells]
    taus = {
      kind: np.array(
        [
          stats.kendalltau(columns[f'{kind}_{r}_score'][cells], truth).statistic
          for r in range(3)
        ]
      )
      for kind in ('one_shot', 'few_shot')
    }
    gap = taus['few_shot'] - taus['one_shot']
    half = 4.302653 * gap.std(ddof=1) / np.sqrt(3)  # t of two degrees, 97.5 %
    expected = [len(truth)]
    expected += [stats.kendalltau(columns['params'][cells], truth).statistic]
    for values in taus.values():
      expected += [values.mean(), values.std(ddof=1)]
    np.testing.assert_allclose(rows[name], [*expected, gap.mean(), half], 1e-5)


def test_agreement_is_that_of_all_pairs_of_runs(tmp_path):
  columns = _scores(tmp_path)
  for kind, *numbers in supernets.agreement(tmp_path):
    a, b, c = (columns[f'{kind}_{r}_score'] for r in range(3))
    taus = [stats.kendalltau(*p).statistic for p in ((a, b), (b, c), (a, c))]
    means = sorted(x.mean() for x in (a, b, c))
    expected = (means[0], means[-1], np.mean(taus))
    np.testing.assert_allclose(numbers, expected, 1e-5)


def test_a_folder_without_scores_or_repetition_is_a_value_error(tmp_path):
  with pytest.raises(ValueError, match=r'no scores\.npz'):
    supernets.ours(tmp_path)
  _scores(tmp_path, num_runs=1)
  with pytest.raises(ValueError, match='two runs'):
    supernets.ours(tmp_path)
