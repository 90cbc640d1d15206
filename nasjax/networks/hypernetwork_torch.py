"""Weights of hypernetworks that the authors' program has trained.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, publish GHN-1, GHN-2 and the MLP as files of
PyTorch: checkpoints/{ghn1,ghn2,mlp}_cifar10.pt and {ghn1,ghn2}_imagenet.pt of
github.com/facebookresearch/ppuda. Who has one, and PyTorch, reads it by

  saved = torch.load('ghn2_cifar10.pt', map_location='cpu')
  state = {name: x.numpy() for name, x in saved['state_dict'].items()}
  model, variables = from_state_dict(state)

and predicts with `deepnets_exact.predict`, `normalise` being what the file has
as saved['config']['weight_norm']: not for GHN-1.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nasjax.networks import graph_encoders
from nasjax.networks.hypernetwork import Hypernetwork

_State = Mapping[str, np.ndarray]


def _dense(state, name):
  """Return a linear layer, or a convolution of one row and one column."""
  weight = state[f'{name}.weight']
  kernel = weight.reshape(weight.shape[:2]).T
  return {'kernel': kernel, 'bias': state[f'{name}.bias']}


def _gates(state):
  """Return a gated recurrent unit, whose gates are stacked: reset, update, new.

  What two biases of a gate add is in one of them.
  """
  split = lambda name: np.split(state[f'gnn.gru.{name}'], 3)
  inputs, hidden = split('weight_ih'), split('weight_hh')
  input_bias, hidden_bias = split('bias_ih'), split('bias_hh')
  found = {}
  for i, gate in enumerate('rzn'):
    new = gate == 'n'
    bias = input_bias[i] if new else input_bias[i] + hidden_bias[i]
    found[f'i{gate}'] = {'kernel': inputs[i].T, 'bias': bias}
    found[f'h{gate}'] = {'kernel': hidden[i].T}
  found['hn']['bias'] = hidden_bias[2]
  return found


def _body(state):
  """Return the encoder, and its weights."""
  if 'gnn.gru.weight_ih' not in state:
    layers = {f'layers_{i}': _dense(state, f'gnn.fc.{2 * i}') for i in range(2)}
    return graph_encoders.Perceptron, layers
  message = lambda name: {
    f'Dense_{i}': _dense(state, f'gnn.{name}.fc.{2 * i}') for i in range(2)
  }
  weights = {'gate': _gates(state), 'near': message('mlp')}
  if 'gnn.mlp_ve.fc.0.weight' in state:
    return graph_encoders.GatedGnn, weights | {'far': message('mlp_ve')}
  without = lambda features: graph_encoders.GatedGnn(features, cutoff=1)
  return without, weights


def from_state_dict(state: _State) -> tuple[Hypernetwork, dict[str, Any]]:
  """Return a hypernetwork of the authors' program.

  Args:
    state: arrays by their names in the program, `ghn.state_dict()`, of a GHN
      with the convolutional decoder.

  Returns:
    The hypernetwork and its variables. Tensors of GHN-1 are not to be
    normalised.

  Raises:
    ValueError: if an array is missing.
  """
  try:
    return _convert(state)
  except KeyError as error:
    raise ValueError(
      f'The state of a GHN has an array {error}; this one has '
      f'{", ".join(sorted(state)) or "none"}.'
    ) from None


def _convert(state):
  first, bias = state['decoder.fc.0.weight'], state['decoder.fc.0.bias']
  num_blocks = state['decoder.conv.2.weight'].shape[0]
  channels, features = int(num_blocks**0.5), first.shape[1]
  size = int((first.shape[0] // (4 * features)) ** 0.5)
  encoder, body = _body(state)
  # Rows of the last convolution are pairs of an output and an input.
  blocks = {
    name: np.swapaxes(x.reshape(*x.shape[:-1], channels, channels), -1, -2)
    for name, x in _dense(state, 'decoder.conv.2').items()
  }
  blocks = {name: x.reshape(*x.shape[:-2], -1) for name, x in blocks.items()}
  pixels = first.reshape(4 * features, size, size, features)
  params = {
    'primitive': {'embedding': state['embed.weight']},
    'channel': {'embedding': state['shape_enc.embed_channel.weight']},
    'spatial': {'embedding': state['shape_enc.embed_spatial.weight']},
    'body': body,
    'pixels': pixels.transpose(1, 2, 3, 0),
    'pixel_bias': bias.reshape(4 * features, size, size).transpose(1, 2, 0),
    'hidden': _dense(state, 'decoder.conv.0'),
    'blocks': blocks,
    'class_weight': _dense(state, 'decoder.class_layer_predictor.1'),
    'vector': {
      f'layers_{i}': _dense(state, f'decoder_1d.fc.{i}') for i in (0, 2)
    },
    'class_bias': _dense(state, 'bias_class.1'),
  }
  has_norm = 'ln.weight' in state
  if has_norm:
    params['norm'] = {'scale': state['ln.weight'], 'bias': state['ln.bias']}
  model = Hypernetwork(
    num_classes=params['class_bias']['bias'].shape[0],
    features=features,
    channels=channels,
    kernel=size,
    encoder=encoder,
    layer_norm=has_norm,
  )
  return model, {'params': jax.tree.map(np.asarray, params)}
