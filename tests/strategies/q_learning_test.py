"""Tests of Q-learning on decisions whose values are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import categorical
from nasjax.strategies import q_learning
from nasjax.types import Proposal

_SPACE = categorical.categorical({'op': (3, 3)})
_REWARD = np.random.default_rng(0).uniform(0, 1, (3, 3)).astype(np.float32)


def _value(archs):
  """A reward of the last two decisions: states say all that matters."""
  return jnp.asarray(_REWARD)[archs['op'][:, 1], archs['op'][:, 2]]


def _train(strategy, value, num_steps):
  def step(state, key):
    ask_key, tell_key = jax.random.split(key)
    proposal, state = strategy.ask(ask_key, state)
    values = value(proposal.archs)
    state, metrics = strategy.tell(tell_key, state, proposal, values)
    return state, (values.mean(), metrics['value_of_start'])

  keys = jax.random.split(jax.random.key(1), num_steps)
  state = strategy.init(jax.random.key(0))
  return jax.jit(lambda state: jax.lax.scan(step, state, keys))(state)


def test_values_are_those_of_value_iteration():
  strategy = q_learning.q_learning(
    _SPACE,
    *(16, 1.0),
    discount=0.9,
    capacity=64,
    num_iterations=40,
    shared=False,
  )
  state, (rewards, start) = _train(strategy, _value, 40)
  last = _REWARD  # by the decision before and the last one
  middle = np.tile(0.9 * last.max(1), (3, 1))
  first = np.full(3, 0.9 * middle.max())
  np.testing.assert_allclose(state.table[2, 1:], last, rtol=1e-5)
  np.testing.assert_allclose(state.table[1, 1:], middle, rtol=1e-5)
  np.testing.assert_allclose(state.table[0, 0], first, rtol=1e-5)
  np.testing.assert_allclose(start[-1], first[0], rtol=1e-5)
  # What is drawn becomes greedy.
  assert rewards[-4:].mean() > rewards[:10].mean() + 0.1


def test_a_shared_reward_has_the_value_of_the_whole():
  strategy = q_learning.q_learning(
    _SPACE, 16, 0.5, capacity=64, num_iterations=10
  )
  constant = lambda archs: jnp.full(16, 0.9)
  state, _ = _train(strategy, constant, 30)
  for d, left in enumerate((0.9, 0.6, 0.3)):
    seen = np.asarray(state.table[d, min(d, 1) :])
    seen = seen[:1] if d == 0 else seen
    np.testing.assert_allclose(seen, left, atol=2e-3)


def test_stairs_are_those_of_178_iterations_and_stretch():
  assert sum(number for _, number in q_learning.STAIRS) == 178
  whole = q_learning._epsilons(q_learning.STAIRS, 178)
  np.testing.assert_allclose(whole[[0, 94, 95, 177]], [1.0, 1.0, 0.9, 0.1])
  half = q_learning._epsilons(q_learning.STAIRS, 89)
  np.testing.assert_array_equal(half, whole[::2])
  longer = q_learning._epsilons(q_learning.STAIRS, 356)
  np.testing.assert_array_equal(longer[::2], whole)


def test_failures_teach_nothing_and_forbidden_choices_are_never_drawn():
  mask = {'op': np.arange(9).reshape(3, 3) % 3 != 1}
  strategy = q_learning.q_learning(
    _SPACE.restrict(mask), 8, 0.5, capacity=16, stairs=((0.5, 1),)
  )
  state = strategy.init(jax.random.key(0))
  proposal, state = strategy.ask(jax.random.key(1), state)
  assert not np.any(proposal.archs['op'] == 1)
  values = jnp.array([jnp.nan, jnp.inf, -jnp.inf, *[jnp.nan] * 5])
  state, _ = strategy.tell(jax.random.key(2), state, proposal, values)
  assert not state.table.any()
  # A bad choice has a lower value than one that is not allowed: no matter.
  bad = Proposal(proposal.archs, proposal.fidelity)
  state, _ = strategy.tell(jax.random.key(2), state, bad, jnp.full(8, -1.0))
  proposal, _ = strategy.ask(jax.random.key(3), state)
  assert np.all(np.isfinite(state.table)) and state.table.min() < 0
  assert not np.any(proposal.archs['op'] == 1)


def test_sizes_that_do_not_fit_are_refused():
  with pytest.raises(ValueError, match='batch_size=64, capacity=32'):
    q_learning.q_learning(_SPACE, capacity=32)
