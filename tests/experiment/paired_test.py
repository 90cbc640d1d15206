"""Statistics of pairs against scipy, and on pairs that are known."""

import numpy as np
import pytest
from scipy import stats

from nasjax.experiment import paired


def test_intervals_and_tests_are_those_of_scipy():
  a, b = np.random.default_rng(0).normal(size=(2, 20))
  found = paired.paired(a, b, 0.1)
  assert found['mean'] == pytest.approx((a - b).mean())
  assert found['p'] == pytest.approx(stats.wilcoxon(a, b).pvalue)
  reference = stats.bootstrap(
    (a - b,), np.mean, method='percentile', rng=np.random.default_rng(1)
  ).confidence_interval
  assert found['low'] == pytest.approx(reference.low, abs=0.05)
  assert found['high'] == pytest.approx(reference.high, abs=0.05)


@pytest.mark.parametrize('shift', [0.0, 0.3, 0.6])
def test_equivalent_are_means_that_two_one_sided_tests_put_in_the_margin(shift):
  noise = np.random.default_rng(2).normal(size=20)
  values = shift + 0.5 * (noise - noise.mean())
  one_sided = [
    stats.ttest_1samp(values, -0.5, alternative='greater').pvalue,
    stats.ttest_1samp(values, 0.5, alternative='less').pvalue,
  ]
  found = paired.paired(values, np.zeros(20), 0.5)
  assert found['equivalent'] == (max(one_sided) < 0.05)


def test_equal_pairs_are_no_difference():
  found = paired.paired(np.ones(4), np.ones(4), 0.01)
  assert found == {
    'mean': 0,
    'low': 0,
    'high': 0,
    'p': 1.0,
    'equivalent': True,
  }
  with pytest.raises(ValueError, match='two pairs'):
    paired.paired(np.ones(1), np.ones(1), 0.01)
