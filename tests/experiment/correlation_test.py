"""Tests of rank correlations, precision and their intervals."""

import itertools

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np
from scipy import stats

from nasjax import ranking
from nasjax.experiment import correlation


def _normal(seed, num, rho):
  """Two normal samples with correlation rho."""
  generator = np.random.RandomState(seed)
  x, noise = generator.randn(2, num)
  return x, rho * x + np.sqrt(1 - rho**2) * noise


class CorrelationTest(parameterized.TestCase):
  def test_measures_are_those_of_scipy_with_ties(self):
    generator = np.random.RandomState(0)
    scores, values = generator.randint(0, 12, (2, 200)).astype(float)
    values = values + scores
    found = correlation.measure(scores, values)
    np.testing.assert_allclose(
      [found['tau'], found['rho']],
      [
        stats.kendalltau(scores, values).statistic,
        stats.spearmanr(scores, values).statistic,
      ],
    )

  def test_precision_without_ties_is_that_of_ranking(self):
    scores, values = _normal(1, 97, 0.7)
    self.assertAlmostEqual(
      correlation.precision(scores, values, 0.1),
      float(ranking.precision_at_k(jnp.array(scores), jnp.array(values), 10)),
      places=6,
    )

  def test_precision_with_ties_is_its_expectation(self):
    scores = np.array([2.0, 1.0, 1.0, 1.0, -np.inf, np.nan])
    values = np.array([3.0, 5.0, 3.0, 1.0, 3.0, 0.0])
    order = list(itertools.permutations(range(6)))

    def best(column, places):
      column = correlation.finite_or_worst(column)
      return set(sorted(range(6), key=lambda i: (-column[i], places[i]))[:3])

    rows = [[best(c, p) for p in order] for c in (scores, values)]
    # Ties of the two columns are broken independently of each other.
    expected = np.mean([len(a & b) / 3 for a in rows[0][::7] for b in rows[1]])
    found = correlation.precision(scores, values, 0.5)
    self.assertAlmostEqual(found, expected, delta=0.01)

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_a_failure_ranks_last_and_is_not_dropped(self, failure):
    scores, values = _normal(2, 50, 0.5)
    failed = np.where(values > 1.0, failure, scores)
    worst = np.where(values > 1.0, scores.min() - 1, scores)
    self.assertEqual(
      correlation.measure(failed, values), correlation.measure(worst, values)
    )
    self.assertLess(
      correlation.measure(failed, values)['tau'],
      correlation.measure(scores, values)['tau'],
    )
    row = correlation.table({'a': failed}, {'b': values})[0]
    self.assertEqual(row['failures'], np.sum(values > 1.0))
    self.assertEqual(row['num'], 50)

  def test_a_constant_score_has_no_correlation_and_chance_precision(self):
    found = correlation.table({'a': np.full(40, 2.0)}, {'b': np.arange(40.0)})
    row = found[0]
    self.assertTrue(
      np.isnan([row['tau'], row['rho_low'], row['rho_high']]).all()
    )
    self.assertAlmostEqual(row['precision'], 0.1)

  def test_intervals_cover_the_truth_as_often_as_they_say(self):
    rho, options = 0.6, correlation.Options(num_resamples=80)
    truth = 2 / np.pi * np.arcsin(rho)
    covered = []
    for seed in range(40):
      low, high = correlation.interval(*_normal(seed, 80, rho), options)['tau']
      covered.append(low <= truth <= high)
    self.assertBetween(np.mean(covered), 0.84, 1.0)

  def test_fewer_rows_a_resample_give_intervals_as_wide(self):
    x, y = _normal(3, 1500, 0.6)
    widths = []
    for max_rows in (1500, 200):
      options = correlation.Options(num_resamples=150, max_rows=max_rows)
      bounds = correlation.interval(x, y, options)
      widths.append([high - low for low, high in bounds.values()])
    np.testing.assert_allclose(*widths, rtol=0.35)
    whole = correlation.measure(x, y)['tau']
    self.assertBetween(whole, *bounds['tau'])

  def test_intervals_repeat_with_their_seed(self):
    x, y = _normal(4, 30, 0.3)
    options = correlation.Options(num_resamples=20)
    first = correlation.interval(x, y, options)
    self.assertEqual(first, correlation.interval(x, y, options))
    other = correlation.interval(x, y, options._replace(seed=1))
    self.assertNotEqual(first, other)

  def test_the_caption_says_what_was_resampled(self):
    text = correlation.caption(15_625, 'all 15,625')
    for word in ('all 15,625', 'best 1,563 (10%)', 'of 2,000 architectures'):
      self.assertIn(word, text)
    self.assertNotIn('architectures each', correlation.caption(200, 'few'))

  def test_accuracies_that_are_missing_are_an_error(self):
    values = np.array([1.0, np.nan, 2.0])
    with self.assertRaisesRegex(ValueError, 'acc has no number for 1 '):
      correlation.table({'a': np.arange(3.0)}, {'acc': values})
    with self.assertRaisesRegex(ValueError, 'a has 4 scores, acc 3 values'):
      correlation.table({'a': np.arange(4.0)}, {'acc': np.arange(3.0)})


if __name__ == '__main__':
  absltest.main()
