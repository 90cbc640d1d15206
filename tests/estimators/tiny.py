"""A network that compiles in a second, and images that are easy to tell."""

from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax.networks import cell, layers, operations
from nasjax.spaces import categorical

NAMES = ('skip_connect', 'nor_conv_1x1', 'dil_conv_3x3')
EDGES = ((0, 1), (0, 2), (1, 2))
SPACE = categorical.categorical({'op': (len(EDGES), len(NAMES))})
SHAPE = (2, 2, 3)


class Network(nn.Module):
  """One cell and a linear classifier of two classes."""

  track: bool = False
  names: tuple[str, ...] = NAMES

  @nn.compact
  def __call__(self, arch, x, train=True, drop_path=None):
    site = operations.Site(x.shape[-1], affine=self.track, track=self.track)
    module = cell.Cell(
      operations.resolve(self.names), EDGES, 1, site, name='cell'
    )
    x = module(arch['op'], x[None], train, drop_path)[-1]
    return layers.Dense(2)(jnp.mean(x, (1, 2)))


def images(key, num=32):
  """Draw images whose channels' means give their label."""
  label_key, noise_key = jax.random.split(key)
  label = jax.random.bernoulli(label_key, shape=(num,)).astype(jnp.int32)
  mean = jnp.where(label == 1, 2.0, -2.0)[:, None, None, None]
  noise = jax.random.normal(noise_key, (num, *SHAPE))
  sign = jnp.array([1.0, -1.0, 0.5])[None, None, None]
  return {'image': mean * sign + noise, 'label': label}


def stacked(key, num_batches, num):
  """Draw batches `[T, B, ...]` in which every example counts."""
  batches = jax.vmap(lambda key: images(key, num))(
    jax.random.split(key, num_batches)
  )
  return batches | {'weight': jnp.ones((num_batches, num))}
