"""The network and the values of `golden_zc_proxies.npz`."""

import pathlib

from flax import linen as nn
import jax.numpy as jnp
import numpy as np

from nasjax.networks import layers

FILE = 'golden_zc_proxies.npz'


class Network(nn.Module):
  """Three convolutions with norm and rectifier, the second with a skip."""

  track: bool = False

  @nn.compact
  def __call__(self, arch, x, train=True):
    del arch
    for i, (features, stride) in enumerate(((8, 1), (8, 1), (16, 2)), 1):
      y = layers.Conv(features, (3, 3), stride, name=f'conv{i}')(x)
      y = layers.BatchNorm(True, self.track, name=f'bn{i}')(y, train)
      y = layers.Relu()(y)
      x = x + y if i == 2 else y
    self.sow('intermediates', 'features', x)
    x = jnp.mean(x, axis=(1, 2))
    return layers.Dense(10, name='classifier')(x)


def load(folder: pathlib.Path, dtype=np.float64):
  """Return variables, batch and scores of the file in the folder."""
  file = np.load(folder / FILE, allow_pickle=False)
  params = {}
  for name in file.files:
    if not name.startswith('w/'):
      continue
    module, leaf = name[2:].split('.')
    value = file[name].astype(dtype)
    if value.ndim == 4:
      value = value.transpose(2, 3, 1, 0)
    elif value.ndim == 2:
      value = value.T
    if leaf == 'weight':
      leaf = 'scale' if module.startswith('bn') else 'kernel'
    params.setdefault(module, {})[leaf] = jnp.asarray(value)
  batch = {
    'image': jnp.asarray(file['x'].transpose(0, 2, 3, 1).astype(dtype)),
    'label': jnp.asarray(file['y'].astype(np.int32)),
  }
  stats = {
    f'bn{i}': {
      'mean': jnp.zeros_like(params[f'bn{i}']['scale']),
      'var': jnp.ones_like(params[f'bn{i}']['scale']),
    }
    for i in (1, 2, 3)
  }
  variables = {'params': params, 'batch_stats': stats}
  return variables, batch, file
