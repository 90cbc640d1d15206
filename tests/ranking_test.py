"""Tests for rank statistics, against scipy and by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax import ranking


def _pairs():
  """Two related scores, with and without ties."""
  rng = np.random.default_rng(0)
  a = rng.normal(size=40)
  b = a + rng.normal(size=40)
  return [
    (np.float32(a), np.float32(b)),
    (np.float32(np.round(a)), np.float32(np.round(b))),
  ]


@pytest.mark.parametrize('pair', [0, 1], ids=['distinct', 'ties'])
def test_rank_correlations_are_those_of_scipy(pair):
  a, b = _pairs()[pair]
  tau = jax.jit(ranking.kendall_tau)(a, b)
  rho = jax.jit(ranking.spearman)(a, b)
  np.testing.assert_allclose(tau, stats.kendalltau(a, b)[0], atol=1e-6)
  np.testing.assert_allclose(rho, stats.spearmanr(a, b)[0], atol=1e-6)
  np.testing.assert_array_equal(ranking.ranks(a), stats.rankdata(a))


def test_what_is_not_finite_shares_the_last_place():
  a = np.float32([3.0, 1.0, 2.0, -5.0])
  with_nan = np.float32([3.0, np.nan, 2.0, np.inf])
  last = np.float32([3.0, -9.0, 2.0, -9.0])
  np.testing.assert_allclose(
    ranking.kendall_tau(a, with_nan), stats.kendalltau(a, last)[0], atol=1e-6
  )
  assert ranking.ranks(with_nan).tolist() == [4.0, 1.5, 3.0, 1.5]


def test_a_constant_score_has_no_rank_correlation():
  a = jnp.arange(4.0)
  assert jnp.isnan(ranking.kendall_tau(a, jnp.zeros(4)))
  assert jnp.isnan(ranking.spearman(a, jnp.zeros(4)))


def test_pairwise_accuracy_is_an_affine_function_of_tau_without_ties():
  a, b = _pairs()[0]
  accuracy = ranking.pairwise_accuracy(a, b)
  np.testing.assert_allclose(
    2 * accuracy - 1, stats.kendalltau(a, b)[0], atol=1e-6
  )


def test_precision_counts_common_members_of_both_top_lists():
  scores = jnp.array([5.0, 4.0, 3.0, 2.0, jnp.nan])
  values = jnp.array([1.0, 5.0, 0.0, 4.0, 9.0])
  assert ranking.precision_at_k(scores, values, 2) == 0.5
  assert ranking.precision_at_k(values, values, 3) == 1.0


@pytest.mark.parametrize('replace', [False, True])
def test_expected_maximum_is_that_of_all_draws(replace):
  values = np.array([0.3, 2.0, -1.0, 2.0, 5.0])
  draw = itertools.product if replace else itertools.combinations
  draws = draw(values, repeat=3) if replace else draw(values, 3)
  expected = np.mean([max(drawn) for drawn in draws])
  np.testing.assert_allclose(
    ranking.expected_maximum(values, 3, replace), expected
  )


def test_expected_maximum_of_all_values_is_the_maximum():
  values = np.random.default_rng(0).normal(size=1000)
  np.testing.assert_allclose(
    ranking.expected_maximum(values, 1000), values.max()
  )
  np.testing.assert_allclose(ranking.expected_maximum(values, 1), values.mean())
  with pytest.raises(ValueError, match='between 1 and the 1000 values'):
    ranking.expected_maximum(values, 1001)
