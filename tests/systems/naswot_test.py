"""NASWOT and AREA on planted scores: they do what their algorithms say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.estimators import combine, tabular, zero_cost
from nasjax.searches import run
from nasjax.spaces import nasbench201
from nasjax.systems import (
  assisted_evolution,
  naswot,
  regularized_evolution,
)

SPACE = nasbench201.nasbench201()
_VALUES = np.random.default_rng(0).normal(size=SPACE.size).astype(np.float32)


def _table(values):
  lookup = tabular.tabular(nasbench201.cell_index, values)
  return zero_cost.size(lambda arch: lookup.score(jax.random.key(0), (), arch))


def _found(search, num_steps, num_seeds=40):
  """The table's value of what every seed finds."""

  def one(key):
    state, _ = run.run(key, search, None, num_steps)
    return jnp.asarray(_VALUES)[
      nasbench201.cell_index(search.best(jax.random.key(0), state))
    ]

  keys = jax.random.split(jax.random.key(1), num_seeds)
  return np.asarray(jax.jit(jax.vmap(one))(keys))


def test_naswot_keeps_the_best_of_its_samples():
  found = _found(naswot.naswot(SPACE, _table(_VALUES), 50), 2, 200)
  expected = ranking.expected_maximum(_VALUES, 100, replace=True)
  error = found.std() / np.sqrt(len(found))
  assert abs(found.mean() - expected) < 4 * error


def test_naswot_turns_proxies_whose_low_values_are_good():
  low = _table(-_VALUES)._replace(sign=-1)
  high = _found(naswot.naswot(SPACE, _table(_VALUES), 50), 1, 8)
  np.testing.assert_array_equal(
    _found(naswot.naswot(SPACE, low, 50), 1, 8), high
  )


def test_the_first_population_is_what_the_proxy_likes_best():
  search = assisted_evolution.assisted_evolution(
    SPACE,
    tabular.tabular(nasbench201.cell_index, _VALUES),
    _table(_VALUES),
    num_candidates=200,
    population=10,
  )
  state = search.init(jax.random.key(0))
  first = jax.vmap(nasbench201.cell_index)(state.strategy.first)
  values = _VALUES[np.asarray(first)]
  # The ten best of two hundred, best first, and each is proposed once.
  assert (np.diff(values) <= 0).all() and values[-1] > np.quantile(_VALUES, 0.9)
  update = jax.jit(lambda s: search.update(jax.random.key(2), s, None))
  for _ in range(10):
    state, _ = update(state)
  told = jax.vmap(nasbench201.cell_index)(state.strategy.population.archs)
  assert sorted(np.asarray(told)) == sorted(np.asarray(first))


def test_a_good_proxy_helps_evolution_on_a_small_budget():
  estimator = tabular.tabular(nasbench201.cell_index, _VALUES)
  noise = np.random.default_rng(1).normal(size=_VALUES.shape)
  proxy = _table((_VALUES + 0.3 * noise).astype(np.float32))
  assisted = _found(
    assisted_evolution.assisted_evolution(SPACE, estimator, proxy, 200, 10), 12
  )
  plain = _found(
    regularized_evolution.regularized_evolution(SPACE, estimator, 10, 3), 12
  )
  difference = assisted - plain
  error = difference.std() / np.sqrt(len(difference))
  assert difference.mean() > 3 * error


def test_too_few_candidates_are_refused():
  with pytest.raises(ValueError, match='num_candidates=5'):
    assisted_evolution.assisted_evolution(
      SPACE,
      combine.stateless(lambda key, arch: 0.0),
      _table(_VALUES),
      num_candidates=5,
    )
