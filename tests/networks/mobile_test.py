"""Tests of elastic mobile networks: masks against networks of that size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import mobile
from nasjax.spaces import mobile as spaces

LAYOUT = spaces.Layout(
  resolutions=(6, 8),
  stem=(4, 6),
  stages=(
    spaces.Stage((4, 6), (1, 2), (3, 5), (1,)),
    spaces.Stage((4, 8), (1, 3), (3, 5, 7), (2, 3), (0.0, 0.5), 2),
  ),
  head=(6, 8, 10),
  stem_stride=1,
)
SPACE = spaces.mobile(LAYOUT)
NETWORK = mobile.Mobile(LAYOUT, num_classes=3, project=True)
IMAGES = np.random.default_rng(0).normal(size=(4, 7, 7, 2)).astype(np.float32)
SHAPE = IMAGES.shape[1:]
KEY = jax.random.key(0)


def _loss(network, params, arch, x):
  logits = network.apply({'params': params}, arch, x)
  weights = jnp.cos(jnp.arange(logits.size)).reshape(logits.shape)
  return jnp.sum(jax.nn.tanh(logits) * weights.astype(x.dtype)), logits


def _params(network=NETWORK, layout=LAYOUT, x=IMAGES):
  """Returns weights of the supernet in which nothing is zero or one."""
  arch = spaces.biggest(layout)
  with jax.enable_x64(False):
    shapes = jax.eval_shape(network.init, KEY, arch, x)['params']
  rng = np.random.default_rng(1)
  return jax.tree.map(
    lambda leaf: 0.4 * rng.normal(size=leaf.shape) + 0.2, shapes
  )


ARCHS = {
  'biggest': spaces.biggest(LAYOUT),
  'smallest': spaces.smallest(LAYOUT),
  'random': SPACE.sample(jax.random.key(2)),
  # The widths that differ are those of the first pair.
  'mixed': {
    'resolution': jnp.array([0]),
    'width': jnp.array([1, 0, 1, 1]),
    'depth': jnp.array([0, 1]),
    'kernel': jnp.array([1, 1]),
    'expansion': jnp.array([0, 1]),
    'squeeze': jnp.array([0, 1]),
  },
}


@pytest.fixture(name='masked', scope='module')
def _masked():
  """The loss of the supernet with its gradient, one program for all."""
  return jax.jit(
    jax.value_and_grad(
      lambda p, arch, x: _loss(NETWORK, p, arch, x), has_aux=True
    )
  )


@pytest.mark.parametrize('name', list(ARCHS))
def test_a_masked_child_is_the_sliced_child(masked, name):
  with jax.enable_x64(True):
    arch = jax.tree.map(lambda leaf: leaf.astype(jnp.int32), ARCHS[name])
    static = choice.static(arch)
    cut = lambda params: mobile.slice_params(NETWORK, params, static, SHAPE)
    params = jax.tree.map(jnp.float64, _params())
    x = jnp.float64(IMAGES)
    (_, actual), gradient = masked(params, arch, x)
    sliced, pull_back = jax.vjp(cut, params)
    (_, expected), small = jax.jit(
      jax.value_and_grad(
        lambda p, x: _loss(NETWORK, p, static, x), has_aux=True
      )
    )(sliced, x)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10)
    (scattered,) = pull_back(small)
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(scattered)):
      np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
    assert np.std(actual, axis=0).min() > 1e-3
