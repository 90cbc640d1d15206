"""Tests of scores with shared weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.estimators import one_shot, samplers
from nasjax.networks import loss as losses
from tests.estimators import tiny
from tests.systems import mixtures

NETWORK = tiny.Network()
LOSS = losses.classification_loss(NETWORK)
ARCHS = [{'op': jnp.array(op)} for op in ([1, 0, 2], [2, 1, 1])]


def _valid(num_batches=3):
  return jax.vmap(lambda key: tiny.images(key, 8))(
    jax.random.split(jax.random.key(9), num_batches)
  )


@pytest.fixture(name='parts', scope='module')
def _parts():
  """The estimator, its compiled functions and a fresh state."""
  init_params = one_shot.init_supernet(NETWORK, tiny.SPACE, tiny.SHAPE)
  estimator = one_shot.one_shot(
    samplers.uniform(tiny.SPACE),
    LOSS,
    init_params,
    optax.sgd(0.1),
    _valid(),
  )
  functions = estimator._replace(
    update=jax.jit(estimator.update), score=jax.jit(estimator.score)
  )
  return functions, functions.init(jax.random.key(0))


def test_the_supernet_holds_slots_of_all_operations(parts):
  _, state = parts
  slots = state.weights['cell']['edges_0']
  assert set(slots) == {'nor_conv_1x1', 'dil_conv_3x3'}  # skips own nothing
  for leaf in jax.tree.leaves(slots):
    assert leaf.shape[0] == len(tiny.EDGES)


def test_supernets_of_two_keys_differ(parts):
  functions, state = parts
  other = functions.init(jax.random.key(1))
  for a, b in zip(*map(jax.tree.leaves, (state.weights, other.weights))):
    assert np.abs(a - b).max() > 1e-3


def test_an_update_changes_the_weights_of_chosen_operations_alone(parts):
  functions, state = parts
  for seed in range(4):
    key = jax.random.key(seed)
    arch = tiny.SPACE.sample(jax.random.split(key)[0])
    after, metrics = functions.update(key, state, tiny.images(key))
    assert set(metrics) == {'train_loss', 'train_accuracy'}
    for k, name in enumerate(tiny.NAMES[1:], 1):
      old, new = (
        jax.tree.leaves(s.weights['cell']['edges_0'][name])
        for s in (state, after)
      )
      for a, b in zip(old, new):
        moved = [np.any(a[e] != b[e]) for e in range(len(tiny.EDGES))]
        # A zero gradient would need dead units: there is none here.
        assert moved == [op == k for op in arch['op'].tolist()]


def test_a_score_is_the_mean_accuracy_on_the_validation_batches(parts):
  functions, state = parts
  valid = _valid()
  logits = jax.jit(
    lambda arch, x: NETWORK.apply({'params': state.weights}, arch, x)
  )
  for arch in ARCHS:
    hits = [
      np.asarray(logits(arch, x)).argmax(1) == np.asarray(label)
      for x, label in zip(valid['image'], valid['label'])
    ]
    score = functions.score(jax.random.key(0), state, arch)
    np.testing.assert_allclose(score, np.mean(hits), rtol=1e-6)


def test_scores_do_not_depend_on_the_key(parts):
  functions, state = parts
  scores = {
    float(functions.score(jax.random.key(seed), state, ARCHS[0]))
    for seed in range(3)
  }
  assert len(scores) == 1


def test_training_on_random_architectures_raises_the_score_of_all(parts):
  functions, state = parts
  before = [functions.score(jax.random.key(0), state, a) for a in ARCHS]
  for t in range(30):
    key = jax.random.key(100 + t)
    state, _ = functions.update(key, state, tiny.images(key))
  after = [functions.score(jax.random.key(0), state, a) for a in ARCHS]
  assert min(after) > 0.9
  assert np.mean(after) > np.mean(before)


def test_gradients_of_an_update_are_added_up():
  loss = losses.classification_loss(mixtures.NETWORK)
  batch = jax.tree.map(lambda x: x[0], mixtures.batches(1)['train'])
  key = jax.random.key(0)
  weights = mixtures.NETWORK.init(key, None, batch['image'])['params']
  archs = {'op': jnp.array([[0, 1], [2, 1], [0, 1]])}
  gradient, value, metrics = jax.jit(
    lambda: one_shot.gradient_of(loss, weights, archs, key, batch)
  )()
  differentiate = jax.jit(jax.value_and_grad(loss, has_aux=True))
  one = [differentiate(weights, {'op': op}, key, batch) for op in archs['op']]
  np.testing.assert_allclose(
    gradient['w'], sum(g['w'] for _, g in one), rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(value, np.mean([v for (v, _), _ in one]), 1e-5)
  np.testing.assert_allclose(
    metrics['accuracy'], np.mean([m['accuracy'] for (_, m), _ in one]), 1e-5
  )


def test_a_fair_update_moves_all_options_and_a_path_its_own():
  batch = jax.tree.map(lambda x: x[0], mixtures.batches(1)['train'])
  for sampler, moving in (
    (samplers.strictly_fair(mixtures.SPACE), [3, 3]),
    (samplers.uniform(mixtures.SPACE), [1, 1]),
  ):
    estimator = one_shot.one_shot(
      sampler,
      losses.classification_loss(mixtures.NETWORK),
      one_shot.init_supernet(
        mixtures.NETWORK, mixtures.SPACE, mixtures.INPUT_SHAPE
      ),
      optax.sgd(0.1),
      None,
    )
    state = estimator.init(jax.random.key(0))
    after, _ = jax.jit(estimator.update)(jax.random.key(1), state, batch)
    moved = np.any(after.weights['w'] != state.weights['w'], axis=(2, 3))
    assert moved.sum(1).tolist() == moving
    assert after.step == 1
