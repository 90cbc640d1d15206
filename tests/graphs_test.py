"""Graphs as arrays, and reductions over the edges of a node."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import graphs
from nasjax.ops import segments

_FEATURES = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 3.0], [0.0, 4.0]])
_GRAPH = graphs.undirected(np.array([[2, 0], [0, 2], [1, 1]]), _FEATURES)
_SEGMENTS = np.array([0, 0, 1, 2, 2, 2])


def _dense(graph):
  """Adjacency and features."""
  num = len(graph.degrees)
  adjacency = np.zeros((num, num))
  np.add.at(adjacency, (graph.receivers, graph.senders), 1)
  features = np.zeros((num, 2))
  np.add.at(features, (graph.nodes, graph.columns), graph.values)
  return adjacency, features


def test_pairs_are_edges_in_both_directions_once_and_every_node_has_its_own():
  adjacency, features = _dense(_GRAPH)
  expected = np.eye(4)
  expected[0, 2] = expected[2, 0] = 1
  np.testing.assert_array_equal(adjacency, expected)
  np.testing.assert_array_equal(features, _FEATURES)
  np.testing.assert_array_equal(_GRAPH.degrees, expected.sum(1))
  assert len(_GRAPH.values) == 4


def test_an_edge_to_nowhere_is_refused():
  with pytest.raises(ValueError, match='from 0 to 3, got nodes from 0 to 4'):
    graphs.undirected(np.array([[0, 4]]), _FEATURES)


def test_a_union_has_its_parts_on_the_diagonal():
  adjacency, features = _dense(graphs.union([_GRAPH, _GRAPH]))
  one, _ = _dense(_GRAPH)
  np.testing.assert_array_equal(adjacency, np.kron(np.eye(2), one))
  np.testing.assert_array_equal(features, np.tile(_FEATURES, (2, 1)))


def test_padding_is_a_part_of_its_own():
  padded = graphs.pad(_GRAPH, 6, 11, 7)
  adjacency, features = _dense(padded)
  one, _ = _dense(_GRAPH)
  np.testing.assert_array_equal(adjacency[:4, :4], one)
  assert not adjacency[:4, 4:].any() and not adjacency[4:, :4].any()
  assert not features[4:].any()
  assert [len(leaf) for leaf in padded] == [11, 11, 6, 7, 7, 7]
  assert (np.diff(padded.receivers) >= 0).all() and padded.degrees.min() >= 1


@pytest.mark.parametrize('sizes', [(4, 9, 9), (6, 7, 9), (6, 9, 3)])
def test_too_little_room_is_refused(sizes):
  with pytest.raises(ValueError, match=r'\(4, 6, 4\).* cannot be padded'):
    graphs.pad(_GRAPH, *sizes)


def test_reductions_are_loops_over_segments():
  x = np.random.RandomState(0).randn(6, 3)
  rows = [x[_SEGMENTS == i] for i in range(3)]
  np.testing.assert_allclose(
    segments.segment_sum(x, _SEGMENTS, 3), [r.sum(0) for r in rows], atol=1e-6
  )
  np.testing.assert_allclose(
    segments.segment_max(x, _SEGMENTS, 3), [r.max(0) for r in rows], rtol=1e-5
  )
  expected = [np.exp(r) / np.exp(r).sum(0) for r in rows]
  # Logits of any size: the largest of the segment is taken off.
  for shift in (0, 500):
    np.testing.assert_allclose(
      segments.segment_softmax(x + shift, _SEGMENTS, 3),
      np.concatenate(expected),
      rtol=1e-4,
    )


def test_equal_largest_rows_share_the_gradient():
  x = jnp.array([[1.0], [1.0], [0.0], [3.0], [2.0], [-1.0]])
  gradient = jax.grad(lambda x: segments.segment_max(x, _SEGMENTS, 3).sum())(x)
  np.testing.assert_array_equal(gradient[:, 0], [0.5, 0.5, 1, 1, 0, 0])
