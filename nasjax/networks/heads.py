"""Classifiers on inner cells, which help to train deep networks."""

import chex
from flax import linen as nn
import jax

from nasjax.networks import layers


class AuxiliaryHead(nn.Module):
  """Classifier on an inner cell: average 5x5, 1x1, 2x2, linear."""

  num_classes: int
  stride: int
  last_norm: bool

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    x = nn.avg_pool(jax.nn.relu(x), (5, 5), (self.stride,) * 2)
    x = layers.Conv(128)(x)
    x = jax.nn.relu(layers.BatchNorm(track=True)(x, train))
    x = layers.Conv(768, (2, 2), padding=((0, 0), (0, 0)))(x)
    if self.last_norm:
      x = layers.BatchNorm(track=True)(x, train)
    x = jax.nn.relu(x)
    return layers.Dense(self.num_classes)(x.reshape(len(x), -1))
