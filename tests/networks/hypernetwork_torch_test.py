"""Hypernetworks of the authors' program predict here what they predict there.

`golden/ghn_resnet50.npz`, which `golden/make_ghn.py` makes, has for each of
GHN-1, GHN-2 and the MLP of ppuda (github.com/facebookresearch/ppuda, with 8
features, blocks of 8x8 weights of 7x7) weights drawn at random, and what that
program predicts with them for torchvision's ResNet-50 of 10 classes: of every
tensor, rows, columns, inputs, outputs in this order, its mean, standard
deviation, the entry behind a third of all, the last one, and the product with
cos(0, 1, 2, ...).
"""

import functools
import pathlib

import jax
import numpy as np
import pytest

from nasjax.networks import deepnets_exact, hypernetwork_torch
from nasjax.spaces import deepnets_primitives, deepnets_resnet

_FILE = pathlib.Path(__file__).parents[1] / 'golden' / 'ghn_resnet50.npz'


def _state(file, method):
  start = f'{method}/state/'
  return {
    name.removeprefix(start): np.float32(file[name])
    for name in file
    if name.startswith(start)
  }


def _rows(graph, tensors):
  """Return a row a tensor, those of norms being two, in the file's order.

  The file has the projection of a block behind its other layers, as here.
  """
  rows = []
  for place in sorted(tensors):
    is_norm = deepnets_primitives.PRIMITIVES[graph.op[place]] == 'bn'
    for x in tensors[place] if is_norm else [tensors[place]]:
      x = np.float64(x).ravel()
      wave = x @ np.cos(np.arange(len(x)))
      rows.append([x.mean(), x.std(), x[len(x) // 3], x[-1], wave])
  return np.array(rows)


@pytest.mark.parametrize('method', ['ghn2', 'ghn1', 'mlp'])
def test_a_resnet_50_gets_the_tensors_of_the_authors_program(method):
  file, graph = np.load(_FILE), deepnets_resnet.resnet50(10)
  model, variables = hypernetwork_torch.from_state_dict(_state(file, method))
  predict = functools.partial(
    deepnets_exact.predict, model, graph=graph, normalise=method != 'ghn1'
  )
  found = _rows(graph, jax.device_get(jax.jit(predict)(variables)))
  expected = file[f'{method}/tensors']
  assert found.shape == expected.shape
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_state_that_lacks_an_array_says_which():
  state = _state(np.load(_FILE), 'ghn2')
  del state['bias_class.1.bias']
  with pytest.raises(ValueError, match="an array 'bias_class.1.bias'"):
    hypernetwork_torch.from_state_dict(state)
