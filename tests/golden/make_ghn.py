"""Makes ghn_resnet50.npz and ghn_networks.npz with the program of the authors.

Needs PyTorch, torchvision and a checkout of github.com/facebookresearch/ppuda:

  PYTHONPATH=ppuda python tests/golden/make_ghn.py tests/golden

The random numbers are PyTorch's: another version of it makes other files, which
the tests that read them must pass as well.
"""

import pathlib
import sys

import numpy as np
from ppuda.deepnets1m.genotypes import Genotype
from ppuda.deepnets1m.net import Network
from ppuda.ghn.nn import GHN
import torch
import torchvision

_GATED = dict(hypernet='gatedgnn', weight_norm=True, ve=True, layernorm=True)
_MLP = _GATED | dict(hypernet='mlp')
_METHODS = {
  'ghn2': _GATED,
  'ghn1': dict(_GATED, weight_norm=False, ve=False, layernorm=False),
  'mlp': _MLP,
}
# Operations of two nodes, and what else the networks have.
_NETWORKS = (
  (
    'sep_conv_3x3 sep_conv_5x5 dil_conv_3x3 dil_conv_5x5',
    dict(ks=7, norm='bnorm', fc_layers=2, fc_dim=64, stem_pool=False),
  ),
  (
    'conv_3x3 conv_1x1 max_pool_3x3 none',
    dict(ks=5, norm=None, fc_layers=1, fc_dim=0, stem_pool=True),
  ),
  (
    'conv_7x1_1x7 conv_7x7 cse avg_pool_3x3',
    dict(ks=3, norm='bnorm', fc_layers=1, fc_dim=0, stem_pool=False),
  ),
  (
    'msa skip_connect conv_5x5 msa',
    dict(ks=3, norm='bnorm', fc_layers=2, fc_dim=64, stem_pool=False),
  ),
)


def _ghn(features, kernel, times, settings):
  """Return a hypernetwork, and its weights, which half precision holds."""
  torch.manual_seed(0)
  ghn = GHN((8, 8, kernel, kernel), 10, hid=features, **settings).eval()
  # Larger than those it starts from, so that all of it matters.
  with torch.no_grad():
    for weight in ghn.parameters():
      weight.copy_((weight * times).half().float())
  state = ghn.state_dict().items()
  return ghn, {name: x.numpy().astype(np.float16) for name, x in state}


def _row(tensor):
  """Return numbers that tell a tensor, inputs and outputs behind its pixels."""
  x = tensor.numpy().astype(np.float64)
  if x.ndim > 1:
    x = x.reshape(*x.shape, *[1] * (4 - x.ndim)).transpose(2, 3, 1, 0).ravel()
  wave = x @ np.cos(np.arange(len(x)))
  return [x.mean(), x.std(), x[len(x) // 3], x[-1], wave]


def resnet50() -> dict[str, np.ndarray]:
  """Return weights of hypernetworks, and what they predict for a ResNet-50."""
  found = {}
  for method, settings in _METHODS.items():
    ghn, state = _ghn(8, 7, 3, settings)
    found |= {f'{method}/state/{name}': x for name, x in state.items()}
    network = torchvision.models.resnet50(num_classes=10)
    network.expected_input_sz = 224
    tensors = ghn(network).state_dict().items()
    found[f'{method}/tensors'] = np.array(
      [
        _row(x)
        for name, x in tensors
        if 'running' not in name and 'num_batches' not in name
      ]
    )
  return found


def networks() -> dict[str, np.ndarray]:
  """Return weights of a hypernetwork, and logits of networks with its."""
  ghn, state = _ghn(4, 11, 2, _MLP)
  wave = np.cos(np.arange(2 * 32 * 32 * 3) ** 1.1)
  x = wave.reshape(2, 32, 32, 3).transpose(0, 3, 1, 2).astype(np.float32)
  logits = []
  for operations, settings in _NETWORKS:
    cell = list(zip(operations.split(), (0, 1, 0, 2)))
    genotype = Genotype(cell, [2, 3], cell, [2, 3])
    network = Network(
      24, 10, genotype, 1, is_imagenet_input=False, C_mult=2, **settings
    )
    # Without dropout; that norm takes the statistics of the batch, `ghn` sets.
    network = ghn(network.eval())
    with torch.no_grad():
      logits.append(network(torch.tensor(x.copy()))[0].numpy())
  state = {f'state/{name}': x for name, x in state.items()}
  return state | {'logits': np.stack(logits)}


if __name__ == '__main__':
  folder = pathlib.Path(sys.argv[1])
  np.savez_compressed(folder / 'ghn_resnet50.npz', **resnet50())
  np.savez_compressed(folder / 'ghn_networks.npz', **networks())
