"""A program for two devices: are equal gradients equal?

`batching_test` runs it in a process of its own. With as many threads as
devices, `--without_spare_thread` on two cores, about the 250th is the first
that is wrong.
"""

import os
import sys

os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=2'

from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax import batching
from nasjax.experiment import launch
from nasjax.networks import layers


class _Network(nn.Module):
  """A residual block that halves the image, and a classifier."""

  @nn.compact
  def __call__(self, x):
    y = layers.ReluConvNorm(64, (3, 3), 2, affine=True, track=True)(x, False)
    y = layers.ReluConvNorm(64, (3, 3), 1, affine=True, track=True)(y, False)
    y = layers.Conv(64)(x[:, ::2, ::2]) + y
    y = layers.BatchNorm(True, True)(y, False)
    return layers.Dense(10)(jnp.mean(nn.relu(y), (1, 2)))


def main():
  if '--without_spare_thread' not in sys.argv:
    launch.set_up_jax()
  images = jax.random.normal(jax.random.key(0), (32, 16, 16, 32))
  network = _Network()
  variables = jax.jit(network.init)(jax.random.key(1), images)

  def gradient(scale, images):
    loss = lambda x: jnp.sum(network.apply(variables, x))
    return jax.grad(loss)(scale * images)[0]

  program = jax.jit(batching.map_archs, static_argnums=0)
  gradients = program(gradient, jnp.ones(600), shared=(images,))
  print('different:', int(jnp.any(gradients != gradients[0])))


main()
