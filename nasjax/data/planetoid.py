"""Cora and CiteSeer: papers, their words, and who cites whom.

Z. Yang, W. Cohen and R. Salakhutdinov, Revisiting Semi-Supervised Learning with
Graph Embeddings, 2016, https://arxiv.org/abs/1603.08861: 20 nodes of each class
to train on, 500 for validation, 1,000 for the test.

`cora.npz` and `citeseer.npz` are re-encodings of the authors' files `ind.*`,
made by `convert_planetoid`.
"""

import os

import numpy as np

from nasjax import graphs
from nasjax.data import nodes, tables

# Nodes, features, classes.
SIZES = {'cora': (2708, 1433, 7), 'citeseer': (3327, 3703, 6)}
_PARTS = {'train': 'train', 'valid': 'val', 'test': 'test'}
_SOURCE = (
  '`python -m experiments.convert --benchmark=planetoid` makes it of the files '
  'ind.* of https://github.com/kimiyoung/planetoid.'
)


def load_planetoid(
  graph: str, data_dir: str | os.PathLike[str] | None = None
) -> dict[str, nodes.Part]:
  """Return the task of a citation graph, with the standard split.

  Features are the words of a paper, each one over their number. Citations have
  no direction.

  Args:
    graph: 'cora' or 'citeseer'.
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    The transductive task, see `nodes`.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Yang, Cohen and Salakhutdinov, https://arxiv.org/abs/1603.08861.
  """
  if graph not in SIZES:
    raise ValueError(f'Unknown graph {graph!r}. Known: {", ".join(SIZES)}.')
  num_nodes, num_features, num_classes = SIZES[graph]
  path = tables.find(f'{graph}.npz', data_dir, _SOURCE)
  arrays = tables.read(path)
  take = lambda key, *shape: tables.take(path, arrays, key, 'number', shape)
  shape = take('shape', 2)
  if tuple(shape) != (num_nodes, num_features):
    raise ValueError(
      f'shape in {path} must be {(num_nodes, num_features)}, got {shape}.'
    )
  labels = take('labels', num_nodes).astype(int)
  words = np.zeros((num_nodes, num_features), np.float32)
  rows, columns = take('feature_ij', None, 2).astype(int).T
  words[rows, columns] = 1
  words /= np.maximum(words.sum(axis=1, keepdims=True), 1)
  split = {part: take(key, None) for part, key in _PARTS.items()}
  for part, chosen in split.items():
    if not (0 <= labels[chosen]).all() or labels.max() >= num_classes:
      raise ValueError(f'Some nodes of {part} in {path} have no class.')
  target = np.eye(num_classes)[labels] * (labels >= 0)[:, None]
  return nodes.transductive(
    graphs.undirected(take('edges', None, 2), words), target, split
  )
