"""A small graph of tensors for the tests of what reads such graphs."""

import numpy as np

from nasjax.spaces import deepnets_primitives
from nasjax.spaces.deepnets_graphs import TensorGraph

SIZE = 7


def small(seed=0):
  """A random graph of seven vertices, the last one padding."""
  rng = np.random.RandomState(seed)
  adjacency = np.triu(rng.rand(SIZE, SIZE) < 0.4, 1).astype(np.float32)
  adjacency[np.arange(5), np.arange(1, 6)] = 1
  adjacency[:, -1] = 0
  mask = np.ones(SIZE, np.float32)
  mask[-1] = 0
  op = np.full(SIZE, deepnets_primitives.INDEX['conv'])
  op[4] = deepnets_primitives.INDEX['bn']
  op[5] = deepnets_primitives.INDEX['bias']
  shape = np.array([[3, 2, 3, 3]] * 4 + [[4, 1, 1, 1]] * 3)
  shape[3] = [10, 5, 1, 1]
  shape[5] = [10, 1, 1, 1]
  return TensorGraph(
    adjacency, op.astype(np.int32), mask, shape.astype(np.int32)
  )
