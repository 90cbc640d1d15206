"""Compares what a network computes for one architecture in its three forms."""

from collections.abc import Callable
from typing import Any, NamedTuple

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


class Compiled(NamedTuple):
  """A network with weights, for `images()`."""

  variables: Any
  run: Callable  # (variables, arch) -> logits, gradient of the weights
  jitted: Callable  # the same


def compile_network(network, arch):
  """Return a network with weights.

  Args:
    network: a module without statistics.
    arch: an index architecture.
  """
  x = images()

  def run(variables, arch):
    def loss(variables):
      logits = network.apply(variables, arch, x)
      return jnp.sum(jnp.sin(logits)), logits

    (_, logits), gradient = jax.value_and_grad(loss, has_aux=True)(variables)
    return logits, gradient

  variables = jax.jit(network.init)(jax.random.key(0), arch, x)
  return Compiled(variables, run, jax.jit(run))


def assert_equal(compiled, space, archs):
  """Assert that all forms give the same logits and gradients of the weights.

  Args:
    compiled: the network.
    space: of its architectures.
    archs: index architectures; the first is compared in its static form too.
  """
  variables, run, jitted = compiled
  fixed = choice.static(archs[0])
  static = jax.jit(lambda variables: run(variables, fixed))(variables)
  _assert_close(jitted(variables, archs[0]), static)
  logits = []
  for arch in archs:
    index = jitted(variables, arch)
    relaxed = choice.one_hot(arch, space.mask)
    _assert_close(jitted(variables, relaxed), index)
    logits.append(index[0])
  # Equal, but not because nothing depends on the architecture.
  assert np.abs(logits[0] - logits[-1]).max() > 1e-2


def _assert_close(actual, expected):
  def compare(a, b):
    scale = max(1, np.abs(b).max())
    np.testing.assert_allclose(a / scale, b / scale, atol=1e-5)

  jax.tree.map(compare, actual, expected)
