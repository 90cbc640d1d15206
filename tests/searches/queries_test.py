"""Tests for the ledger of queries: budgets, duplicates, workers, order."""

import heapq

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.estimators import combine, tabular
from nasjax.searches import queries
from nasjax.spaces import categorical
from nasjax.strategies import evolution, random_search
from nasjax.types import Proposal, Strategy

_SPACE = categorical.categorical({'op': (3, 4)})
_NUMBER = categorical.numbering(_SPACE.mask)
_VALUES = np.random.default_rng(0).normal(size=64).astype(np.float32)
_TABLE = tabular.tabular(_NUMBER, _VALUES)


def _spend(key, strategy, num_queries=20, estimator=_TABLE, **settings):
  return jax.jit(
    lambda key: queries.spend(
      key, strategy, estimator, _NUMBER, 64, num_queries, **settings
    )
  )(key)


def _fixed(rows, fidelities=None, batch_size=1):
  """A strategy that asks for given rows and keeps what it is told, in order."""
  rows = jnp.asarray(rows, jnp.int32)
  fidelities = jnp.ones(len(rows)) if fidelities is None else fidelities

  def ask(key, state):
    start, told = state
    take = lambda x: jax.lax.dynamic_slice_in_dim(x, start, batch_size)
    archs = jax.vmap(_SPACE.index)(take(rows))
    return Proposal(archs, take(fidelities)), (start + batch_size, told)

  def tell(key, state, proposal, values):
    start, told = state
    shifted = jnp.roll(told, -batch_size).at[-batch_size:].set(values)
    return (start, shifted), {}

  init = lambda key: (jnp.int32(0), jnp.zeros(8))
  return Strategy(init, ask, tell)


@pytest.mark.parametrize('batch_size', [1, 3])
def test_queries_are_the_distinct_rows_in_the_order_asked(batch_size):
  rows = [5, 7, 5, 9, 7, 7, 11, 5, 13, 1, 2, 3]
  ledger = _spend(
    jax.random.key(0), _fixed(rows, batch_size=batch_size), num_queries=5
  )
  np.testing.assert_array_equal(ledger.rows, [5, 7, 9, 11, 13])
  np.testing.assert_allclose(ledger.values, _VALUES[[5, 7, 9, 11, 13]])
  assert ledger.count == 5 and ledger.num_asked == 9


def test_a_set_of_rows_holds_what_was_added():
  rng = np.random.default_rng(0)
  seen, expected = queries.nothing_seen(100), set()
  for _ in range(20):
    rows = rng.choice(100, 5, replace=False)
    which = np.array([r not in expected for r in rows]) & (rng.random(5) < 0.5)
    seen = queries.add_seen(seen, jnp.asarray(rows), jnp.asarray(which))
    expected |= set(rows[which].tolist())
    found = np.flatnonzero(queries.is_seen(seen, jnp.arange(100)))
    assert set(found.tolist()) == expected


def test_duplicates_count_where_that_is_asked_for():
  ledger = _spend(
    jax.random.key(0),
    _fixed([5, 7, 5, 9]),
    num_queries=3,
    count_duplicates=True,
  )
  np.testing.assert_array_equal(ledger.rows, [5, 7, 5])
  assert ledger.count == 3


def test_nothing_is_told_beyond_the_budget():
  told = []

  def tell(key, state, proposal, values):
    jax.debug.callback(lambda values: told.append(np.array(values)), values)
    return state, {}

  strategy = _fixed([1, 2, 3, 4, 5, 6, 7, 8], batch_size=4)._replace(tell=tell)
  ledger = _spend(jax.random.key(0), strategy, num_queries=6)
  jax.effects_barrier()
  np.testing.assert_array_equal(ledger.rows, [1, 2, 3, 4, 5, 6])
  np.testing.assert_array_equal(np.isfinite(told[1]), [1, 1, 0, 0])


def test_partial_trainings_take_time_and_are_no_queries():
  estimator = combine.stateless(
    lambda key, arch, fidelity=1.0: fidelity * _NUMBER(arch)
  )
  ledger = _spend(
    jax.random.key(0),
    _fixed([1, 2, 3], jnp.array([0.25, 1.0, 1.0])),
    num_queries=2,
    estimator=estimator,
    cost=lambda arch, fidelity: 8 * fidelity,
  )
  np.testing.assert_array_equal(ledger.rows, [2, 3])
  np.testing.assert_allclose(ledger.finished, [10, 18])


def _events(rows, seconds, workers, num_queries):
  """Which rows finish, and when, on a cluster: a heap of events."""
  todo, clock, done, heap = list(rows), 0.0, [], []
  for worker in range(workers):
    row = todo.pop(0)
    heapq.heappush(heap, (clock + seconds[row], worker, row))
  while len(done) < num_queries:
    clock, worker, row = heapq.heappop(heap)
    done.append((row, clock))
    row = todo.pop(0)
    heapq.heappush(heap, (clock + seconds[row], worker, row))
  return done


@pytest.mark.parametrize('workers', [1, 2, 5])
def test_workers_report_in_the_order_in_which_they_finish(workers):
  rng = np.random.default_rng(1)
  rows = rng.permutation(64)[:30]
  seconds = rng.uniform(1, 9, size=64).astype(np.float32)
  ledger = _spend(
    jax.random.key(0),
    _fixed(rows),
    num_queries=15,
    cost=lambda arch, fidelity: jnp.asarray(seconds)[_NUMBER(arch)],
    num_workers=workers,
  )
  expected = _events(rows, seconds, workers, 15)
  np.testing.assert_array_equal(ledger.rows, [row for row, _ in expected])
  np.testing.assert_allclose(
    ledger.finished, [clock for _, clock in expected], rtol=1e-5
  )


def test_a_strategy_that_repeats_itself_comes_to_an_end():
  ledger = _spend(
    jax.random.key(0), _fixed([3] * 400), num_queries=4, max_steps=50
  )
  assert ledger.count == 1 and ledger.num_asked == 50
  np.testing.assert_array_equal(ledger.rows, [3, -1, -1, -1])


def test_random_search_finds_the_expected_maximum():
  strategy = random_search.random_search(_SPACE, replace=False)
  keys = jax.random.split(jax.random.key(0), 500)
  ledgers = jax.jit(
    jax.vmap(lambda key: queries.spend(key, strategy, _TABLE, _NUMBER, 64, 16))
  )(keys)
  best = np.asarray(ledgers.values).max(1)
  error = best.std() / np.sqrt(500)
  assert abs(best.mean() - ranking.expected_maximum(_VALUES, 16)) < 4 * error
  # All 64 rows: no draw is wasted.
  assert np.all(np.asarray(ledgers.num_asked) == 16)


def test_the_same_key_gives_the_same_ledger():
  strategy = evolution.regularized_evolution(_SPACE, 5, 3)
  first, again, other = (
    _spend(jax.random.key(seed), strategy) for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first.rows, again.rows)
  assert not np.array_equal(first.rows, other.rows)


def test_incumbents_are_the_best_so_far_and_failures_never():
  values = np.array([np.nan, 1.0, 3.0, 2.0, 3.0, 4.0], np.float32)
  ledger = queries.create(6)._replace(
    rows=jnp.arange(10, 16), values=jnp.asarray(values)
  )
  np.testing.assert_array_equal(
    queries.incumbents(ledger), [10, 11, 12, 12, 12, 15]
  )


def test_noise_is_drawn_for_every_query():
  noisy = combine.stateless(lambda key, arch: jax.random.normal(key))
  ledger = _spend(
    jax.random.key(0), _fixed([3] * 30), 20, noisy, count_duplicates=True
  )
  assert len(np.unique(ledger.values)) == 20
