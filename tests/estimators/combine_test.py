"""Tests for estimators made of functions and of other estimators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import combine
from nasjax.types import Estimator

_KEY = jax.random.key(0)


def _counting(scale):
  """An estimator whose score is scaled by the sum of all batches."""
  return Estimator(
    init=lambda key: jnp.float32(1),
    update=lambda key, state, batch: (state + batch, {'seen': batch}),
    score=lambda key, state, arch: scale * state * arch,
  )


def _constant(value):
  return combine.stateless(lambda key, arch: jnp.float32(value))


def test_a_stateless_score_never_changes():
  estimator = combine.stateless(lambda key, arch: arch + 1.0)
  state = estimator.init(_KEY)
  assert jax.tree.leaves(state) == []
  state, metrics = estimator.update(_KEY, state, jnp.ones(3))
  assert metrics == {}
  assert estimator.score(_KEY, state, jnp.float32(2)) == 3.0


def test_a_stateless_score_takes_fidelity_if_its_function_does():
  cheap = combine.stateless(lambda key, arch, fidelity=10.0: arch * fidelity)
  assert combine.takes_fidelity(cheap.score)
  assert not combine.takes_fidelity(_constant(1.0).score)
  assert cheap.score(_KEY, (), jnp.float32(2), fidelity=3.0) == 6.0


def test_combined_estimators_learn_from_a_batch_each():
  estimator = combine.combine(
    lambda a, b: a - b, _counting(1.0), _counting(10.0)
  )
  state = estimator.init(_KEY)
  state, metrics = estimator.update(_KEY, state, (jnp.float32(4), None))
  assert metrics == {'0_seen': 4.0}
  assert estimator.score(_KEY, state, jnp.float32(2)) == 10.0 - 20.0
  with pytest.raises(ValueError, match='2 combined estimators .* got 1'):
    estimator.update(_KEY, state, (jnp.float32(4),))


def test_weighted_product_has_the_values_of_the_formula():
  def reward(latency, **settings):
    estimator = combine.weighted_product(
      _constant(1.0), _constant(latency), 80.0, **settings
    )
    return estimator.score(_KEY, estimator.init(_KEY), None)

  np.testing.assert_allclose(reward(160.0), 0.95264, atol=1e-5)
  np.testing.assert_allclose(reward(40.0), 1.04972, atol=1e-5)
  np.testing.assert_allclose(reward(40.0, w=(0.0, -1.0)), 1.0)
  np.testing.assert_allclose(reward(160.0, w=(0.0, -1.0)), 0.5)
