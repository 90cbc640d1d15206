"""Tests of supernets of parts: what they inherit, train on and cost."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.estimators import few_shot, one_shot, samplers
from nasjax.networks import loss as losses
from nasjax.spaces import subspaces
from tests.systems import mixtures

_SPACE = mixtures.SPACE
_KEYS = jax.random.split(jax.random.key(7), 20)
_VALID = mixtures.batches(3, 40)['valid']
_BATCHES = mixtures.batches(20)['train']
_SHARED, _EACH = 4, 3


def _supernet(space, length=None):
  del length
  return one_shot.one_shot(
    samplers.uniform(space),
    losses.classification_loss(mixtures.NETWORK),
    one_shot.init_supernet(mixtures.NETWORK, _SPACE, mixtures.INPUT_SHAPE),
    optax.sgd(0.5, momentum=0.9),
    _VALID,
  )


def _at(tree, i):
  return jax.tree.map(lambda leaf: leaf[i], tree)


@functools.cache
def _run(num_steps, groups=None, num_shared=_SHARED):
  """The state after some updates."""
  split = subspaces.split(_SPACE, groups=groups)
  estimator = few_shot.few_shot(_SPACE, _supernet, split, num_shared, _EACH)
  state, update = estimator.init(jax.random.key(0)), jax.jit(estimator.update)
  for t in range(num_steps):
    state, _ = update(_KEYS[t], state, _at(_BATCHES, t))
  return estimator, state


def _scores(estimator, state):
  archs = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  return np.asarray(
    jax.jit(
      lambda state: jax.lax.map(
        lambda arch: estimator.score(jax.random.key(0), state, arch), archs
      )
    )(state)
  )


def test_every_supernet_gets_its_share_of_updates():
  _, state = _run(_SHARED + 3 * _EACH)
  assert state.nets.step.tolist() == [_SHARED, _EACH, _EACH, _EACH]
  _, state = _run(_SHARED + _EACH + 1)
  assert state.nets.step.tolist() == [_SHARED, _EACH, 1, 0]


@pytest.mark.parametrize('total, parts', [(2100, 5), (2101, 5), (17, 4)])
def test_a_budget_is_spent_to_the_last_update(total, parts):
  shared, each = few_shot.budget(total, parts, 2 / 7)
  assert shared + parts * each == total
  assert -1e-3 <= shared - 2 / 7 * total < parts + 1


def test_a_budget_can_be_that_of_the_authors():
  assert few_shot.budget(2100, 5, 2 / 7) == (600, 300)


def test_a_budget_without_updates_for_parts_is_a_value_error():
  with pytest.raises(ValueError, match='none to each of 4 parts'):
    few_shot.budget(3, 4, 0.5)


def test_parts_start_from_exactly_the_weights_of_the_whole():
  estimator, state = _run(_SHARED)
  whole = _supernet(_SPACE)
  inherited = _scores(estimator, state)
  np.testing.assert_array_equal(inherited, _scores(whole, _at(state.nets, 0)))
  _, later = _run(_SHARED + 1)
  shared = _at(state.nets, 0)
  # The first update of part 0, by hand: its weights, a new optimiser.
  fresh = whole.init(jax.random.key(0))._replace(weights=shared.weights)
  part = subspaces.within(
    _SPACE, _at(jax.tree.map(jnp.asarray, subspaces.split(_SPACE).masks), 0)
  )
  expected, _ = jax.jit(_supernet(part).update)(
    _KEYS[_SHARED], fresh, _at(_BATCHES, _SHARED)
  )
  np.testing.assert_allclose(
    later.nets.weights['w'][1], expected.weights['w'], rtol=1e-6
  )
  np.testing.assert_array_equal(
    later.nets.weights['w'][0], state.nets.weights['w'][0]
  )


def test_a_part_never_moves_options_outside_of_it():
  _, state = _run(_SHARED + 3 * _EACH)
  whole, *parts = np.asarray(state.nets.weights['w'])
  for k, weights in enumerate(parts):
    moved = np.any(weights != whole, axis=(-1, -2))
    assert moved[0].tolist() == [option == k for option in range(3)]
    assert moved[1].any()


def test_an_architecture_is_scored_by_the_supernet_of_its_part():
  estimator, state = _run(_SHARED + 3 * _EACH)
  found = _scores(estimator, state)
  of_each = np.stack(
    [_scores(_supernet(_SPACE), _at(state.nets, 1 + k)) for k in range(3)]
  )
  owner = np.arange(_SPACE.size) // 3  # the first decision
  np.testing.assert_array_equal(found, of_each[owner, np.arange(_SPACE.size)])
  assert np.any(found != of_each[0])


def test_one_part_with_all_options_is_the_one_shot_supernet():
  _, state = _run(6, groups=((0, 1, 2),), num_shared=0)
  mask = jax.tree.map(jnp.asarray, _SPACE.mask)
  plain = _supernet(subspaces.within(_SPACE, mask))
  expected, update = plain.init(jax.random.key(0)), jax.jit(plain.update)
  for t in range(6):
    expected, _ = update(_KEYS[t], expected, _at(_BATCHES, t))
  np.testing.assert_allclose(
    state.nets.weights['w'][1], expected.weights['w'], rtol=1e-6
  )
  assert state.nets.step.tolist() == [0, 6]


def test_a_part_of_one_architecture_is_trained_alone():
  split = subspaces.split(_SPACE, which=(0, 1))
  estimator = few_shot.few_shot(_SPACE, _supernet, split, 0, 2)
  state, update = estimator.init(jax.random.key(0)), jax.jit(estimator.update)
  for t in range(4):
    state, _ = update(_KEYS[t], state, _at(_BATCHES, t))
  loss = losses.classification_loss(mixtures.NETWORK)
  gradient = jax.grad(lambda w, arch, batch: loss(w, arch, None, batch)[0])
  for part in range(2):
    arch, tx = _SPACE.index(part), optax.sgd(0.5, momentum=0.9)
    weights = _at(estimator.init(jax.random.key(0)).nets.weights, 0)
    moments = tx.init(weights)
    for t in (2 * part, 2 * part + 1):
      descent = gradient(weights, arch, _at(_BATCHES, t))
      updates, moments = tx.update(descent, moments)
      weights = optax.apply_updates(weights, updates)
    np.testing.assert_allclose(
      state.nets.weights['w'][1 + part], weights['w'], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize('numbers', [(-1, 1), (0, 0)])
def test_turns_out_of_range_are_a_value_error(numbers):
  with pytest.raises(ValueError, match='num_shared must be'):
    few_shot.few_shot(_SPACE, _supernet, subspaces.split(_SPACE), *numbers)
