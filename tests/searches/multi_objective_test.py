"""Tests for the search for a Pareto front."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import pareto
from nasjax.estimators import combine, tabular
from nasjax.searches import black_box, multi_objective, run
from nasjax.spaces import categorical, nasbench201
from nasjax.strategies import nsga2, random_search

_SPACE = nasbench201.nasbench201()
_RNG = np.random.default_rng(0)
_VALUES = np.float32(_RNG.normal(size=(2, _SPACE.size)))


def _tables(values):
  return [tabular.tabular(nasbench201.cell_index, row) for row in values]


def _run(strategy, values, steps, **kwargs):
  search = multi_objective.multi_objective(strategy, _tables(values), **kwargs)
  state, metrics = jax.jit(lambda key: run.run(key, search, None, steps))(
    jax.random.key(0)
  )
  return search, state, metrics


def test_what_is_kept_is_the_front_of_all_that_was_scored():
  strategy = random_search.random_search(_SPACE, 50, replace=False)
  search, state, metrics = _run(strategy, _VALUES, 8, reference=(0.0, -1.0))
  front = np.asarray(pareto.non_dominated(state.found.values))
  rows = np.asarray(jax.vmap(nasbench201.cell_index)(state.found.archs))
  np.testing.assert_array_equal(state.found.values, _VALUES[:, rows].T)
  assert metrics['front_size'][-1] == front.sum() > 3
  assert np.all(np.diff(metrics['hypervolume']) > -1e-5)  # rounding
  kept = state.found.values[front]
  assert metrics['hypervolume'][-1] == pytest.approx(
    float(pareto.hypervolume(kept, jnp.array([0.0, -1.0]))), rel=1e-6
  )
  best = nasbench201.cell_index(search.best(jax.random.key(1), state))
  assert _VALUES[0, best] == metrics['best_0'][-1] == kept[:, 0].max()


def test_the_whole_space_has_its_front():
  mask = {'op': np.isin(np.arange(30) % 5, [1, 3]).reshape(6, 5)}
  space = nasbench201.nasbench201(mask)
  strategy = random_search.random_search(space, 64, replace=False)
  _, state, _ = _run(strategy, _VALUES, 1)
  rows = jax.vmap(nasbench201.cell_index)(
    jax.vmap(space.index)(jnp.arange(space.size))
  )
  values = _VALUES[:, rows].T
  expected = values[np.asarray(pareto.non_dominated(values))]
  found = state.found.values[pareto.non_dominated(state.found.values)]
  np.testing.assert_array_equal(
    np.sort(found, axis=0), np.sort(expected, axis=0)
  )


def test_evolution_gets_further_than_chance_where_there_is_an_order():
  """Ten seeds of each: the means differ by more than three deviations."""
  ops = np.asarray(jax.vmap(_SPACE.index)(np.arange(_SPACE.size))['op'])
  gains = np.float32((ops == 3).sum(1) + 0.3 * (ops == 2).sum(1))
  costs = -np.float32((ops == 3).sum(1) * 1.5 + (ops == 1).sum(1))
  volumes = []
  for strategy in (
    nsga2.nsga2(_SPACE, population=20, batch_size=10),
    random_search.random_search(_SPACE, 10, replace=False),
  ):
    search = multi_objective.multi_objective(
      strategy, _tables((gains, costs)), (0.0, -10.0), batch_size=10
    )
    last = lambda key, s=search: run.run(key, s, None, 20)[1]['hypervolume'][-1]
    volumes.append(
      jax.jit(jax.vmap(last))(jax.random.split(jax.random.key(0), 10))
    )
  evolved, random = map(np.asarray, volumes)
  error = np.sqrt((evolved.var(ddof=1) + random.var(ddof=1)) / 10)
  assert evolved.mean() - random.mean() > 3 * error


def test_what_fails_in_one_objective_is_never_found():
  # The better half of one objective fails in the other.
  fails = _VALUES[0] > np.median(_VALUES[0])
  values = np.stack([_VALUES[0], np.where(fails, np.nan, _VALUES[1])])
  mask = {'op': np.isin(np.arange(30) % 5, [1, 3]).reshape(6, 5)}
  space = nasbench201.nasbench201(mask)
  strategy = random_search.random_search(space, 64, replace=False)
  search, state, metrics = _run(strategy, values, 1)
  rows = np.asarray(
    jax.vmap(nasbench201.cell_index)(
      jax.vmap(space.index)(jnp.arange(space.size))
    )
  )
  valid = rows[~fails[rows]]
  assert metrics['num_not_finite'][0] == len(rows) - len(valid) > 10
  expected = _VALUES[0][valid].max()
  best = nasbench201.cell_index(search.best(jax.random.key(1), state))
  assert _VALUES[0, best] == metrics['best_0'][0] == expected


def test_where_everything_fails_the_best_is_still_of_the_space():
  mask = {'op': np.isin(np.arange(30) % 5, [1, 3]).reshape(6, 5)}
  space = nasbench201.nasbench201(mask)
  strategy = random_search.random_search(space, 2)
  failing = combine.stateless(lambda key, arch: jnp.float32(jnp.nan))
  for search in (
    multi_objective.multi_objective(strategy, [failing, failing]),
    black_box.black_box(strategy, failing),
  ):
    state, _ = run.run(jax.random.key(0), search, None, 2)
    found = search.best(jax.random.key(1), state)
    assert categorical.contains(found, space.mask)


def test_objectives_that_do_not_fit_are_refused():
  strategy = random_search.random_search(_SPACE)
  one = combine.stateless(lambda key, arch: arch['op'][0])
  with pytest.raises(ValueError, match='two estimators or more, got 1'):
    multi_objective.multi_objective(strategy, [one])
  three = multi_objective.multi_objective(nsga2.nsga2(_SPACE), [one] * 3)
  with pytest.raises(ValueError, match='cannot be told 3 values'):
    three.init(jax.random.key(0))
  with pytest.raises(ValueError, match=r'got 3 and \(0.0, 0.0\)'):
    multi_objective.multi_objective(strategy, [one] * 3, (0.0, 0.0))
