"""Tests of searches in phases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import combine
from nasjax.searches import black_box, phases
from nasjax.spaces import categorical
from nasjax.strategies import random_search
from nasjax.types import Estimator

_SPACE = categorical.categorical({'op': (2, 3)}).restrict(
  {'op': np.array([[0, 1, 1], [0, 1, 1]], bool)}
)
_KEY = jax.random.key(0)
_STEPS = 3


def _counting():
  """An estimator whose scores depend on how far it is trained."""

  def update(key, state, batch):
    return state + batch, {'train_loss': -state}

  def score(key, state, arch):
    total = jnp.sum(arch['op'] * jnp.array([1, 10]))
    return total * jnp.where(state == _STEPS, 1.0, -1.0)

  return Estimator(lambda key: jnp.float32(0), update, score)


def _search():
  strategy = random_search.random_search(_SPACE, 4, replace=False)
  return phases.trained_first(_counting(), _STEPS, strategy)


def test_scores_are_those_of_the_trained_estimator():
  search = _search()
  state, update = search.init(_KEY), jax.jit(search.update)
  for t in range(_STEPS):
    state, metrics = update(jax.random.fold_in(_KEY, t), state, 1.0)
    assert metrics['train_loss'] == -t and metrics['score_best'] == 0
    arch = search.best(_KEY, state)
    # Nothing has been scored: an architecture of the space all the same.
    assert categorical.contains(arch, _SPACE.mask)
  state, metrics = update(_KEY, state, 1.0)
  assert metrics['score_best'] == 22 and metrics['train_loss'] == 0
  assert state.first == _STEPS  # later batches train nothing
  assert search.best(_KEY, state)['op'].tolist() == [2, 2]


def test_what_the_second_search_closes_over_is_traced_also_from_outside():
  seen = []

  def second(state):
    seen.append(state)
    score = lambda key, arch: state * jnp.sum(arch['op'])
    estimator = combine.stateless(score)
    return black_box.black_box(random_search.random_search(_SPACE), estimator)

  search = phases.then(_counting(), 1, second)
  state = search.init(_KEY)
  del seen[:]
  search.best(_KEY, state)
  assert all(isinstance(state, jax.core.Tracer) for state in seen) and seen


@pytest.mark.parametrize('condition', [True, False])
def test_a_step_that_is_not_taken_has_metrics_of_zero(condition):
  state, metrics = jax.jit(
    lambda condition: phases.either(
      condition,
      lambda: (jnp.float32(1), {'a': jnp.float32(2), 'b': jnp.int32(3)}),
      lambda: (jnp.float32(4), {'a': jnp.float32(5), 'c': jnp.ones(2)}),
    )
  )(condition)
  expected = (1, 2, 3, [0, 0]) if condition else (4, 5, 0, [1, 1])
  assert (state, metrics['a'], metrics['b']) == expected[:3]
  np.testing.assert_array_equal(metrics['c'], expected[3])
