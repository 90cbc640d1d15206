"""Compares what a network computes for one architecture in its three forms."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice


def images(num=4, height=8, width=8):
  """Random images with three channels."""
  return jax.random.normal(jax.random.key(1), (num, height, width, 3))


def num_weights(module, arch, size=32, **settings):
  """Count weights by shape; return them and the tree of shapes."""
  x = jnp.zeros((1, size, size, 3))
  params = jax.eval_shape(
    lambda: module.init(jax.random.key(0), arch, x, **settings)
  )['params']
  return sum(leaf.size for leaf in jax.tree.leaves(params)), params


def assert_equal(network, space, archs):
  """Assert that all forms give the same logits and gradients of the weights.

  Args:
    network: a module without statistics.
    space: of its architectures.
    archs: index architectures; the first is compared in its static form too.
  """
  x = images()
  variables = jax.jit(network.init)(jax.random.key(0), archs[0], x)

  def run(variables, arch):
    def loss(variables):
      logits = network.apply(variables, arch, x)
      return jnp.sum(jnp.sin(logits)), logits

    (_, logits), gradient = jax.value_and_grad(loss, has_aux=True)(variables)
    return logits, gradient

  jitted = jax.jit(run)
  fixed = choice.static(archs[0])
  static = jax.jit(lambda variables: run(variables, fixed))(variables)
  _assert_close(jitted(variables, archs[0]), static)
  for arch in archs:
    relaxed = choice.one_hot(arch, space.mask)
    index = jitted(variables, arch)
    _assert_close(jitted(variables, relaxed), index)
  # Equal, but not because nothing depends on the architecture.
  first, last = (jitted(variables, archs[i])[0] for i in (0, -1))
  assert np.abs(first - last).max() > 1e-2


def _assert_close(actual, expected):
  def compare(a, b):
    scale = max(1, np.abs(b).max())
    np.testing.assert_allclose(a / scale, b / scale, atol=1e-5)

  jax.tree.map(compare, actual, expected)
