"""Tests of elastic mobile networks: masks against networks of that size."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import mobile, mobile_children
from nasjax.spaces import mobile as spaces

LAYOUT = spaces.Layout(
  resolutions=(6, 8),
  stem=(4, 6),
  stages=(
    spaces.Stage((4, 6), (1,), (3, 5), (1,)),
    spaces.Stage((4, 8), (1, 2), (3, 5, 7), (2, 3), (0.0, 0.5), 2),
  ),
  head=(6, 8),
  stem_stride=1,
)
SPACE = spaces.mobile(LAYOUT)
NETWORK = mobile.Mobile(LAYOUT, num_classes=3, project=True)
IMAGES = np.random.default_rng(0).normal(size=(4, 7, 7, 2)).astype(np.float32)
SHAPE = IMAGES.shape[1:]
# What the stages of this one are made of is also a choice.
MIXED = spaces.Layout(
  resolutions=(5, 7),
  stem=(4,),
  stages=(
    spaces.Stage(
      (4, 6),
      (1, 2),
      (3, 5),
      (2, 3),
      (0.5,),
      operations=spaces.OPERATIONS,
      skips=spaces.SKIPS,
    ),
  ),
  head=(6, 8),
  head_expansion=2,
  squeeze_of='hidden',
  divisor=2,
  per_block=('operation',),
)
MIXED_NETWORK = mobile.Mobile(MIXED, num_classes=3)


def _params(network, arch):
  """Returns weights of the supernet in which nothing is zero or one."""
  shapes = jax.eval_shape(network.init, jax.random.key(0), arch, IMAGES)
  rng = np.random.default_rng(1)
  return jax.tree.map(
    lambda leaf: 0.4 * rng.normal(size=leaf.shape) + 0.2, shapes['params']
  )


def _static(arch):
  """Returns the child, with ints in the place of numpy's or JAX's."""
  return choice.static(jax.tree.map(np.asarray, arch))


ARCHS = {
  'biggest': spaces.biggest(LAYOUT),
  'smallest': spaces.smallest(LAYOUT),
  'random': SPACE.sample(jax.random.key(2)),
  'all_different': {
    'resolution': np.array([0]),
    'width': np.array([1, 0, 1, 0]),
    'depth': np.array([0, 1]),
    'kernel': np.array([1, 1]),
    'expansion': np.array([0, 1]),
    'squeeze': np.array([0, 1]),
  },
}


def _gradient(params, arch, x):
  """Returns logits and the gradient of a function of them."""

  def loss(params):
    logits = NETWORK.apply({'params': params}, arch, x)
    weights = jnp.cos(jnp.arange(logits.size, dtype=x.dtype))
    value = jnp.sum(jnp.tanh(logits) * weights.reshape(logits.shape))
    return value, logits

  (_, logits), gradient = jax.value_and_grad(loss, has_aux=True)(params)
  return logits, gradient


@pytest.fixture(name='masked', scope='module')
def _masked():
  """Logits and gradient of any child of the supernet, one program."""
  return jax.jit(_gradient)


@pytest.fixture(name='params', scope='module')
def _weights():
  return _params(NETWORK, ARCHS['biggest'])


def _int32(arch):
  return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.int32), arch)


@pytest.mark.parametrize('name', list(ARCHS))
def test_a_masked_child_is_the_sliced_child(masked, params, name):
  static = _static(ARCHS[name])
  cut = lambda params: mobile_children.slice_params(
    NETWORK, params, static, SHAPE
  )
  with jax.enable_x64(True):
    x, weights = jnp.float64(IMAGES), jax.tree.map(jnp.float64, params)
    logits, gradient = masked(weights, _int32(ARCHS[name]), x)
    sliced, pull_back = jax.vjp(cut, weights)
    expected, small = jax.jit(lambda p, x: _gradient(p, static, x))(sliced, x)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-10)
    (scattered,) = pull_back(small)
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(scattered)):
      np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    assert np.std(logits, axis=0).min() > 1e-3


def test_a_masked_child_is_the_sliced_child_in_single_precision(masked, params):
  arch = ARCHS['all_different']
  weights = jax.tree.map(jnp.float32, params)
  logits, _ = masked(weights, _int32(arch), IMAGES)
  sliced = mobile_children.slice_params(NETWORK, weights, _static(arch), SHAPE)
  expected = jax.jit(
    lambda p, x: NETWORK.apply({'params': p}, _static(arch), x)
  )(sliced, IMAGES)
  np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


def test_an_index_is_a_relaxed_choice_without_doubt(masked, params):
  with jax.enable_x64(True):
    x, weights = jnp.float64(IMAGES), jax.tree.map(jnp.float64, params)
    arch = _int32(ARCHS['all_different'])
    relaxed = jax.tree.map(jnp.float64, choice.one_hot(arch, SPACE.mask))
    for a, b in zip(
      jax.tree.leaves(masked(weights, arch, x)),
      jax.tree.leaves(masked(weights, relaxed, x)),
    ):
      np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def test_at_the_start_blocks_add_nothing(masked):
  arch = spaces.biggest(LAYOUT)
  variables = jax.jit(NETWORK.clone(zero=True).init)(
    jax.random.key(0), arch, IMAGES
  )
  logits, gradient = masked(variables['params'], arch, IMAGES)
  for name, leaf in arch.items():
    other = arch | {name: jnp.zeros_like(leaf)}
    changed, _ = masked(variables['params'], other, IMAGES)
    same = np.array_equal(changed, logits)
    assert same == (name != 'width'), name
  # What would make them add something has a gradient.
  scale = gradient['stage_1_block_1_mbconv']['project']['norm']['scale']
  assert np.abs(scale).max() > 0


@pytest.mark.parametrize(
  'operation, skip, others',
  [
    ((0, 1), (1,), {'width': (0, 0, 1), 'depth': (1,)}),
    ((1, 2), (2,), {'width': (0, 1, 0), 'depth': (1,)}),
    ((2, 0), (0,), {'width': (0, 1, 1), 'depth': (1,)}),
    ((2, 2), (0,), {'width': (0, 0, 0), 'depth': (0,)}),
  ],
)
def test_operations_and_skips_of_children_are_chosen(
  mixed, operation, skip, others
):
  apply, params = mixed
  static = {'expansion': (0,), 'kernel': (1,), **others}
  static |= {'operation': operation, 'skip': skip}
  with jax.enable_x64(True):
    x = jnp.float64(IMAGES)
    logits = apply(params, choice.index(static), x)
    sliced = mobile_children.slice_params(MIXED_NETWORK, params, static, SHAPE)
    expected = jax.jit(
      lambda p, x: MIXED_NETWORK.apply({'params': p}, static, x)
    )(sliced, x)
  np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-10)


@pytest.fixture(name='mixed', scope='module')
def _mixed():
  arch = spaces.biggest(MIXED)
  params = _params(MIXED_NETWORK, arch)
  apply = jax.jit(
    lambda p, arch, x: MIXED_NETWORK.apply({'params': p}, arch, x)
  )
  return apply, jax.tree.map(np.float64, params)


def test_a_resolution_is_that_of_images_resized():
  def apply(variables, arch, x, train, mutable):
    del arch, train, mutable
    size = jnp.full(x.shape[1:2], x.shape[1])
    return variables * jnp.mean(x, (1, 2, 3)) + jnp.sum(size)

  network = mobile_children.elastic_resolution(
    types.SimpleNamespace(apply=apply, init=None), MIXED
  )
  rest = {'width': jnp.zeros(3, jnp.int32)}
  logits = []
  for i, side in enumerate((5, 7)):
    arch = rest | {'resolution': jnp.array([i])}
    logits.append(network.apply(2.0, arch, IMAGES))
    small = jax.image.resize(IMAGES, (4, side, side, 2), 'bicubic')
    np.testing.assert_allclose(
      logits[i], 2 * small.mean((1, 2, 3)) + side**2, rtol=1e-5
    )
    static = rest | {'resolution': (i,)}
    np.testing.assert_allclose(
      network.apply(2.0, static, IMAGES), logits[i], rtol=1e-6
    )
  arch = rest | {'resolution': jnp.array([[0.25, 0.75]])}
  np.testing.assert_allclose(
    network.apply(2.0, arch, IMAGES),
    0.25 * logits[0] + 0.75 * logits[1],
    rtol=1e-5,
  )


def test_dropping_keeps_means_and_needs_a_rate():
  arch = spaces.smallest(MIXED)
  x = jnp.tile(IMAGES[:1], (512, 1, 1, 1))
  params = jax.tree.map(jnp.float32, _params(MIXED_NETWORK, arch))

  @jax.jit
  def apply(key, dropout):
    return MIXED_NETWORK.apply(
      {'params': params}, arch, x, dropout=dropout, rngs={'drop_path': key}
    )

  key = jax.random.key(0)
  whole = apply(key, 0.0)
  np.testing.assert_array_equal(whole, apply(jax.random.key(1), 0.0))
  dropped = apply(key, 0.5)
  assert np.std(dropped, axis=0).min() > 0.01
  # Logits are linear in what is dropped.
  error = np.std(dropped, axis=0) / np.sqrt(len(x))
  assert np.all(np.abs(dropped.mean(0) - whole.mean(0)) < 4 * error)
