"""Tests for acquisitions: against integrals and draws in numpy."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.strategies import acquisition

_KEY = jax.random.key(0)
_MEAN = np.array([-1.0, 0.0, 0.3, 2.0], np.float32)
_STD = np.array([0.5, 2.0, 0.1, 1.0], np.float32)


def _integral(f, mean, std):
  """E f(x) of x ~ N(mean, std^2), by the trapezoidal rule."""
  x = np.linspace(mean - 10 * std, mean + 10 * std, 200_001)
  density = np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
  return np.trapezoid(f(x) * density, x)


def test_expected_improvement_is_the_mean_of_the_gain():
  best = 0.25
  values = acquisition.expected_improvement(_KEY, _MEAN, _STD, best)
  expected = [
    _integral(lambda x: np.maximum(x - best, 0), m, s)
    for m, s in zip(_MEAN.astype(float), _STD.astype(float))
  ]
  np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_probability_of_improvement_is_the_mass_above_the_best():
  best = 0.25
  values = acquisition.probability_of_improvement(_KEY, _MEAN, _STD, best)
  expected = [
    _integral(lambda x: (x > best).astype(float), m, s)
    for m, s in zip(_MEAN.astype(float), _STD.astype(float))
  ]
  np.testing.assert_allclose(values, expected, atol=1e-4)


def test_certainty_is_the_limit_of_a_vanishing_deviation():
  mean, zero = jnp.array([-1.0, 0.5, 1.0]), jnp.zeros(3)
  for f in (
    acquisition.expected_improvement,
    acquisition.probability_of_improvement,
  ):
    limit = f(_KEY, mean, zero + 1e-6, 0.3)
    np.testing.assert_allclose(f(_KEY, mean, zero, 0.3), limit, atol=1e-5)
    slope = jax.grad(lambda m, f=f: jnp.sum(f(_KEY, m, zero, 0.3)))(mean)
    assert np.all(np.isfinite(slope))


def test_the_bound_is_the_mean_plus_weighted_deviations():
  bound = acquisition.upper_confidence_bound(0.5)
  np.testing.assert_allclose(bound(_KEY, _MEAN, _STD, 0.0), _MEAN + 0.5 * _STD)


def test_independent_draws_have_mean_and_deviation_and_no_correlation():
  keys = jax.random.split(_KEY, 20_000)
  draws = jax.vmap(
    lambda key: acquisition.independent_thompson_sampling(
      key, jnp.asarray(_MEAN), jnp.asarray(_STD), 0.0
    )
  )(keys)
  np.testing.assert_allclose(np.mean(draws, 0), _MEAN, atol=0.06)
  np.testing.assert_allclose(np.std(draws, 0), _STD, rtol=0.03)
  np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(4), atol=0.04)


def test_joint_draws_have_the_covariance_even_where_candidates_are_equal():
  root = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 2.0]], np.float32)
  covariance, mean = root @ root.T, np.array([1.0, 1.0, -2.0], np.float32)
  keys = jax.random.split(_KEY, 5_000)
  draws = jax.vmap(
    lambda key: acquisition.thompson_sampling(key, mean, covariance, 0.0)
  )(keys)
  np.testing.assert_allclose(np.mean(draws, 0), mean, atol=0.12)
  np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.25)
  np.testing.assert_allclose(draws[:, 0], draws[:, 1], atol=1e-2)
