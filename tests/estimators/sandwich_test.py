"""Tests of supernets trained on several children at once."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.estimators import sandwich
from nasjax.spaces import categorical

SPACE = categorical.categorical({'width': (2, 3)})
BIGGEST, SMALLEST = ({'width': jnp.full(2, i)} for i in (2, 0))
RNG = np.random.default_rng(0)
BATCH = {
  'image': jnp.asarray(RNG.normal(size=(8, 4)), jnp.float32),
  'label': jnp.arange(8) % 3,
}
NONE = sandwich.Regularization(0.0, 0.0, 0.0)


def _apply(variables, arch, x, drop_path=0.0, dropout=0.0, rngs=None):
  """Two layers, of which the first width + 1 channels of each count."""
  del drop_path
  weights = variables['params']
  masks = (jnp.arange(3)[None] < 1 + arch['width'][:, None]).astype(jnp.float32)
  x = jnp.tanh(x @ weights['a']) * masks[0][None]
  x = jnp.tanh(x @ weights['b']) * masks[1][None]
  if rngs is not None:
    kept = jax.random.bernoulli(rngs['drop_path'], 1 - dropout, x.shape)
    x = x * kept / (1 - dropout)
  return x @ weights['c']


NETWORK = types.SimpleNamespace(apply=_apply)


def _init(key):
  a, b, c = jax.random.split(key, 3)
  return {
    'a': jax.random.normal(a, (4, 3)),
    'b': jax.random.normal(b, (3, 3)),
    'c': jax.random.normal(c, (3, 3)),
  }


def _estimator(archs, **settings):
  """Returns the estimator of SGD with rate 1: a step is the gradient."""
  return sandwich.sandwich(
    lambda key: archs,
    NETWORK,
    _init,
    optax.sgd(1.0),
    lambda weights, arch: jnp.sum(weights['a']),
    **settings,
  )


def _stack(*archs):
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *archs)


MIDDLE = {'width': jnp.array([1, 2])}
CHILDREN = _stack(BIGGEST, SMALLEST, MIDDLE)


def _step(archs, **settings):
  estimator = _estimator(archs, **settings)
  state = estimator.init(jax.random.key(0))
  after, metrics = jax.jit(estimator.update)(jax.random.key(1), state, BATCH)
  gradient = jax.tree.map(jnp.subtract, state.weights, after.weights)
  return state.weights, gradient, metrics


def _cross_entropy(weights, arch, targets):
  logits = _apply({'params': weights}, arch, BATCH['image'])
  return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=1))


def test_the_step_is_the_sum_of_gradients_computed_apart():
  settings = sandwich.Regularization(0.1, 0.0, 0.0)
  weights, gradient, metrics = _step(CHILDREN, regularization=settings)
  smooth = 0.9 * jax.nn.one_hot(BATCH['label'], 3) + 0.1 / 3
  soft = jax.nn.softmax(_apply({'params': weights}, BIGGEST, BATCH['image']))
  parts = [
    jax.value_and_grad(_cross_entropy)(weights, arch, targets)
    for arch, targets in (
      (BIGGEST, smooth),
      (SMALLEST, soft),
      (MIDDLE, soft),
    )
  ]
  expected = functools.reduce(
    lambda a, b: jax.tree.map(jnp.add, a, b), [part[1] for part in parts]
  )
  for name in weights:
    np.testing.assert_allclose(gradient[name], expected[name], atol=1e-5)
  np.testing.assert_allclose(metrics['train_loss'], parts[0][0], rtol=1e-5)
  np.testing.assert_allclose(
    metrics['child_loss'], (parts[1][0] + parts[2][0]) / 2, rtol=1e-5
  )


def test_children_teach_nothing_to_what_the_biggest_alone_has():
  _, alone, _ = _step(_stack(BIGGEST))
  _, both, _ = _step(_stack(BIGGEST, SMALLEST))
  # Columns of the first layer that the smallest child masks.
  np.testing.assert_allclose(both['a'][:, 1:], alone['a'][:, 1:], atol=1e-6)
  assert np.abs(both['a'][:, 0] - alone['a'][:, 0]).max() > 1e-3


def test_without_distillation_children_learn_the_labels():
  weights, gradient, _ = _step(
    _stack(BIGGEST, SMALLEST), distill=False, regularization=NONE
  )
  labels = jax.nn.one_hot(BATCH['label'], 3)
  expected = jax.grad(
    lambda w: sum(_cross_entropy(w, a, labels) for a in (BIGGEST, SMALLEST))
  )(weights)
  for name in weights:
    np.testing.assert_allclose(gradient[name], expected[name], atol=1e-5)


def test_an_average_is_the_sum_by_the_number_of_children():
  _, total, _ = _step(CHILDREN, regularization=NONE)
  _, mean, _ = _step(CHILDREN, regularization=NONE, average=True)
  for name in total:
    np.testing.assert_allclose(total[name], 3 * mean[name], atol=1e-6)


@pytest.mark.parametrize('of_all', [False, True])
def test_the_key_drops_parts_of_the_biggest_alone(of_all):
  settings = sandwich.Regularization(0.0, 0.0, 0.5, of_all)
  # Without distillation, or what the teacher drops would reach the children.
  estimator = _estimator(
    _stack(SMALLEST, BIGGEST), regularization=settings, distill=False
  )
  state = estimator.init(jax.random.key(0))
  first, child = [
    {
      float(jax.jit(estimator.update)(jax.random.key(i), state, BATCH)[1][name])
      for i in range(3)
    }
    for name in ('train_loss', 'child_loss')
  ]
  assert len(first) == 3
  assert len(child) == (3 if of_all else 1)
