"""Kernels along a training against the same thing done step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import (
  kernel_metrics,
  kernel_tracking,
  ntk,
  training,
  zero_cost,
)
from nasjax.systems import kernel_tracking as system
from tests.estimators import tiny

NETWORK = tiny.Network(track=True)
VALID = tiny.images(jax.random.key(1), 6)
ARCH = {'op': jnp.array([0, 1, 2])}


def _batches(key, t):
  return tiny.images(jax.random.fold_in(key, t), 16)


def _trainer(rate=0.1):
  return training.train_child(
    NETWORK,
    tiny.SHAPE,
    num_steps=1,
    learning_rate=rate,
    constant=True,
    max_norm=None,
  )


def _joint(trainer, num_epochs=2):
  return kernel_tracking.along_training(
    NETWORK, VALID, trainer, _batches, 3, num_epochs
  )


def _step_by_step(trainer, key):
  """The kernels after 0, 3 and 6 steps of one training."""
  init_key, train_key = jax.random.split(key)
  child, kernels = trainer.init(init_key, ARCH), []
  for _ in range(3):
    variables = {'params': child.params, 'batch_stats': child.batch_stats}
    kernels.append(
      ntk.kernel(NETWORK, variables, ARCH, VALID['image'], norm='frozen')
    )
    child = training.advance(trainer, train_key, child, ARCH, _batches, 3)
  return kernels


def test_scores_are_those_of_the_kernels_of_one_training():
  trainer, key = _trainer(), jax.random.key(0)
  found = jax.jit(_joint(trainer).raw)(key, (), ARCH)
  kernels = _step_by_step(trainer, key)
  for e, kernel in enumerate(kernels):
    expected = kernel_metrics.metrics(kernel, VALID['label'])
    if e > 0:
      expected |= kernel_metrics.movement(kernel, kernels[0])
    for name, value in expected.items():
      np.testing.assert_allclose(found[f'{name}_{e}'], value, rtol=1e-3)
  assert 'cosine_0' not in found and 'cosine_1' in found


def test_every_score_is_described():
  joint = _joint(_trainer(), 1)
  shapes = jax.eval_shape(joint.raw, jax.random.key(0), (), ARCH)
  assert set(shapes) == set(joint.proxies)
  assert joint.proxies['condition_number_1'].sign == -1


def test_without_learning_the_kernel_hardly_moves():
  """Only running statistics change it."""
  raw = jax.jit(_joint(_trainer(0.0)).raw)(jax.random.key(0), (), ARCH)
  assert raw['cosine_2'] > 0.9
  assert raw['correlation_2'] != raw['correlation_1']


def test_training_in_parts_is_training_at_once():
  trainer, key = _trainer(), jax.random.key(3)
  child = trainer.init(jax.random.key(4), ARCH)
  go = jax.jit(
    lambda child, n: training.advance(trainer, key, child, ARCH, _batches, n)
  )
  parts, whole = go(go(child, 2), 3), go(child, 5)
  for x, y in zip(jax.tree.leaves(parts), jax.tree.leaves(whole), strict=True):
    np.testing.assert_array_equal(x, y)


def test_movement_is_that_of_numpy():
  first, kernel = np.random.default_rng(0).standard_normal((2, 5, 5))
  found = kernel_metrics.movement(jnp.asarray(kernel), jnp.asarray(first))
  difference = np.abs(first - kernel) / (np.abs(first) + 1e-4)
  np.testing.assert_allclose(
    found['relative_difference'], np.sqrt((difference**2).sum()), rtol=1e-5
  )
  np.testing.assert_allclose(
    found['correlation'],
    np.corrcoef(kernel.ravel(), first.ravel())[0, 1],
    rtol=1e-4,
  )
  cosine = (kernel * first).sum() / np.sqrt(
    (kernel**2).sum() * (first**2).sum()
  )
  np.testing.assert_allclose(found['cosine'], cosine, rtol=1e-4)


def _follow(pairs, norm='frozen'):
  """Metrics of three updates of four steps, and the last state."""
  search = system.kernel_tracking(
    tiny.SPACE, NETWORK, VALID, pairs=pairs, norm=norm, learning_rate=0.1
  )
  state = jax.jit(search.init)(jax.random.key(0))
  update = jax.jit(search.update)
  batch = jax.tree.map(
    lambda *leaves: jnp.stack(leaves),
    *(_batches(jax.random.key(5), t) for t in range(4)),
  )
  rows = []
  for t in range(3):
    state, metrics = update(jax.random.key(t), state, batch)
    rows.append({name: float(value) for name, value in metrics.items()})
  return rows, state


@pytest.mark.parametrize('norm', ['frozen', 'batch'])
def test_the_search_follows_the_kernel_of_its_network(norm):
  rows, state = _follow(False, norm)
  assert int(state.child.step) == 12
  variables = {
    'params': state.child.params,
    'batch_stats': state.child.batch_stats,
  }
  kernel = ntk.kernel(NETWORK, variables, state.arch, VALID['image'], norm=norm)
  expected = kernel_metrics.metrics(kernel, VALID['label'])
  expected |= kernel_metrics.movement(kernel, state.first)
  for name, value in expected.items():
    np.testing.assert_allclose(rows[2][f'kernel_{name}'], value, rtol=1e-3)
  logits = NETWORK.apply(variables, state.arch, VALID['image'], train=False)
  hits = np.asarray(logits).argmax(-1) == np.asarray(VALID['label'])
  np.testing.assert_allclose(rows[2]['valid_accuracy'], hits.mean(), rtol=1e-6)
  moved = [row['kernel_relative_difference'] for row in rows]
  assert moved[2] > moved[1] > 0.1
  assert rows[2]['train_loss'] < rows[0]['train_loss']


def test_pairs_of_logits_say_the_same_of_their_sums():
  sums, pairs = _follow(False)[0][2], _follow(True)[0][2]
  for name in ('mean', 'norm', 'label_alignment'):
    name = f'kernel_{name}'
    np.testing.assert_allclose(pairs[name], sums[name], rtol=1e-3)
  name = 'kernel_relative_difference'
  assert abs(pairs[name] - sums[name]) > 0.1


def test_frozen_kernels_need_the_statistics_of_the_training():
  trainer = training.constant_rate(tiny.Network(), tiny.SHAPE)
  with pytest.raises(ValueError, match='train, a network with track=True'):
    jax.eval_shape(_joint(trainer).raw, jax.random.key(0), (), ARCH)


def test_several_scores_where_one_is_needed_are_refused():
  joint = zero_cost.kernel_scores(NETWORK, VALID)
  for use in (
    lambda: zero_cost.oriented(joint, tiny.SPACE),
    lambda: zero_cost.trained(joint, _trainer(), _batches, 1),
    lambda: zero_cost.initialized(joint, 'in'),
  ):
    with pytest.raises(ValueError, match='pick one of .proxies, mean, norm'):
      use()
