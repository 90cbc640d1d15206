"""The conversion of Planetoid's files, of a graph like CiteSeer."""

import collections
import pickle

import numpy as np
import pytest
from scipy import sparse

from nasjax.data import convert_planetoid, planetoid

# Eight nodes; 4 is in no file: nodes 0 to 3, and the test part 6, 5, 7.
_WORDS = {0: [0, 2], 1: [], 2: [1], 3: [4], 6: [3], 5: [0, 1], 7: [2]}
_CLASSES = {0: 1, 1: 0, 2: 2, 3: 1, 6: 2, 5: 0, 7: 1}
_FIRST, _TEST = [0, 1, 2, 3], [6, 5, 7]
_GRAPH = {0: [1, 1, 2], 1: [0], 2: [2, 0], 5: [7], 6: [], 7: [3, 5], 4: []}


def _words(nodes):
  matrix = np.zeros((len(nodes), 5), np.float32)
  for row, node in enumerate(nodes):
    matrix[row, _WORDS[node]] = 1
  return sparse.csr_matrix(matrix)


def _classes(nodes):
  return np.eye(3, dtype=np.int32)[[_CLASSES[node] for node in nodes]]


def _save(path, content):
  """As Python 2 named the modules, in which the official files were made."""
  data = pickle.dumps(content, protocol=3)
  for new, old in (
    (b'numpy._core.multiarray', b'numpy.core.multiarray'),
    (b'scipy.sparse._csr', b'scipy.sparse.csr'),
    (b'cbuiltins\n', b'c__builtin__\n'),
  ):
    data = data.replace(new, old)
  path.write_bytes(data)


@pytest.fixture
def source(tmp_path):
  """The start of the names of the files."""
  graph = collections.defaultdict(list, _GRAPH)
  contents = dict(
    y=_classes([0, 1]),
    allx=_words(_FIRST),
    ally=_classes(_FIRST),
    tx=_words(_TEST),
    ty=_classes(_TEST),
    graph=graph,
  )
  for name, content in contents.items():
    _save(tmp_path / f'ind.small.{name}', content)
  (tmp_path / 'ind.small.test.index').write_text('6\n5\n7\n')
  return tmp_path / 'ind.small'


def test_files_become_a_graph_that_the_reader_takes(
  source, tmp_path, monkeypatch
):
  assert convert_planetoid.convert(source, tmp_path / 'cora.npz') == 8
  monkeypatch.setitem(planetoid.SIZES, 'cora', (8, 5, 3))
  task = planetoid.load_planetoid('cora', tmp_path)
  graph, target = task['train']['graph'], task['train']['target']
  words = np.zeros((8, 5))
  words[graph.nodes, graph.columns] = graph.values
  for node in range(8):
    expected = np.zeros(5)
    expected[_WORDS.get(node, [])] = 1
    np.testing.assert_allclose(words[node], expected / max(expected.sum(), 1))
    known = np.eye(3)[_CLASSES[node]] if node in _CLASSES else np.zeros(3)
    np.testing.assert_array_equal(target[node], known)
  pairs = {(i, j) for i, j in zip(graph.senders, graph.receivers) if i < j}
  assert pairs == {(0, 1), (0, 2), (3, 7), (5, 7)}
  chosen = [np.flatnonzero(part['weight']).tolist() for part in task.values()]
  assert chosen == [[0, 1], [2, 3], [5, 6, 7]]


def test_files_that_are_no_such_graph_are_refused(source, tmp_path):
  output = tmp_path / 'cora.npz'
  path = lambda name: source.with_name(f'ind.small.{name}')
  with pytest.raises(ValueError, match='ends in .npz'):
    convert_planetoid.convert(source, tmp_path / 'cora')
  with pytest.raises(ValueError, match='ind.large.y: no such file'):
    convert_planetoid.convert(tmp_path / 'ind.large', output)
  _save(path('graph'), {0: [8]})
  with pytest.raises(ValueError, match='no such graph: nodes from 0 to 8'):
    convert_planetoid.convert(source, output)
  _save(path('graph'), _GRAPH)
  _save(path('tx'), np.zeros((3, 5)))
  with pytest.raises(ValueError, match='no such graph'):
    convert_planetoid.convert(source, output)
  _save(path('tx'), print)
  with pytest.raises(ValueError, match='print is not data'):
    convert_planetoid.convert(source, output)
  assert not output.exists()
