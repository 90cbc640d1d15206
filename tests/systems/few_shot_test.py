"""Tests of Few-shot NAS as a system: what is searched by which supernet."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.distributions import controller
from nasjax.searches import hypergradients
from nasjax.spaces import subspaces
from nasjax.strategies import random_search
from nasjax.systems import darts, enas, few_shot
from tests.systems import mixtures

_KEY = jax.random.key(0)
_BATCHES = mixtures.batches(12, 20)
_VALID = mixtures.batches(2, 40)['valid']
_PARTS = (mixtures.SPACE, mixtures.NETWORK, mixtures.INPUT_SHAPE, _VALID)


def _run(search, num_steps, batches):
  state, update = search.init(_KEY), jax.jit(search.update)
  for t in range(num_steps):
    batch = jax.tree.map(lambda x, t=t: x[t], batches)
    state, _ = update(jax.random.fold_in(_KEY, t), state, batch)
  return state


def _accuracy(weights, arch):
  image, label = (_VALID[k].reshape(80, *_VALID[k].shape[2:]) for k in _VALID)
  logits = mixtures.NETWORK.apply({'params': weights}, arch, image)
  return jnp.mean(logits.argmax(-1) == label)


def test_the_best_by_the_supernets_of_all_parts_is_found():
  strategy = random_search.random_search(mixtures.SPACE, 9, replace=False)
  search = few_shot.few_shot(*_PARTS, 2, 2, 1, strategy=strategy, batch_size=9)
  # (2 + 3 * 1) epochs of 2 updates, and a proposal.
  state = _run(search, 11, _BATCHES['train'])
  nets = state.first.nets
  assert nets.step.tolist() == [4, 2, 2, 2]
  weights = [{'w': w} for w in nets.weights['w']]
  values = [
    _accuracy(weights[1 + a], {'op': jnp.array([a, b])})
    for a in range(3)
    for b in range(3)
  ]
  found = search.best(_KEY, state)['op'] @ jnp.array([3, 1])
  np.testing.assert_allclose(values[int(found)], max(values))
  np.testing.assert_allclose(state.second.found.values[0], max(values))


_INNER = {
  'darts': functools.partial(
    darts.darts,
    network=mixtures.NETWORK,
    input_shape=mixtures.INPUT_SHAPE,
    steps_per_epoch=2,
    hypergradient=hypergradients.first_order(),
    arch_learning_rate=0.1,
    derive=None,
  ),
  'enas': functools.partial(
    enas.enas,
    network=mixtures.NETWORK,
    input_shape=mixtures.INPUT_SHAPE,
    valid=_VALID,
    steps_per_epoch=1,
    policy_steps=1,
    num_samples=4,
    num_candidates=4,
    batch_size=4,
  ),
}


@pytest.mark.parametrize('name', _INNER)
def test_inner_searches_go_from_part_to_part_and_the_best_answer_wins(name):
  search = few_shot.few_shot(*_PARTS, 1, 2, 3, inner=_INNER[name])
  state = _run(search, 11, _BATCHES)
  assert state.nets.step.tolist() == [2, 3, 3, 3]
  weights = np.asarray(state.nets.weights['w'])
  for part in range(3):
    others = [k for k in range(3) if k != part]
    if name == 'enas':  # no decay of what is not drawn
      np.testing.assert_array_equal(
        weights[1 + part, 0, others], weights[0, 0, others]
      )
    assert np.any(weights[1 + part, 1] != weights[0, 1])
  found = jax.jit(search.best)(_KEY, state)
  part = int(found['op'][0])
  if name == 'darts':
    alpha = state.nets.arch_params['op']
    answers = [
      {'op': jnp.array([k, jnp.argmax(alpha[1 + k, 1])])} for k in range(3)
    ]
    values = [
      _accuracy({'w': weights[1 + k]}, a) for k, a in enumerate(answers)
    ]
    assert part == int(np.argmax(values))
    assert found['op'].tolist() == answers[part]['op'].tolist()


def test_the_controller_of_a_part_draws_from_it_alone():
  split = subspaces.split(mixtures.SPACE)

  @jax.jit
  def draw(mask, keys):
    part = subspaces.within(mixtures.SPACE, mask)
    policy = controller.controller(part, 4, 1)
    params = policy.init(_KEY)
    archs = jax.vmap(policy.sample, (0, None))(keys, params)
    return archs, jax.vmap(policy.log_prob, (None, 0))(params, archs)

  for k in range(3):
    mask = jax.tree.map(lambda m, k=k: jnp.asarray(m[k]), split.masks)
    archs, log_prob = draw(mask, jax.random.split(_KEY, 40))
    assert set(np.asarray(archs['op'][:, 0])) == {k}
    assert set(np.asarray(archs['op'][:, 1])) == {0, 1, 2}
    # One decision is open: about a third each at the start.
    np.testing.assert_allclose(log_prob, np.log(1 / 3), atol=0.1)


def test_an_inner_search_with_a_strategy_is_a_value_error():
  with pytest.raises(ValueError, match='needs no strategy'):
    few_shot.few_shot(
      *_PARTS,
      1,
      inner=_INNER['darts'],
      strategy=random_search.random_search(mixtures.SPACE),
    )
