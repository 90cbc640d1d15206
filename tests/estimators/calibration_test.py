"""Tests of statistics of norms for children of a supernet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import batching
from nasjax.estimators import calibration
from nasjax.networks import mobile, mobile_children
from nasjax.spaces import mobile as spaces

LAYOUT = spaces.Layout(
  (4,), (4, 6), (spaces.Stage((3, 5), (1,), (3,), (1,)),), (4, 6), stem_stride=1
)
SPACE = spaces.mobile(LAYOUT)
NETWORK = mobile.Mobile(LAYOUT, num_classes=3, track=True, momentum=0.0)
IMAGES = np.random.default_rng(0).normal(size=(3, 16, 4, 4, 1))
IMAGES = jnp.asarray(IMAGES * [[[[[1.0]]]], [[[[2.0]]]], [[[[3.0]]]]] + 0.5)
ARCHS = jax.vmap(SPACE.sample)(jax.random.split(jax.random.key(1), 64))


@pytest.fixture(name='params', scope='module')
def _params():
  arch = spaces.biggest(LAYOUT)
  return jax.jit(NETWORK.init)(jax.random.key(0), arch, IMAGES[0])['params']


@pytest.fixture(name='one', scope='module')
def _one():
  return jax.jit(lambda p, a, x: calibration.calibrate(NETWORK, p, a, x))


def test_statistics_are_the_means_of_those_of_the_batches(params, one):
  arch = spaces.biggest(LAYOUT)
  stats = one(params, arch, IMAGES)
  kernel = np.asarray(params['stem']['conv']['kernel'])
  means, variances = [], []
  for images in np.asarray(IMAGES):
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((16, 4, 4, 6))
    for i in range(3):
      for j in range(3):
        out += padded[:, i : i + 4, j : j + 4] @ kernel[i, j]
    rows = out.reshape(-1, 6)
    means.append(rows.mean(0))
    variances.append(rows.var(0, ddof=1))
  stem = stats['stem']['norm']
  np.testing.assert_allclose(stem['mean'], np.mean(means, 0), atol=1e-5)
  np.testing.assert_allclose(stem['var'], np.mean(variances, 0), rtol=1e-4)


def test_the_order_of_the_batches_does_not_matter(params, one):
  arch = spaces.biggest(LAYOUT)
  stats, other = (one(params, arch, x) for x in (IMAGES, IMAGES[::-1]))
  for a, b in zip(jax.tree.leaves(stats), jax.tree.leaves(other)):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_child_depends_on_its_own_weights_alone(params, one):
  arch = spaces.smallest(LAYOUT)
  stats = one(params, arch, IMAGES)
  # Weights of the last channels, which the smallest child has not.
  changed = jax.tree.map(lambda leaf: leaf, params)
  changed['stem']['conv']['kernel'] = (
    params['stem']['conv']['kernel'].at[..., 4:].add(1.0)
  )
  other = one(changed, arch, IMAGES)
  for name in ('stage_0_block_0_mbconv', 'head'):
    for a, b in zip(jax.tree.leaves(stats[name]), jax.tree.leaves(other[name])):
      np.testing.assert_allclose(a[:3], b[:3], rtol=1e-6)


def test_many_children_in_one_program_equal_one_by_one(params, one):
  many = jax.jit(
    lambda archs: batching.map_archs(
      lambda arch, params: calibration.calibrate(NETWORK, params, arch, IMAGES),
      archs,
      shared=(params,),
    )
  )(ARCHS)
  for i in range(64):
    single = one(params, jax.tree.map(lambda leaf, i=i: leaf[i], ARCHS), IMAGES)
    for a, b in zip(jax.tree.leaves(many), jax.tree.leaves(single)):
      np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-6)


def test_accuracy_is_that_with_the_statistics_of_the_child(params, one):
  accuracy = calibration.calibrated_accuracy(NETWORK, IMAGES)
  batches = {
    'image': IMAGES,
    'label': jnp.arange(48).reshape(3, 16) % 3,
    'weight': jnp.ones((3, 16)).at[2, 4:].set(0.0),
  }
  arch = jax.tree.map(lambda leaf: leaf[0], ARCHS)
  variables = {'params': params, 'batch_stats': one(params, arch, IMAGES)}
  predict = jax.jit(lambda x: NETWORK.apply(variables, arch, x, train=False))
  predicted = [predict(x).argmax(-1) for x in IMAGES]
  hits = (np.array(predicted) == batches['label']) * batches['weight']
  value = jax.jit(accuracy)(params, arch, batches)
  np.testing.assert_allclose(value, hits.sum() / 36, rtol=1e-6)


def test_children_of_several_resolutions_are_calibrated():
  layout = LAYOUT._replace(resolutions=(3, 4))
  network = mobile.Mobile(layout, num_classes=3, track=True, momentum=0.0)
  elastic = mobile_children.elastic_resolution(network, layout)
  arch = jax.tree.map(jnp.asarray, spaces.smallest(layout))
  params = jax.eval_shape(elastic.init, jax.random.key(0), arch, IMAGES[0])[
    'params'
  ]
  stats = jax.eval_shape(
    lambda p: calibration.calibrate(elastic, p, arch, IMAGES), params
  )
  assert stats['stem']['norm']['mean'].shape == (6,)
