"""The official files of Cora and CiteSeer as a table.

Z. Yang, W. Cohen and R. Salakhutdinov, Revisiting Semi-Supervised Learning with
Graph Embeddings, 2016, https://arxiv.org/abs/1603.08861. `ind.cora.*` are

  graph       the neighbours of every node
  allx, ally  words `[n, F]`, sparse, and classes `[n, C]`, 0 or 1, of the first
              nodes; y those of the training part, the first of all
  tx, ty      those of the test part, in the order of test.index

CiteSeer lacks some numbers in test.index: papers without words and class.
"""

import os
import pathlib
from typing import Any

import numpy as np

from nasjax.data import pickles

_PICKLES = ('y', 'allx', 'ally', 'tx', 'ty', 'graph')
_NUM_VALID = 500  # nodes after the training part


def _entries(matrix, nodes):
  """Return the node and the column of every entry, `[Z, 2]`."""
  rows = np.repeat(np.arange(matrix._shape[0]), np.diff(matrix.indptr))
  entries = np.stack([nodes[rows], matrix.indices], axis=1)
  if entries[:, 1].max(initial=0) >= matrix._shape[1]:
    raise ValueError(f'entries beyond {matrix._shape}')
  return entries[matrix.data != 0]


def _arrays(parts: dict[str, Any], test: np.ndarray) -> dict[str, np.ndarray]:
  """Return what `load_planetoid` reads."""
  first, num_features = parts['allx']._shape
  nodes = {'allx': np.arange(first), 'tx': test}
  words = [_entries(parts[name], nodes[name]) for name in nodes]
  labels = np.full(int(test.max()) + 1, -1, np.int8)
  for name, chosen in zip(('ally', 'ty'), nodes.values()):
    found = parts[name].argmax(1)
    labels[chosen] = np.where(parts[name].any(1), found, -1)
  pairs = np.array([(i, j) for i, row in parts['graph'].items() for j in row])
  if not 0 <= pairs.min() <= pairs.max() < len(labels):
    raise ValueError(f'nodes from {pairs.min()} to {pairs.max()}')
  pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
  train = len(parts['y'])
  return dict(
    feature_ij=np.unique(np.concatenate(words), axis=0).astype(np.uint16),
    shape=np.array([len(labels), num_features]),
    labels=labels,
    edges=np.unique(pairs, axis=0).astype(np.int32),
    train=np.arange(train),
    val=np.arange(train, first)[:_NUM_VALID],
    test=np.sort(test),
  )


def convert(
  source: str | os.PathLike[str], output: str | os.PathLike[str]
) -> int:
  """Write the table of a graph; `load_planetoid` reads it.

  Args:
    source: what the names of the files have in common, such as
      `planetoid/data/ind.cora`.
    output: file to write, to be named `cora.npz` or `citeseer.npz` for reading.

  Returns:
    The number of nodes.

  Raises:
    ValueError: if a file is missing or is not what it should be.
  """
  source, output = os.fspath(source), pathlib.Path(output)
  if output.suffix != '.npz':
    raise ValueError(f'Expected an output that ends in .npz, got {output}.')
  index = f'{source}.test.index'
  paths = [pathlib.Path(f'{source}.{name}') for name in _PICKLES]
  for path in (*paths, pathlib.Path(index)):
    if not path.is_file():
      raise ValueError(f'Expected the official file {path}: no such file.')
  parts = {
    name: pickles.load(path.read_bytes(), path)
    for name, path in zip(_PICKLES, paths)
  }
  try:
    arrays = _arrays(parts, np.loadtxt(index, dtype=int, ndmin=1))
  except (AttributeError, IndexError, TypeError, ValueError) as error:
    raise ValueError(f'{source}.* are no such graph: {error}.') from error
  np.savez_compressed(output, **arrays)
  return len(arrays['labels'])
