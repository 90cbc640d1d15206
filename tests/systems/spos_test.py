"""Tests of SPOS and FairNAS, which differ in their sampler and optimiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.strategies import genetic, random_search
from nasjax.systems import fairnas, spos
from tests.systems import mixtures

_KEY = jax.random.key(0)
_BATCHES = mixtures.batches(12, 20)['train']
_VALID = mixtures.batches(2, 40)['valid']
_PARTS = (mixtures.SPACE, mixtures.NETWORK, mixtures.INPUT_SHAPE, _VALID)
_TRAINING = 8


def _cost(arch):
  return jnp.sum(arch['op'])


def _run(search, num_steps):
  """All states of a search."""
  state, update = search.init(_KEY), jax.jit(search.update)
  states = [state]
  for t in range(num_steps):
    batch = jax.tree.map(lambda x, t=t: x[t], _BATCHES)
    state, _ = update(jax.random.fold_in(_KEY, t), state, batch)
    states.append(state)
  return states


def _moved(states, t):
  """Which options an update has moved, `bool[D, K]`."""
  before, after = (s.first.weights['w'] for s in states[t : t + 2])
  return np.any(before != after, axis=(2, 3))


def _accuracies(weights):
  """The accuracy of every architecture on the validation split."""
  archs = jax.vmap(mixtures.SPACE.index)(jnp.arange(9))
  image, label = (_VALID[k].reshape(80, *_VALID[k].shape[2:]) for k in _VALID)

  def one(arch):
    logits = mixtures.NETWORK.apply({'params': weights}, arch, image)
    return jnp.mean(logits.argmax(-1) == label)

  return np.asarray(jax.vmap(one)(archs)), np.asarray(jax.vmap(_cost)(archs))


def test_paths_are_trained_first_then_the_best_feasible_one_is_found():
  search = spos.spos(
    *_PARTS, _TRAINING, cost=_cost, limit=2.0, batch_size=50, archive_size=3
  )
  states = _run(search, _TRAINING + 2)
  for t in range(_TRAINING):
    assert _moved(states, t).sum(1).tolist() == [1, 1]  # one path
  for t in (_TRAINING, _TRAINING + 1):
    assert not _moved(states, t).any()
  accuracies, costs = _accuracies(states[-1].first.weights)
  found = search.best(_KEY, states[-1])
  assert _cost(found) <= 2
  number = int(found['op'] @ jnp.array([3, 1]))
  assert accuracies[number] == accuracies[costs <= 2].max()


def test_unused_options_are_neither_decayed_nor_carried_on():
  search = spos.spos(*_PARTS, _TRAINING, weight_decay=0.1, batch_size=50)
  states = _run(search, 3)
  moved = np.sum([_moved(states, t) for t in range(3)], axis=0)
  # With decay or momentum all that was ever used would go on moving.
  assert moved.sum() == 6


def test_random_search_with_weight_sharing_is_another_strategy():
  strategy = random_search.random_search(mixtures.SPACE, 9, replace=False)
  search = spos.spos(*_PARTS, 1, strategy=strategy, batch_size=9)
  states = _run(search, 2)
  accuracies, _ = _accuracies(states[-1].first.weights)
  number = int(search.best(_KEY, states[-1])['op'] @ jnp.array([3, 1]))
  assert accuracies[number] == accuracies.max()


def test_a_fair_update_trains_every_option():
  search = fairnas.fairnas(*_PARTS, 2, 2, batch_size=50)
  states = _run(search, 5)
  for t in range(4):
    assert _moved(states, t).all()
  assert not _moved(states, 4).any()


@pytest.mark.parametrize(
  'settings',
  [
    dict(cost=_cost),
    dict(limit=1.0),
    dict(cost=_cost, limit=1.0, strategy=genetic.genetic(mixtures.SPACE)),
  ],
)
def test_a_constraint_that_would_not_hold_is_a_value_error(settings):
  with pytest.raises(ValueError, match='both a cost and a limit'):
    spos.spos(*_PARTS, 1, **settings)
