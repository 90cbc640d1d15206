"""Tests for ASHA: against an event-driven simulator with the same clock."""

import heapq

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import tabular
from nasjax.searches import queries
from nasjax.spaces import categorical
from nasjax.strategies import asha

_NUM_ROWS = 400
_SPACE = categorical.categorical({'row': (1, _NUM_ROWS)})
_FIDELITIES = (1 / 9, 1 / 3, 1)
_MAX_STEPS = 400


def _row(arch):
  return arch['row'][0]


def _tables(seed=0):
  """Returns values `[N, 3]` with ties and failures, and seconds `[N]`."""
  rng = np.random.default_rng(seed)
  final = rng.normal(size=(_NUM_ROWS, 1))
  values = (final + rng.normal(size=(_NUM_ROWS, 3)) * [1, 0.5, 0]).round(1)
  values[::17, 0] = np.nan
  # Powers of two: sums of times are exact in any order, and there are ties.
  return values.astype('f4'), 9.0 * 2 ** rng.integers(0, 4, _NUM_ROWS)


def _keys(key, num_workers, num_steps):
  """Returns the keys with which `queries.spend` asks, in order."""
  start = jax.random.fold_in(key, _MAX_STEPS)
  # Pairs, to ask and to score, of all workers but the last.
  asks = list(jax.random.split(start, 2 * num_workers - 1)[1::2])
  return asks + [
    jax.random.split(jax.random.fold_in(key, t), 3)[0] for t in range(num_steps)
  ]


def _promotable(rungs, promoted):
  """Returns (level, configuration) by algorithm 2, or None."""
  for level in (1, 0):
    results = sorted(rungs[level].items(), key=lambda item: (-item[1], item[0]))
    for configuration, value in results[: len(results) // 3]:
      if configuration not in promoted[level] and value > -np.inf:
        return level, configuration
  return None


def _simulate(draws, values, seconds, num_workers, num_full):
  """Returns (row, value, time) of what was evaluated in full, in order."""
  draws = iter(draws)
  rungs, promoted = [{}, {}, {}], [set(), set()]
  rows, running, full, now, started = [], [], [], 0.0, 0

  def start(worker):
    found = _promotable(rungs, promoted)
    drawn = next(draws)  # a draw for every question, used or not
    if found is None:
      level, configuration = 0, len(rows)
      rows.append(drawn)
    else:
      promoted[found[0]].add(found[1])
      level, configuration = found[0] + 1, found[1]
    end = now + seconds[rows[configuration]] * _FIDELITIES[level]
    heapq.heappush(running, (round(end, 3), worker, level, configuration))

  for worker in range(num_workers):
    start(worker)
    started += 1
  while len(full) < num_full:
    now, worker, level, configuration = heapq.heappop(running)
    value = float(values[rows[configuration], level])
    rungs[level][configuration] = value if np.isfinite(value) else -np.inf
    if level == 2 and rows[configuration] not in [row for row, *_ in full]:
      full.append((rows[configuration], value, now))
    start(worker)
  return full


@pytest.mark.parametrize('num_workers', [1, 4])
def test_a_run_is_that_of_an_event_driven_simulator(num_workers):
  values, seconds = _tables()
  num_full, key = 12, jax.random.key(5)

  def run(key):
    return queries.spend(
      key,
      asha.asha(_SPACE, _FIDELITIES, capacity=256),
      tabular.tabular(_row, values, _FIDELITIES),
      _row,
      _NUM_ROWS,
      num_full,
      tabular.training_time(_row, seconds),
      num_workers,
      max_steps=_MAX_STEPS,
    )

  ledger = jax.jit(run)(key)
  assert int(ledger.count) == num_full
  keys = jnp.stack(_keys(key, num_workers, int(ledger.num_asked) + 1))
  draw = jax.jit(
    jax.vmap(lambda key: _SPACE.sample(jax.random.split(key, 1)[0]))
  )
  draws = np.asarray(draw(keys)['row'])[:, 0].tolist()
  expected = _simulate(draws, values, seconds, num_workers, num_full)
  assert ledger.rows.tolist() == [row for row, *_ in expected]
  np.testing.assert_array_equal(ledger.values, [v for _, v, _ in expected])
  np.testing.assert_allclose(
    ledger.finished, [time for *_, time in expected], rtol=1e-5
  )
  # ASHA-1: the same again, in another program.
  again = jax.jit(jax.vmap(run))(key[None])
  np.testing.assert_array_equal(again.rows[0], ledger.rows)
  np.testing.assert_array_equal(again.finished[0], ledger.finished)


def test_the_order_of_results_between_two_proposals_does_not_matter():
  strategy = asha.asha(_SPACE, _FIDELITIES, capacity=32)
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  values, _ = _tables()
  states, keys = [strategy.init(jax.random.key(0))] * 2, jax.random.key(1)
  for key in jax.random.split(keys, 8):
    asked = []
    for worker in range(4):
      proposal, state = ask(jax.random.fold_in(key, worker), states[0])
      other, other_state = ask(jax.random.fold_in(key, worker), states[1])
      jax.tree.map(np.testing.assert_array_equal, proposal, other)
      states = [state, other_state]
      asked.append(proposal)
    for i, order in enumerate([(0, 1, 2, 3), (2, 3, 1, 0)]):
      for worker in order:
        proposal = asked[worker]
        level = _FIDELITIES.index(
          min(_FIDELITIES, key=lambda f: abs(f - proposal.fidelity[0]))
        )
        value = values[proposal.archs['row'][:, 0], level]
        states[i], _ = tell(key, states[i], proposal, jnp.asarray(value))
  jax.tree.map(np.testing.assert_array_equal, *states)
  assert int(jnp.max(states[0].level)) == 2  # something got to the top


def test_a_batch_is_that_many_free_workers():
  one = asha.asha(_SPACE, _FIDELITIES)
  three = asha.asha(_SPACE, _FIDELITIES, batch_size=3)
  key = jax.random.key(0)
  state = one.init(key)
  proposal, after = jax.jit(three.ask)(key, state)
  for i, part in enumerate(jax.random.split(key, 3)):
    # A proposal of one splits its key once more.
    arch = _SPACE.sample(part)
    np.testing.assert_array_equal(arch['row'], proposal.archs['row'][i])
  assert int(after.num_new) == 3
  told, _ = jax.jit(three.tell)(key, after, proposal, jnp.array([1.0, 3, 2]))
  best, _ = jax.jit(one.ask)(key, told)
  np.testing.assert_array_equal(best.archs['row'][0], proposal.archs['row'][1])
  assert best.fidelity[0] == np.float32(1 / 3)


def test_the_oldest_are_forgotten_with_their_results():
  strategy = asha.asha(_SPACE, (0.5, 1), eta=100, capacity=4)
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  state, asked = strategy.init(jax.random.key(0)), []
  for i in range(6):
    proposal, state = ask(jax.random.key(i), state)
    asked.append(proposal)
    if i != 1:
      state, _ = tell(jax.random.key(0), state, proposal, jnp.array([float(i)]))
  assert sorted(state.values[:, 0].tolist()) == [2, 3, 4, 5]
  after, _ = tell(jax.random.key(0), state, asked[1], jnp.array([9.0]))
  jax.tree.map(np.testing.assert_array_equal, after, state)


def test_sizes_that_cannot_be_are_refused():
  with pytest.raises(ValueError, match='1 <= batch_size <= capacity'):
    asha.asha(_SPACE, batch_size=3, capacity=2)
  with pytest.raises(ValueError, match='increase and end at 1'):
    asha.asha(_SPACE, (0.5, 0.9))
