"""Tests for aging evolution: against algorithm 1 with the same decisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.spaces import categorical
from nasjax.strategies import evolution

_SPACE = categorical.categorical({'op': (5, 3), 'width': (2, 4)})
_POPULATION = 4
_TOURNAMENT = 3
_INIT_KEY = jax.random.key(1)


def _value(row):
  """A score with ties and with values that are not finite."""
  total = sum(row)
  return {3: float('nan'), 5: float('inf')}.get(total, float(total // 2))


def _rows(archs):
  return np.concatenate([archs['op'], archs['width']], axis=1).tolist()


def _arch(row):
  row = jnp.asarray(row, jnp.int32)
  return {'op': row[:5], 'width': row[5:]}


_sample = jax.jit(_SPACE.sample)
_mutate = jax.jit(_SPACE.mutate)


def _oracle(key, members, position):
  """Returns the child of algorithm 1, given the keys of `init` and `ask`."""
  if position < _POPULATION:
    return _sample(jax.random.split(_INIT_KEY, _POPULATION)[position])
  tournament_key, mutate_key = jax.random.split(key)
  drawn = jax.random.uniform(tournament_key, (_TOURNAMENT,)) * len(members)
  candidates = [members[int(i)] for i in drawn]
  parent = max(candidates, key=lambda member: member[1])  # the first of equals
  return _mutate(mutate_key, _arch(parent[0]))


@pytest.mark.parametrize('batch_size', [1, 3])
def test_evolution_is_algorithm_1_with_the_same_random_decisions(batch_size):
  strategy = evolution.regularized_evolution(
    _SPACE, _POPULATION, _TOURNAMENT, batch_size
  )
  state = strategy.init(_INIT_KEY)
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  members = []  # of slot i; the oldest is overwritten
  told = 0
  for key in jax.random.split(jax.random.key(2), 12):
    proposal, state = ask(key, state)
    rows = _rows(proposal.archs)
    keys = key[None] if batch_size == 1 else jax.random.split(key, batch_size)
    expected = [
      _rows(jax.tree.map(lambda x: x[None], child))[0]
      for child in (
        _oracle(keys[i], members, told + i) for i in range(batch_size)
      )
    ]
    assert rows == expected
    values = jnp.array([_value(row) for row in rows])
    state, metrics = tell(key, state, proposal, values)
    for row, value in zip(rows, values.tolist()):
      member = (row, value if np.isfinite(value) else -np.inf)
      if told < _POPULATION:
        members.append(member)
      else:
        members[told % _POPULATION] = member
      told += 1
    assert metrics['population_best'] == max(v for _, v in members)


def test_a_child_differs_from_the_winner_by_one_decision():
  strategy = evolution.regularized_evolution(_SPACE, 3, 50, batch_size=2)
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  state = strategy.init(jax.random.key(0))
  proposal, state = ask(jax.random.key(1), state)
  for _ in range(2):
    state, _ = tell(jax.random.key(2), state, proposal, jnp.array([1.0, 2.0]))
  winner = _rows(proposal.archs)[1]
  for key in jax.random.split(jax.random.key(3), 5):
    for row in _rows(ask(key, state)[0].archs):
      assert np.sum(np.array(row) != winner) == 1


def test_results_may_come_late_and_out_of_order():
  strategy = evolution.regularized_evolution(_SPACE, 3, 2)
  state, proposals = strategy.init(jax.random.key(0)), []
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  for key in jax.random.split(jax.random.key(1), 5):  # nothing is told yet
    proposal, state = ask(key, state)
    proposals.append(proposal)
  assert len({str(_rows(p.archs)) for p in proposals}) > 1
  for i in (4, 0, 3, 1):
    state, _ = tell(
      jax.random.key(2), state, proposals[i], jnp.array([float(i)])
    )
  alive = sorted(state.population.values.tolist())
  assert alive == [0.0, 1.0, 3.0]  # proposal 4 was told first
  assert _rows(archive.top(state.population, 1)[0]) == _rows(proposals[3].archs)


def test_architectures_told_first_are_the_initial_population():
  strategy = evolution.regularized_evolution(_SPACE, 2, 20, batch_size=2)
  ask = jax.jit(strategy.ask)
  state = strategy.init(jax.random.key(0))
  seeds, _ = ask(jax.random.key(1), state)
  state, _ = strategy.tell(
    jax.random.key(2), state, seeds, jnp.array([1.0, 0.0])
  )
  children, _ = ask(jax.random.key(3), state)
  parent = np.array(_rows(seeds.archs)[0])
  for row in _rows(children.archs):
    assert np.sum(parent != row) == 1


def test_sizes_that_cannot_be_are_refused():
  for sizes in [(2, 1, 3), (2, 0, 1), (2, 1, 0)]:
    with pytest.raises(ValueError, match='Evolution needs tournament >= 1'):
      evolution.regularized_evolution(_SPACE, *sizes)
