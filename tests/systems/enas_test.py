"""Tests of ENAS: turns of weights and policy, and the policy's gradient."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.distributions import categorical as categorical_policy
from nasjax.networks import loss as losses
from nasjax.systems import enas
from tests.systems import mixtures

_KEY = jax.random.key(0)
_BATCH = jax.tree.map(lambda x: x[0], mixtures.batches(1, 20))
_VALID = mixtures.batches(2, 20)['valid']
_LOGITS = np.array([[0.3, -0.4, 0.0], [-1.0, 0.5, 0.2]], np.float32)


def _policy():
  """Independent decisions that are not equally likely at first."""
  policy = categorical_policy.categorical(mixtures.SPACE)
  return policy._replace(init=lambda key: {'op': jnp.asarray(_LOGITS)})


@functools.cache
def _search(num_samples, **settings):
  settings = dict(policy_steps=3, num_candidates=40, decay=1.0) | settings
  return enas.enas(
    mixtures.SPACE,
    mixtures.NETWORK,
    mixtures.INPUT_SHAPE,
    _VALID,
    2,
    policy=_policy(),
    policy_optimizer=optax.sgd(1.0),  # the update is the gradient itself
    num_samples=num_samples,
    batch_size=num_samples,
    **settings,
  )


def test_epochs_of_weights_and_of_the_policy_take_turns():
  search = _search(4)
  state, update = search.init(_KEY), jax.jit(search.update)
  for t in range(10):
    after, metrics = update(jax.random.fold_in(_KEY, t), state, _BATCH)
    of_weights = t % 5 < 2
    same = lambda a, b: all(map(np.array_equal, *map(jax.tree.leaves, (a, b))))
    assert same(after.weights, state.weights) != of_weights
    assert same(after.strategy.params, state.strategy.params) == of_weights
    assert (metrics['train_loss'] != 0) == of_weights
    assert (metrics['reward_mean'] != 0) != of_weights
    state = after
  assert state.step == 10


def _expected_accuracy(logits, accuracies):
  """Sum over all architectures, and its exact gradient."""
  p = jax.nn.softmax(logits)
  return sum(
    p[0, a] * p[1, b] * accuracies[a, b]
    for a, b in itertools.product(range(3), range(3))
  )


def test_the_policy_ascends_the_expected_accuracy_with_shared_weights():
  num_samples, num_updates = 512, 30
  search = _search(num_samples, entropy_weight=0.0)
  state = search.init(_KEY)._replace(step=jnp.int32(2))  # the policy's turn
  loss = losses.classification_loss(mixtures.NETWORK)
  accuracies = np.zeros((3, 3), np.float32)
  for a, b in itertools.product(range(3), range(3)):
    arch = {'op': jnp.array([a, b])}
    accuracies[a, b] = loss(state.weights, arch, None, _BATCH['valid'])[1][
      'accuracy'
    ]
  exact = jax.grad(_expected_accuracy)(jnp.asarray(_LOGITS), accuracies)
  assert np.abs(exact).max() > 0.01

  @jax.jit
  def steps(keys):
    def one(key):
      after, _ = search.update(key, state, _BATCH)
      return after.strategy.params['op'] - state.strategy.params['op']

    return jax.lax.map(one, keys)

  moved = np.asarray(steps(jax.random.split(_KEY, num_updates)))
  error = moved.std(0, ddof=1) / np.sqrt(num_updates)
  assert np.all(np.abs(moved.mean(0) - exact) < 4 * error + 1e-6)
  assert error.max() < 0.01


def test_the_answer_is_the_best_of_the_last_draws():
  search = _search(4)
  state = search.init(_KEY)
  loss = losses.classification_loss(mixtures.NETWORK)
  archs = jax.vmap(mixtures.SPACE.index)(jnp.arange(9))
  accuracies = np.mean(
    [
      jax.vmap(
        lambda arch, t=t: loss(
          state.weights, arch, None, jax.tree.map(lambda x: x[t], _VALID)
        )[1]['accuracy']
      )(archs)
      for t in range(2)
    ],
    axis=0,
  )
  # 40 draws meet all nine but those of the lowest probability.
  found = jax.jit(search.best)(_KEY, state)['op'] @ jnp.array([3, 1])
  assert accuracies[found] >= np.sort(accuracies)[-2]
