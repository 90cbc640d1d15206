"""Tests of the losses of networks."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import loss as losses

NETWORK = SimpleNamespace(
  apply=lambda variables, arch, x: arch * (x @ variables['params'])
)


def _example():
  weights = jax.random.normal(jax.random.key(0), (5, 3))
  image = jax.random.normal(jax.random.key(1), (7, 5))
  label = jnp.array([0, 1, 2, 0, 1, 2, 0])
  return weights, {'image': image, 'label': label}


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_loss_is_the_mean_cross_entropy_with_smoothed_labels(smoothing):
  weights, batch = _example()
  loss = losses.classification_loss(NETWORK, label_smoothing=smoothing)
  value, _ = loss(weights, 2.0, jax.random.key(0), batch)
  logits = 2 * np.asarray(batch['image']) @ np.asarray(weights)
  expected = 0
  for row, label in zip(logits, batch['label']):
    log_probs = row - np.log(np.exp(row).sum())
    targets = np.full(3, smoothing / 3)
    targets[label] += 1 - smoothing
    expected -= targets @ log_probs / len(logits)
  np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_accuracy_is_the_share_of_right_labels():
  weights, batch = _example()
  loss = losses.classification_loss(NETWORK)
  logits = np.asarray(batch['image']) @ np.asarray(weights)
  _, metrics = loss(weights, 1.0, jax.random.key(0), batch)
  expected = np.mean(logits.argmax(1) == np.asarray(batch['label']))
  np.testing.assert_allclose(metrics['accuracy'], expected)
  assert 0 < expected < 1


def test_label_smoothing_may_be_traced():
  weights, batch = _example()

  def value(smoothing):
    loss = losses.classification_loss(NETWORK, smoothing)
    return loss(weights, 1.0, jax.random.key(0), batch)[0]

  swept = jax.vmap(value)(jnp.array([0.0, 0.2]))
  np.testing.assert_allclose(swept, [value(0.0), value(0.2)], rtol=1e-6)


def test_excess_is_loss_minus_entropy():
  logits = 3 * np.random.default_rng(0).normal(size=(50, 4))
  labels = np.arange(50) % 4
  found = losses.excess(jnp.asarray(logits), jnp.asarray(labels))
  for row, label, value in zip(logits, labels, found):
    probs = np.exp(row) / np.exp(row).sum()
    entropy = -sum(p * np.log(p) for p in probs)
    np.testing.assert_allclose(
      value, -np.log(probs[label]) - entropy, rtol=1e-4
    )
    assert row.argmax() != label or value <= 0
  assert found.max() > 1  # confident mistakes


def test_excess_is_zero_for_uniform_predictions_and_for_calibrated_ones():
  labels = jnp.arange(4)
  uniform = losses.excess(jnp.full((4, 4), 2.0), labels)
  np.testing.assert_allclose(uniform, 0, atol=1e-6)
  logits = jnp.array([0.5, -1.0, 2.0, 0.0])
  found = losses.excess(jnp.broadcast_to(logits, (4, 4)), labels)
  np.testing.assert_allclose(jax.nn.softmax(logits) @ found, 0, atol=1e-6)


def test_dropped_paths_are_drawn_with_the_key():
  def apply(variables, arch, x, drop_path=0.0, rngs=None):
    kept = 1.0
    if rngs is not None:
      kept = jax.random.bernoulli(rngs['drop_path'], 1 - drop_path, x.shape)
    return (kept * x) @ variables['params']

  weights, batch = _example()
  key = jax.random.key(5)
  network = SimpleNamespace(apply=apply)
  value, _ = losses.classification_loss(network, drop_path=0.5)(
    weights, None, key, batch
  )
  kept = jax.random.bernoulli(key, 0.5, batch['image'].shape)
  expected, _ = losses.classification_loss(network)(
    weights, None, key, batch | {'image': kept * batch['image']}
  )
  np.testing.assert_allclose(value, expected, rtol=1e-6)
