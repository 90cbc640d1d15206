"""Tests of training from scratch."""

import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import stand_alone, training
from tests.estimators import tiny

ARCH = {'op': jnp.array([1, 0, 1])}
TRACKED = tiny.Network(track=True, names=tiny.NAMES[:2])


TRAINER = training.train_child(
  TRACKED, tiny.SHAPE, num_steps=20, learning_rate=0.2
)


@pytest.fixture(name='jitted', scope='module')
def _jitted():
  return training.Trainer(*map(jax.jit, TRAINER))


def _linear(extra=None):
  """Logits `x @ w` for w = params, without initial state of any kind."""

  def apply(variables, arch, x, train=True, mutable=None, **options):
    logits = x @ variables['params']['w']
    if extra:
      logits = extra(logits, train, **options)
    return (logits, {}) if mutable else logits

  def init(key, arch, x):
    return {'params': {'w': jnp.array([[1.0, -1.0], [0.5, 2.0]])}}

  return types.SimpleNamespace(init=init, apply=apply)


BATCH = {
  'image': jnp.array([[1.0, 2.0], [-3.0, 0.5], [0.0, 1.0]]),
  'label': jnp.array([0, 1, 0]),
}


# One network.


def test_a_tiny_network_learns_to_tell_two_classes():
  valid = tiny.stacked(jax.random.key(9), 2, 16)
  estimator = stand_alone.stand_alone(
    TRAINER,
    lambda key, t: tiny.images(jax.random.fold_in(key, t)),
    valid,
    num_steps=20,
  )
  score = jax.jit(estimator.score)
  assert score(jax.random.key(0), (), ARCH) > 0.9
  untrained = [score(jax.random.key(seed), (), ARCH, 0.0) for seed in range(6)]
  assert np.mean(untrained) < 0.8


def test_an_update_is_sgd_with_clipping_then_decay_then_momentum():
  num_steps, rate, momentum, decay, max_norm = 4, 0.3, 0.8, 0.1, 0.2
  trainer = training.train_child(
    _linear(),
    (2,),
    num_steps,
    learning_rate=rate,
    momentum=momentum,
    weight_decay=decay,
    max_norm=max_norm,
  )
  child = trainer.init(jax.random.key(0), None)
  update = jax.jit(trainer.update)
  x, y = np.asarray(BATCH['image']), np.eye(2)[np.asarray(BATCH['label'])]
  w, buffer = np.asarray(child.params['w'], np.float64), 0
  for t in range(num_steps):
    child, metrics = update(jax.random.key(0), child, None, BATCH)
    logits = x @ w
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loss = -np.mean(np.log((probs * y).sum(1)))
    np.testing.assert_allclose(metrics['train_loss'], loss, rtol=1e-5)
    hits = np.mean(logits.argmax(1) == np.asarray(BATCH['label']))
    np.testing.assert_allclose(metrics['train_accuracy'], hits, rtol=1e-6)
    gradient = x.T @ (probs - y) / len(x)
    gradient = gradient * min(1, max_norm / np.linalg.norm(gradient))
    buffer = momentum * buffer + gradient + decay * w
    w = w - rate * (1 + np.cos(np.pi * t / num_steps)) / 2 * buffer
    np.testing.assert_allclose(child.params['w'], w, rtol=1e-4)
  assert child.step == num_steps


def test_the_rate_is_constant_within_an_epoch():
  trainer = training.train_child(
    _linear(),
    (2,),
    4,
    steps_per_epoch=2,
    momentum=0.0,
    weight_decay=0.0,
    max_norm=1e9,
  )
  start = trainer.init(jax.random.key(0), None)
  update = jax.jit(trainer.update)
  lengths = []
  for step in range(4):
    # The same weights each time: only the schedules have moved on.
    child = start
    for _ in range(step):
      child = update(jax.random.key(0), child, None, BATCH)[0]
    child = child._replace(params=start.params)
    moved = update(jax.random.key(0), child, None, BATCH)[0].params['w']
    lengths.append(np.linalg.norm(moved - start.params['w']))
  np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-4)
  np.testing.assert_allclose(lengths[2], lengths[3], rtol=1e-4)
  np.testing.assert_allclose(lengths[2] / lengths[0], 0.5, rtol=1e-4)


def _losses(network, num_steps=4, **settings):
  trainer = training.train_child(
    network, (2,), num_steps, learning_rate=0.0, **settings
  )
  child = trainer.init(jax.random.key(0), None)
  update, losses = jax.jit(trainer.update), []
  for _ in range(num_steps):
    child, metrics = update(jax.random.key(0), child, None, BATCH)
    losses.append(float(metrics['train_loss']))
  return losses


def test_the_loss_of_an_auxiliary_head_is_added_with_its_weight():
  def with_head(logits, train):
    return (logits, 3 * logits) if train else logits

  head = _losses(_linear(lambda logits, train: 3 * logits))[0]
  expected = _losses(_linear())[0] + 0.25 * head
  actual = _losses(_linear(with_head), auxiliary_weight=0.25)[0]
  np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_dropped_paths_grow_linearly_by_epoch():
  def report(logits, train, drop_path=None, rngs=None):
    assert rngs is not None
    return jnp.stack([0 * logits[:, 0] + drop_path, 0 * logits[:, 0]], 1)

  losses = _losses(_linear(report), steps_per_epoch=2, drop_path=0.6)
  # Two epochs: no dropping in the first, half of it in the second.
  loss = lambda rate: np.log(1 + np.exp(rate)) - rate * 2 / 3
  expected = [loss(rate) for rate in (0, 0, 0.3, 0.3)]
  np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_networks_without_dropped_paths_are_not_asked_to_drop():
  def no_options(logits, train, **options):
    assert not options
    return logits

  assert np.isfinite(_losses(_linear(no_options))).all()


def test_accuracy_uses_the_statistics_of_training_not_of_the_batch(jitted):
  child = jitted.init(jax.random.key(0), ARCH)
  for t in range(20):
    batch = tiny.images(jax.random.key(t), 8)
    child, _ = jitted.update(jax.random.key(t), child, ARCH, batch)
  accuracy = jitted.accuracy
  whole = tiny.stacked(jax.random.key(9), 1, 16)
  single = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), whole)
  assert accuracy(child, ARCH, whole) > 0.9
  # One image at a time: what a batch of its own would make of it is chance.
  np.testing.assert_allclose(
    accuracy(child, ARCH, single), accuracy(child, ARCH, whole)
  )
  forgotten = child._replace(
    batch_stats=jax.tree.map(lambda leaf: leaf + 1e6, child.batch_stats)
  )
  assert accuracy(forgotten, ARCH, whole) < 0.9


def test_accuracy_weighs_examples():
  trainer = training.train_child(_linear(), (2,), 1)
  child = trainer.init(jax.random.key(0), None)
  hits = np.asarray(BATCH['image'] @ child.params['w']).argmax(1) == np.asarray(
    BATCH['label']
  )
  assert 0 < hits.sum() < 3
  for weight in ([1, 1, 1], [1, 0, 0], [0, 1, 1]):
    batches = jax.tree.map(
      lambda leaf: leaf[None], BATCH | {'weight': jnp.array(weight, float)}
    )
    np.testing.assert_allclose(
      trainer.accuracy(child, None, batches),
      np.average(hits, weights=weight),
      rtol=1e-6,
    )


# The estimator.


def _recorder():
  """A trainer whose accuracy is the times of the batches that it has seen."""

  def update(key, child, arch, batch):
    seen = child.params + 10.0**batch
    return child._replace(step=child.step + 1, params=seen), {}

  return training.Trainer(
    init=lambda key, arch: training.Child(jnp.int32(0), jnp.zeros(()), (), ()),
    update=update,
    accuracy=lambda child, arch, batches: child.params,
  )


@pytest.mark.parametrize(
  'fidelity, expected', [(1.0, 11111), (0.6, 111), (0.41, 111), (0.0, 0)]
)
def test_fidelity_is_the_share_of_steps(fidelity, expected):
  estimator = stand_alone.stand_alone(_recorder(), lambda key, t: t, None, 5)
  score = jax.jit(estimator.score)
  assert score(jax.random.key(0), (), None, fidelity) == expected
  assert score(jax.random.key(0), (), None) == 11111


@pytest.mark.parametrize('lost', [np.nan, np.inf])
def test_a_training_that_diverges_has_no_score(lost):
  class_zero = training.Trainer(
    init=lambda key, arch: training.Child(
      jnp.int32(0), {'w': jnp.zeros(2), 'b': jnp.zeros(())}, (), ()
    ),
    update=lambda key, child, arch, batch: (
      child._replace(params=dict(child.params, b=child.params['b'] + arch)),
      {},
    ),
    accuracy=lambda child, arch, batches: jnp.float32(0.1),
  )
  estimator = stand_alone.stand_alone(class_zero, lambda key, t: t, None, 2)
  score = jax.jit(estimator.score)
  assert score(jax.random.key(0), (), jnp.float32(1)) == np.float32(0.1)
  assert np.isnan(score(jax.random.key(0), (), jnp.float32(lost)))


# Many networks.


def test_a_population_is_trained_as_its_members_alone(jitted):
  ops = [[1, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, 1]]
  archs = {'op': jnp.array(ops)}
  test = tiny.stacked(jax.random.key(9), 1, 16)
  valid = tiny.stacked(jax.random.key(8), 1, 16)
  search, final = stand_alone.population(
    TRAINER, archs, test, valid=valid, count_weights=True
  )
  key = jax.random.key(3)
  batches = [tiny.images(jax.random.key(t), 8) for t in range(3)]

  state = jax.jit(search.init)(key)
  update = jax.jit(search.update)
  for t, batch in enumerate(batches):
    state, metrics = update(jax.random.fold_in(key, t), state, batch)
  table = jax.jit(final)(key, state)

  losses = []
  for i in (0, 3, 4):
    arch = jax.tree.map(lambda leaf, i=i: leaf[i], archs)
    child = jitted.init(jax.random.fold_in(key, i), arch)
    for t, batch in enumerate(batches):
      step_key = jax.random.fold_in(jax.random.fold_in(key, t), i)
      child, one = jitted.update(step_key, child, arch, batch)
    chex.assert_trees_all_close(
      jax.tree.map(lambda leaf, i=i: leaf[i], state.children), child, atol=1e-5
    )
    np.testing.assert_allclose(
      metrics['train_loss'][i], one['train_loss'], rtol=1e-4
    )
    np.testing.assert_allclose(
      table['test_accuracy'][i], jitted.accuracy(child, arch, test)
    )
    np.testing.assert_allclose(
      table['valid_accuracy'][i], jitted.accuracy(child, arch, valid)
    )
    sizes = [leaf.size for leaf in jax.tree.leaves(child.params)]
    assert table['weights'][i] == sum(sizes)
    losses.append(float(one['train_loss']))
  assert len({round(loss, 4) for loss in losses}) == 3


def test_the_best_of_a_population_has_the_lowest_loss_and_is_finite():
  losses = jnp.array([0.5, jnp.nan, 0.2, -jnp.inf])
  trainer = training.Trainer(
    init=lambda key, arch: jnp.zeros(()),
    update=lambda key, child, arch, batch: (
      child,
      {'train_loss': losses[arch]},
    ),
    accuracy=lambda child, arch, batches: arch,
  )
  search, final = stand_alone.population(trainer, jnp.arange(4), None)
  key = jax.random.key(0)
  state, metrics = jax.jit(search.update)(key, search.init(key), None)
  np.testing.assert_array_equal(metrics['train_loss'], losses)
  assert search.best(key, state) == 2
  np.testing.assert_array_equal(final(key, state)['test_accuracy'], range(4))
