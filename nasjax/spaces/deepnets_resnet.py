"""ResNet-50 as a graph of the primitives of DeepNets-1M, written by hand.

K. He, X. Zhang, S. Ren and J. Sun, Deep Residual Learning for Image
Recognition, 2016, https://arxiv.org/abs/1512.03385, table 1, with projections
where the shape changes: 25.56 million parameters for 1,000 classes. One of the
networks that B. Knyazev et al., 2021, https://arxiv.org/abs/2110.13100, predict
parameters for.
"""

import numpy as np

from nasjax.spaces import deepnets_primitives as primitives
from nasjax.spaces.deepnets_graphs import TensorGraph

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width, blocks
_EXPANSION = 4


def resnet50(num_classes: int = 1000) -> TensorGraph:
  """Return the graph of ResNet-50.

  Args:
    num_classes: of the classifier.

  Returns:
    The graph, of numpy arrays, without padding.
  """
  vertices, edges = [], []

  def add(name, sources, *shape):
    vertices.append((name, shape or (0, 0, 0, 0)))
    edges.extend((source, len(vertices) - 1) for source in sources)
    return len(vertices) - 1

  def conv_norm(source, inputs, outputs, size):
    conv = add('conv', [source], outputs, inputs, size, size)
    return add('bn', [conv], outputs, 1, 1, 1)

  x = conv_norm(add('input', []), 3, 64, 7)
  x, channels = add('max_pool', [x], 1, 1, 3, 3), 64
  for width, num_blocks in _STAGES:
    for block in range(num_blocks):
      y = conv_norm(x, channels, width, 1)
      y = conv_norm(y, width, width, 3)
      y = conv_norm(y, width, _EXPANSION * width, 1)
      if block == 0:
        x = conv_norm(x, channels, _EXPANSION * width, 1)
      x, channels = add('sum', [x, y]), _EXPANSION * width
  x = add('conv', [add('glob_avg', [x])], num_classes, channels, 1, 1)
  add('bias', [x], num_classes, 1, 1, 1)

  adjacency = np.zeros((len(vertices),) * 2, np.float32)
  adjacency[tuple(np.transpose(edges))] = 1
  names, shapes = zip(*vertices)
  return TensorGraph(
    adjacency,
    np.array([primitives.INDEX[name] for name in names], np.int32),
    np.ones(len(vertices), np.float32),
    np.array(shapes, np.int32),
  )
