"""Tests for local search: climbs, local optima, restarts and memory."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import categorical
from nasjax.strategies import local_search

_MASK = {
  'op': np.array([[True, True, True], [True, False, True]]),
  'width': np.ones((2, 4), bool),
}
_SPACE = categorical.categorical(_MASK)  # 96 architectures, 9 neighbours each
_NUM_NEIGHBOURS = 9


def _rows(archs):
  return np.concatenate([archs['op'], archs['width']], axis=1).tolist()


def _table(seed=0):
  rows = itertools.product(range(3), (0, 2), range(4), range(4))
  rng = np.random.default_rng(seed)
  return {row: float(np.float32(rng.normal())) for row in rows}


def _run(strategy, table, num_asks):
  """Returns the sequence of (centre, its value, what is asked)."""
  state, log = strategy.init(jax.random.key(0)), []
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  for key in jax.random.split(jax.random.key(1), num_asks):
    proposal, state = ask(key, state)
    rows = [tuple(row) for row in _rows(proposal.archs)]
    centre = jax.tree.map(lambda leaf: leaf[None], state.centre)
    log.append((tuple(_rows(centre)[0]), float(state.value), rows))
    values = jnp.array([table[row] for row in rows])
    state, _ = tell(key, state, proposal, values)
  return log


def _distance(a, b):
  return sum(x != y for x, y in zip(a, b))


@pytest.mark.parametrize('batch_size', [1, 4])
def test_it_climbs_to_local_optima_and_restarts(batch_size):
  table = _table()
  strategy = local_search.local_search(_SPACE, batch_size)
  log = _run(strategy, table, 60 // batch_size)
  asked, value, restarts = set(), -np.inf, 0
  for centre, centre_value, rows in log:
    left = {row for row in table if _distance(row, centre) == 1} - asked
    if centre_value == -np.inf:  # a start: the climb before is exhausted
      assert value == -np.inf or not left
      restarts += 1
      value = max(table[row] for row in rows)
    else:
      assert centre_value == value == table[centre]
      expected = min(batch_size, len(left))
      assert len(set(rows) & left) >= expected
      value = max([value] + [table[row] for row in rows])
    asked |= set(rows)
  assert restarts > 1


def test_an_exhausted_centre_has_no_better_neighbour():
  table = _table(1)
  log = _run(local_search.local_search(_SPACE), table, 20)
  starts = [i for i, (_, value, _) in enumerate(log) if value == -np.inf]
  # The first climb: nothing is forgotten, so its end is a true optimum.
  optimum = log[starts[1] - 1][0]
  optimum = max([optimum, log[starts[1] - 1][2][0]], key=lambda row: table[row])
  neighbours = [row for row in table if _distance(row, optimum) == 1]
  assert len(neighbours) == _NUM_NEIGHBOURS
  assert all(table[row] < table[optimum] for row in neighbours)


def test_a_small_memory_may_skip_neighbours_but_still_climbs():
  table = _table()
  strategy = local_search.local_search(_SPACE, memory=16)
  log = _run(strategy, table, 40)
  for (centre, value, rows), (_, after, _) in zip(log, log[1:]):
    if value > -np.inf:
      assert _distance(centre, rows[0]) == 1
      assert after == -np.inf or after >= value


def test_results_may_come_late_and_out_of_order():
  strategy = local_search.local_search(_SPACE)
  state, proposals = strategy.init(jax.random.key(0)), []
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  for key in jax.random.split(jax.random.key(1), 3):  # three starts
    proposal, state = ask(key, state)
    proposals.append(proposal)
  values = [1.0, 3.0, 2.0]
  for i in (2, 1, 0):
    state, _ = tell(
      jax.random.key(2), state, proposals[i], jnp.array(values[i : i + 1])
    )
  assert state.value == 3.0
  centre = jax.tree.map(lambda leaf: leaf[None], state.centre)
  assert _rows(centre) == _rows(proposals[1].archs)


def test_nan_is_no_start():
  strategy = local_search.local_search(_SPACE)
  state = strategy.init(jax.random.key(0))
  proposal, state = jax.jit(strategy.ask)(jax.random.key(1), state)
  state, _ = strategy.tell(
    jax.random.key(2), state, proposal, jnp.array([jnp.nan])
  )
  assert state.value == -jnp.inf


def test_a_space_of_dependent_choices_is_refused():
  with pytest.raises(ValueError, match='96 combinations.*space is 50'):
    local_search.local_search(_SPACE._replace(size=50))
  with pytest.raises(ValueError, match='between 1 and the 9 neighbours'):
    local_search.local_search(_SPACE, batch_size=10)
