"""Tests for losses of predictors: against loops over pairs and triplets."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import ranking_losses as losses
from nasjax.networks.predictors import Prediction

_RNG = np.random.default_rng(0)
_SIZE = 9
_VALUES = _RNG.normal(size=_SIZE).astype(np.float32)
_FEATURES = _RNG.normal(size=(_SIZE, 2)).astype(np.float32)
_PREDICTION = Prediction(jnp.array(_VALUES), jnp.array(_FEATURES))
_TARGETS = np.array([0.3, 1, 1, -2, 0.5, 0, 0, 2, -1], np.float32)  # two ties
_WEIGHTS = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1], np.float32)
_PENALTIES = {
  'hinge': (losses.hinge(0.4), lambda z: max(0.4 - z, 0)),
  'logistic': (losses.logistic, lambda z: math.log(1 + math.exp(-z))),
  'exponential': (losses.exponential, lambda z: math.exp(-z)),
}
_KEY = jax.random.key(0)


def _call(loss, prediction=_PREDICTION, targets=_TARGETS, weights=_WEIGHTS):
  return jax.jit(loss)(_KEY, prediction, jnp.array(targets), jnp.array(weights))


def _pairs():
  known = np.flatnonzero(_WEIGHTS)
  return [(i, j) for i in known for j in known if i != j]


def test_squared_error_is_the_mean_over_what_counts():
  errors = [(_VALUES[i] - _TARGETS[i]) ** 2 for i in np.flatnonzero(_WEIGHTS)]
  np.testing.assert_allclose(
    _call(losses.squared_error), np.mean(errors), rtol=1e-5
  )


@pytest.mark.parametrize('name', _PENALTIES)
def test_pairwise_is_the_mean_over_pairs_that_differ(name):
  penalty, oracle = _PENALTIES[name]
  terms = [
    oracle((_VALUES[i] - _VALUES[j]) * np.sign(_TARGETS[i] - _TARGETS[j]))
    for i, j in _pairs()
    if _TARGETS[i] != _TARGETS[j]
  ]
  np.testing.assert_allclose(
    _call(losses.pairwise(penalty)), np.mean(terms), rtol=1e-5
  )


@pytest.mark.parametrize('name', _PENALTIES)
def test_pairwise_sees_the_order_of_the_targets_alone(name):
  loss = losses.pairwise(_PENALTIES[name][0])
  gradient = jax.grad(lambda p, y: _call(loss, p, y))
  expected = gradient(_PREDICTION, _TARGETS)
  assert np.any(expected.values != 0)
  for monotone in (lambda y: y + 7, np.exp, lambda y: y**3):
    chex.assert_trees_all_equal(
      gradient(_PREDICTION, monotone(_TARGETS)), expected
    )


@pytest.mark.parametrize('name', _PENALTIES)
def test_consistency_is_the_mean_over_the_triplets_drawn(name):
  penalty, oracle = _PENALTIES[name]
  triplets = jax.random.randint(_KEY, (3, 200), 0, _SIZE)
  terms = []
  for i, j, l in np.asarray(triplets).T:
    gap = abs(_TARGETS[i] - _TARGETS[j]) - abs(_TARGETS[i] - _TARGETS[l])
    if _WEIGHTS[i] * _WEIGHTS[j] * _WEIGHTS[l] and gap != 0:
      near = np.linalg.norm(_FEATURES[i] - _FEATURES[j])
      far = np.linalg.norm(_FEATURES[i] - _FEATURES[l])
      terms.append(oracle((near - far) * np.sign(gap)))
  assert len(terms) > 50
  loss = losses.consistency(penalty, 200)
  np.testing.assert_allclose(_call(loss), np.mean(terms), rtol=1e-5)
  gradient = jax.grad(lambda p: _call(loss, p))(_PREDICTION).features
  assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)


def test_softmax_pairs_is_the_divergence_of_two_softmaxes():
  def softmax(a, b):
    e = np.exp(np.array([a, b], np.float64))
    return e / e.sum()

  terms = []
  for i, j in _pairs():
    p = softmax(_TARGETS[i], _TARGETS[j])
    q = softmax(_VALUES[i], _VALUES[j])
    terms.append(np.sum(p * np.log(p / q)))
  np.testing.assert_allclose(
    _call(losses.softmax_pairs), np.mean(terms), rtol=1e-4
  )
  perfect = Prediction(jnp.array(_TARGETS), jnp.array(_FEATURES))
  np.testing.assert_allclose(_call(losses.softmax_pairs, perfect), 0, atol=1e-6)


def test_comparison_is_the_cross_entropy_of_who_is_better():
  terms = []
  for i, j in _pairs():
    p = 1 / (1 + math.exp(-_FEATURES[i, 0] - _FEATURES[j, 1]))
    if _TARGETS[i] != _TARGETS[j]:
      terms.append(-math.log(p if _TARGETS[i] > _TARGETS[j] else 1 - p))
  np.testing.assert_allclose(
    _call(losses.comparison), np.mean(terms), rtol=1e-5
  )


def test_a_sum_gives_every_loss_its_weight_and_a_key():
  drawn = lambda key, *rest: jax.random.uniform(key)
  total = losses.weighted_sum([(2.0, losses.squared_error), (0.5, drawn)])
  expected = 2 * _call(losses.squared_error) + 0.5 * jax.random.uniform(
    jax.random.split(_KEY)[1]
  )
  np.testing.assert_allclose(_call(total), expected, rtol=1e-6)


def test_a_batch_without_order_gives_no_loss_and_no_gradient():
  pairs = [losses.pairwise(losses.logistic), losses.comparison]
  for loss in [*pairs, losses.consistency(losses.logistic, 20)]:
    same = lambda p, loss=loss: _call(loss, p, np.ones(_SIZE))
    value, gradient = jax.value_and_grad(same)(_PREDICTION)
    assert value == 0
    assert not any(np.any(leaf) for leaf in gradient)
  nothing = _call(losses.squared_error, weights=np.zeros(_SIZE))
  assert nothing == 0
