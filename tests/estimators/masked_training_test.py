"""Masked networks are the small networks that they stand for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.estimators import masked_training, training
from nasjax.networks import masked_mlp
from nasjax.spaces import node_masks

_SIZES = (5, 8, 6, 3)
_BATCH = {
  'image': jax.random.normal(jax.random.key(7), (12, 5, 1, 1)),
  'label': jnp.arange(12) % 3,
}
_OPTIMIZER = optax.adam(0.05)


@pytest.fixture(name='parent')
def _parent():
  params = masked_mlp.init(jax.random.key(0), _SIZES)
  # Biases that are not zero, or a mask before them would go unnoticed.
  for i, layer in enumerate(params):
    layer['bias'] = jnp.sin(1.0 + i + jnp.arange(layer['bias'].size))
  return params


def _mask(sparsity=0.5, seed=1):
  counts = node_masks.kept(_SIZES[1:-1], sparsity)
  return node_masks.draw(jax.random.key(seed), _SIZES[1:-1], counts)


def _extract(params, mask):
  """The weights of the nodes that are kept, as numpy arrays."""
  kept = [np.flatnonzero(leaf) for leaf in mask.values()]
  rows = [np.arange(_SIZES[0]), *kept]
  columns = [*kept, np.arange(_SIZES[-1])]
  return [
    (
      np.asarray(layer['kernel'])[np.ix_(a, b)],
      np.asarray(layer['bias'])[b],
    )
    for layer, a, b in zip(params, rows, columns)
  ]


def _small(weights):
  """The loss of a network without masks."""
  x = _BATCH['image'].reshape(12, -1)
  for i, (kernel, bias) in enumerate(weights):
    x = x @ kernel + jnp.broadcast_to(bias, (12, len(bias)))
    x = jnp.maximum(x, 0) if i < len(weights) - 1 else x
  logs = jax.nn.log_softmax(x)
  return -jnp.mean(logs[jnp.arange(12), _BATCH['label']])


def test_a_masked_network_is_the_extracted_one(parent):
  mask = _mask()
  score = masked_training.initial_score(masked_mlp.sub_networks(parent), _BATCH)
  loss = -score.score(jax.random.key(0), (), mask)
  weights = _extract(parent, mask)
  assert loss == pytest.approx(float(_small(weights)), abs=1e-6)
  negative = lambda params: (
    -masked_training.initial_score(
      masked_mlp.sub_networks(params), _BATCH
    ).score(jax.random.key(0), (), mask)
  )
  gradient = jax.grad(negative)(parent)
  for ours, (kernel, bias) in zip(
    _extract(gradient, mask), jax.grad(_small)(weights)
  ):
    np.testing.assert_allclose(ours[0], kernel, atol=1e-6)
    np.testing.assert_allclose(ours[1], bias, atol=1e-6)


def test_nodes_that_are_removed_stay_as_they_are(parent):
  mask = _mask()
  network = masked_mlp.sub_networks(parent)
  trainer = training.train_child(network, (5, 1, 1), 1, optimizer=_OPTIMIZER)
  child = trainer.init(jax.random.key(0), mask)
  for _ in range(3):
    child, _ = trainer.update(jax.random.key(0), child, mask, _BATCH)
  adam = child.optimizer_state[0]
  for i, leaf in enumerate(mask.values()):
    removed = np.asarray(leaf) == 0
    for moments in (adam.mu, adam.nu):
      assert not moments[i]['kernel'][:, removed].any()
      assert not moments[i]['bias'][removed].any()
      assert not moments[i + 1]['kernel'][removed].any()
    new, old = child.params[i]['kernel'], parent[i]['kernel']
    assert (new[:, removed] == old[:, removed]).all()
    assert (new[:, ~removed] != old[:, ~removed]).any()


def test_the_accuracy_does_not_see_the_size_of_logits(parent):
  small = [*parent[:-1], jax.tree.map(lambda x: 0.01 * x, parent[-1])]
  values = {
    (criterion, i): masked_training.initial_score(
      masked_mlp.sub_networks(params), _BATCH, criterion
    ).score(jax.random.key(0), (), _mask())
    for criterion in masked_training.CRITERIA
    for i, params in enumerate((parent, small))
  }
  assert values['accuracy', 0] == values['accuracy', 1]
  assert values['loss', 1] == pytest.approx(-np.log(3), abs=0.05)
  with pytest.raises(ValueError, match='Unknown criterion'):
    masked_training.initial_score(None, _BATCH, 'sharpness')


@pytest.fixture(scope='module', name='compared')
def _compared():
  batches = jax.tree.map(
    lambda leaf: jnp.broadcast_to(leaf, (2, 3, *leaf.shape)), _BATCH
  )
  compare = functools.partial(
    masked_training.compare,
    sizes=_SIZES,
    sparsities=(0.0, 0.5),
    splits={'train': _BATCH, 'test': _BATCH},
    batches=batches,
    optimizer=_OPTIMIZER,
    num_samples=7,
    num_random=2,
  )
  keys = jax.random.split(jax.random.key(3), 3)
  return jax.device_get(jax.jit(jax.vmap(compare))(keys))


def test_no_sparsity_is_the_parent_bit_for_bit(compared):
  for condition in ('found_loss', 'found_accuracy'):
    for name, curve in compared['dense'].items():
      np.testing.assert_array_equal(compared[condition][name][:, 0], curve)


def test_what_is_found_is_the_best_before_training(compared):
  for criterion, sign in (('loss', -1), ('accuracy', 1)):
    found = compared[f'found_{criterion}'][f'train_{criterion}'][:, :, 0]
    best = compared['initial'][criterion].max(-1)
    np.testing.assert_allclose(sign * found, best, rtol=1e-6)
  losses = compared['initial']['loss'][:, 1]
  assert (losses.std(-1) > 0).all()  # masks differ


def test_all_start_from_one_parent_and_learn(compared):
  full = compared['random']['train_loss'][:, 0, :, 0]
  dense = compared['dense']['train_loss'][:, 0]
  np.testing.assert_array_equal(full, np.stack([dense, dense], axis=1))
  for condition in ('dense', 'random', 'pruned', 'found_loss'):
    curve = compared[condition]['train_loss']
    assert (curve[..., -1] < curve[..., 0]).all()


def test_the_control_starts_from_what_the_parent_has_learned(compared):
  # Nothing is pruned at sparsity 0: the second half of a longer training.
  learned = compared['dense']['train_loss'][:, -1]
  np.testing.assert_allclose(
    compared['pruned']['train_loss'][:, 0, 0], learned, rtol=1e-6
  )


def test_nodes_without_weights_out_are_pruned_first(parent):
  kernel = parent[1]['kernel'].at[2].set(0.0)
  params = [parent[0], dict(parent[1], kernel=kernel), parent[2]]
  norms = masked_mlp.node_norms(params)
  assert norms[0].argmin() == 2 and norms[0][2] == 0
  expected = [
    np.linalg.norm(parent[1]['kernel'][:, j])
    * np.linalg.norm(parent[2]['kernel'][j])
    for j in range(6)
  ]
  np.testing.assert_allclose(
    masked_mlp.node_norms(parent)[1], expected, rtol=1e-5
  )
