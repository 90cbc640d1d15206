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


def test_the_target_moves_the_hard_reward_and_scales_the_soft_one():
  rng = np.random.default_rng(0)
  accuracy = rng.uniform(50, 95, 400).astype(np.float32)
  latency = (accuracy / 20 * rng.uniform(0.5, 2, 400)).astype(np.float32)
  order = lambda rewards: np.argsort(rewards).tolist()
  soft = [combine.weigh(accuracy, latency, t) for t in (1.0, 4.0, 16.0)]
  assert order(soft[0]) == order(soft[1]) == order(soft[2])
  np.testing.assert_allclose(soft[2] / soft[0], 16**0.07, rtol=1e-5)
  hard = [
    int(jnp.argmax(combine.weigh(accuracy, latency, t, combine.HARD)))
    for t in (1.5, 3.0, 6.0)
  ]
  assert len(set(hard)) == 3
  assert latency[hard[0]] < latency[hard[1]] < latency[hard[2]]


def test_the_hard_reward_may_be_exceeded_by_a_better_accuracy():
  accuracy, latency = jnp.array([90.0, 94.0]), jnp.array([10.0, 10.2])
  reward = combine.weigh(accuracy, latency, 10.0, combine.HARD)
  np.testing.assert_allclose(reward, [90.0, 94.0 / 1.02], rtol=1e-6)
  assert reward[1] > reward[0]


def test_what_breaks_a_condition_has_failed():
  cost = combine.stateless(lambda key, arch: 2.0 * arch)
  estimator = combine.constrained(
    _counting(1.0), 'cost < 5 and size >= 1', cost=cost, size=lambda arch: arch
  )
  state, metrics = estimator.update(_KEY, estimator.init(_KEY), jnp.float32(4))
  assert metrics == {'seen': 4.0}
  score = jax.jit(lambda arch: estimator.score(_KEY, state, arch))
  assert [float(score(a)) for a in (0.5, 1.0, 2.0, 2.5)] == [
    *(-np.inf, 5.0, 10.0, -np.inf)
  ]


def test_a_constrained_score_takes_fidelity_if_the_score_does():
  cheap = combine.stateless(lambda key, arch, fidelity=10.0: arch * fidelity)
  limits = {'where': 'size < 3', 'size': lambda arch: arch}
  assert not combine.takes_fidelity(
    combine.constrained(_constant(1.0), **limits).score
  )
  score = combine.constrained(cheap, **limits).score
  assert score(_KEY, (), jnp.float32(2), fidelity=0.5) == 1.0
  assert score(_KEY, (), jnp.float32(3), fidelity=0.5) == -np.inf


def test_a_condition_on_a_column_that_is_not_there_is_refused_when_built():
  with pytest.raises(ValueError, match="'latency'.*Known: size"):
    combine.constrained(_constant(1.0), 'latency < 3', size=lambda arch: arch)
