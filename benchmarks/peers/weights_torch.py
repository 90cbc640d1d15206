"""A NAS-Bench-201 network in PyTorch, as a function of named weights.

A plain network after Dong, Yang, NAS-Bench-201, 2020
(https://arxiv.org/abs/2001.00326), figure 1, whose weights are those of nasjax.
"""

import torch
from torch.nn import functional

_OPERATIONS = (
  'none',
  'skip_connect',
  'nor_conv_1x1',
  'nor_conv_3x3',
  'avg_pool_3x3',
)
_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
EPSILON = 1e-5  # of the variance


def read(arch, saved):
  """Return the weights of one network, an array a layer.

  Layers in cells are saved for all cells of a stage, `stage_0/edge_2/...`, and
  perhaps also for all edges, `stage_0/edges_0/...`.
  """
  weights = {}
  for name, leaf in saved.items():
    if not name.startswith('stage_'):
      weights[name] = leaf
      continue
    stage, slot, operation, _, *rest = name.split('/')
    for e, choice in enumerate(arch):
      if slot in (f'edge_{e}', 'edges_0') and _OPERATIONS[choice] == operation:
        own = leaf[:, e] if slot == 'edges_0' else leaf
        for c, value in enumerate(own):
          weights['/'.join((stage, f'cell_{c}', f'edge_{e}', *rest))] = value
  return weights


def tensors(weights, layout):
  """Return weights in PyTorch's order of axes."""
  order = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
  turned = {
    name: torch.tensor(leaf.transpose(order[leaf.ndim]).copy())
    for name, leaf in weights.items()
  }
  return {
    name: tensor.contiguous(memory_format=layout)
    if tensor.ndim == 4
    else tensor
    for name, tensor in turned.items()
  }


def _layers(weights, train, see):
  """Return convolution and norm by name; `see(name, x, y)` is told."""

  def convolution(name, x, stride=1):
    kernel = weights[f'{name}/kernel']
    y = functional.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2)
    see(f'{name}/kernel', x, y)
    return y

  def norm(name, x):
    scale, bias = weights[f'{name}/scale'], weights[f'{name}/bias']
    zeros, ones = torch.zeros_like(bias), torch.ones_like(bias)
    statistics = (None, None) if train else (zeros, ones)
    y = functional.batch_norm(
      x, *statistics, scale, bias, training=train, eps=EPSILON
    )
    see(f'{name}/scale', x, y)
    return y

  return convolution, norm


def logits(weights, x, arch, cells, train, see=lambda *layer: None):
  """Apply the network.

  Args:
    weights: from `tensors`.
    x: images `[N, 3, H, W]`.
    arch: six choices, one an edge.
    cells: a stage.
    train: whether normalisation takes statistics of the batch, not 0 and 1.
    see: called with name of the weights, input and output of every layer.

  Returns:
    `[N, classes]`.
  """
  convolution, norm = _layers(weights, train, see)

  def block(name, x, stride=1):
    y = convolution(f'{name}/Conv_0', functional.relu(x), stride)
    return norm(f'{name}/BatchNorm_0', y)

  def edge(name, operation, x):
    if operation == 'skip_connect':
      return x
    if operation == 'avg_pool_3x3':
      return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return block(name, x)

  def cell(name, x):
    nodes = [x, 0, 0, 0]
    for e, (source, target) in enumerate(_EDGES):
      operation = _OPERATIONS[arch[e]]
      if operation != 'none' and torch.is_tensor(nodes[source]):
        y = edge(f'{name}/edge_{e}', operation, nodes[source])
        nodes[target] = nodes[target] + y
    return nodes[3] if torch.is_tensor(nodes[3]) else torch.zeros_like(x)

  def reduction(name, x):
    y = block(f'{name}/ReluConvNorm_0', x, 2)
    y = block(f'{name}/ReluConvNorm_1', y)
    return convolution(f'{name}/Conv_0', functional.avg_pool2d(x, 2)) + y

  x = norm('stem_norm', convolution('stem', x))
  for stage in range(3):
    x = reduction(f'reduction_{stage}', x) if stage else x
    for c in range(cells):
      x = cell(f'stage_{stage}/cell_{c}', x)
  x = functional.relu(norm('last_norm', x)).mean((2, 3))
  return functional.linear(
    x, weights['classifier/kernel'], weights['classifier/bias']
  )
