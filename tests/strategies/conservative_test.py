"""One class of the best architecture at a time, drawn by what is undecided."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.networks import controller as controllers
from nasjax.spaces import categorical
from nasjax.strategies import conservative
from nasjax.types import Proposal

_SPACE = categorical.categorical({'a': (2, 3), 'b': (1, 4), 'c': (3, 2)})
_GAIN = {'a': jnp.arange(3.0), 'b': jnp.arange(4.0), 'c': jnp.arange(2.0)}


def _build(space=_SPACE, **settings):
  return conservative.conservative(
    space, **dict(optimizer=optax.adam(0.02), features=8) | settings
  )


_STRATEGY = _build()


def _value(arch):
  gains = jax.tree.map(lambda gain, leaf: gain[leaf].sum(), _GAIN, arch)
  return sum(jax.tree.leaves(gains))


def _step(strategy, key, state):
  ask_key, tell_key = jax.random.split(key)
  proposal, asked = strategy.ask(ask_key, state)
  values = jax.vmap(_value)(proposal.archs)
  state, metrics = strategy.tell(tell_key, asked, proposal, values)
  return state, (proposal.archs, values[0], state.best, state.value, metrics)


def _run(strategy, num_steps, seed=0):
  @jax.jit
  def run(key):
    keys = jax.random.split(key, num_steps + 1)
    return jax.lax.scan(
      lambda state, key: _step(strategy, key, state),
      strategy.init(keys[0]),
      keys[1:],
    )

  return run(jax.random.key(seed))


@pytest.mark.parametrize('num_classes', [1, 2])
def test_an_offspring_differs_from_the_best_in_the_chosen_classes(num_classes):
  _, (archs, values, best, value, _) = _run(_build(num_classes=num_classes), 60)
  np.testing.assert_array_equal(
    value, np.maximum.accumulate(np.asarray(values))
  )
  changed = [
    np.any(np.asarray(archs[name][1:, 0] != best[name][:-1]), axis=-1)
    for name in archs
  ]
  assert np.sum(changed, axis=0).max() == num_classes
  # Every class is chosen at times.
  assert np.any(changed, axis=1).all()


def test_the_first_architecture_is_of_the_space_and_teaches_nothing():
  state = _STRATEGY.init(jax.random.key(0))
  after, (archs, _, best, _, metrics) = _step(
    _STRATEGY, jax.random.key(1), state
  )
  chex.assert_trees_all_equal(jax.tree.map(lambda x: x[0], archs), best)
  chex.assert_trees_all_equal(after.params, state.params)
  assert metrics['reward'] == 0


def test_a_first_architecture_that_fails_is_followed_by_another():
  state, seen = _STRATEGY.init(jax.random.key(0)), []
  for t in range(4):
    proposal, state = _STRATEGY.ask(jax.random.key(t), state)
    value = jnp.array([jnp.nan if t < 3 else 0.0])
    after, metrics = _STRATEGY.tell(jax.random.key(t), state, proposal, value)
    chex.assert_trees_all_equal(after.params, state.params)
    assert metrics['reward'] == 0
    seen.append(str(jax.tree.map(np.asarray, proposal.archs)))
    state = after
  assert len(set(seen)) == 4
  assert state.value == 0
  best = jax.tree.map(lambda leaf: leaf[0], proposal.archs)
  chex.assert_trees_all_equal(state.best, best)


def _told(strategy, arch, value):
  """The state after a second architecture with some value."""
  state = strategy.init(jax.random.key(0))
  state = state._replace(value=jnp.float32(1))
  archs = jax.tree.map(lambda leaf: leaf[None], arch)
  proposal = Proposal(archs, jnp.ones(1))
  after, _ = strategy.tell(
    jax.random.key(1), state, proposal, jnp.array([value])
  )
  return state, after


def _differing(state, name):
  arch = dict(state.best)
  size = _SPACE.mask[name].shape[-1]
  return dict(arch, **{name: (arch[name] + 1) % size})


def test_an_equal_value_moves_nothing():
  start = _STRATEGY.init(jax.random.key(0))
  state, after = _told(_STRATEGY, _differing(start, 'a'), 1.0)
  chex.assert_trees_all_equal(after.params, state.params)


@pytest.mark.parametrize('value', [jnp.nan, -jnp.inf])
def test_a_failure_changes_nothing(value):
  start = _STRATEGY.init(jax.random.key(0))
  state, after = _told(_STRATEGY, _differing(start, 'b'), value)
  chex.assert_trees_all_equal(after, state)


def test_only_the_controller_of_the_changed_class_learns():
  start = _STRATEGY.init(jax.random.key(0))
  state, after = _told(_STRATEGY, _differing(start, 'b'), 0.5)
  moved = [
    jax.tree.reduce(
      np.logical_or,
      jax.tree.map(lambda a, b, c=c: np.any(a[c] != b[c]), new, old),
    )
    for c in range(3)
    for new, old in [
      ((state.params, state.optimizer), (after.params, after.optimizer))
    ]
  ]
  assert moved == [False, True, False]
  chex.assert_trees_all_equal(after.best, state.best)


def _share(strategy, state, arch, num=4000):
  """How often an architecture is proposed."""

  def one(key):
    proposal, _ = strategy.ask(key, state)
    same = jax.tree.map(lambda a, b: jnp.all(a[0] == b), proposal.archs, arch)
    return jnp.all(jnp.stack(jax.tree.leaves(same)))

  keys = jax.random.split(jax.random.key(5), num)
  return np.mean(jax.jit(jax.vmap(one))(keys))


@pytest.mark.parametrize('value, rises', [(1.5, True), (0.5, False)])
def test_what_was_better_is_drawn_more_often(value, rises):
  # A step that is large enough to see.
  strategy = _build(optimizer=optax.sgd(20.0), by_entropy=False)
  start = strategy.init(jax.random.key(0))
  arch = _differing(start, 'b')
  state, after = _told(strategy, arch, value)
  # From the same best architecture: what moved are the weights alone.
  after = after._replace(best=state.best, value=state.value)
  before = _share(strategy, state, arch)
  assert before == pytest.approx(1 / 12, abs=0.03)
  change = _share(strategy, after, arch) - before
  assert change > 0.02 if rises else change < -0.02


def test_classes_are_drawn_in_proportion_to_their_entropy():
  # Class 'c' has one choice left in each decision: no entropy.
  allowed = {
    'a': np.ones((2, 3), bool),
    'b': np.ones((1, 4), bool),
    'c': np.arange(2) + np.zeros((3, 1)) < 1,
  }
  space = categorical.categorical(allowed)
  strategy = _build(space)
  state = strategy.init(jax.random.key(0))._replace(value=jnp.float32(0))

  def changed(key):
    archs = strategy.ask(key, state)[0].archs
    return jnp.stack(
      [jnp.any(archs[n][0] != state.best[n]) for n in ('a', 'b')]
    )

  keys = jax.random.split(jax.random.key(1), 6000)
  share = np.mean(jax.jit(jax.vmap(changed))(keys), axis=0)
  # Policies are all but uniform at first: entropies 2 log 3 and log 4.
  entropies = np.array([2 * np.log(3), np.log(4)])
  expected = entropies / entropies.sum() * (1 - 1 / np.array([9, 4]))
  np.testing.assert_allclose(share, expected, atol=0.03)


def test_better_than_random_search_where_classes_add_up():
  _, (_, _, _, value, _) = _run(_STRATEGY, 60)
  # The best of 4 + 3 + 3.
  assert value[-1] == 10


def test_more_classes_than_there_are_are_refused():
  with pytest.raises(ValueError, match='from 1 to the 3 leaves'):
    _build(num_classes=4)


def test_an_order_is_the_same_controller_on_sorted_decisions():
  allowed = np.ones((3, 4), bool)
  noise = jax.random.normal(jax.random.key(0), (3, 4))
  order = np.array([2, 0, 1])
  network = controllers.Controller((0, 1, 2), 5, 1)
  variables = network.init(jax.random.key(1), allowed, noise)
  renamed = jax.tree.map(lambda x: x, variables)
  for name in ('heads', 'biases', 'embeddings'):
    renamed['params'][name] = variables['params'][name][order]
  choices, logits = network.apply(variables, allowed, noise, order=order)
  expected = network.apply(renamed, allowed, noise[order])
  np.testing.assert_array_equal(choices[order], expected[0])
  np.testing.assert_allclose(logits[order], expected[1], rtol=1e-6)
