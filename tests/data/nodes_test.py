"""Tasks on the nodes of graphs: what they hold, against other sources."""

import jax
import networkx
import numpy as np
import pytest
from sklearn import datasets, neighbors

from nasjax.data import nodes


def _edges(graph):
  pairs = zip(graph.senders.tolist(), graph.receivers.tolist())
  return {pair for pair in pairs if pair[0] != pair[1]}


def test_the_karate_club_is_that_of_networkx():
  task, club = nodes.karate_club(), networkx.karate_club_graph()
  assert _edges(task['train']['graph']) == {
    *club.edges,
    *(e[::-1] for e in club.edges),
  }
  labels = [club.nodes[i]['club'] != 'Mr. Hi' for i in range(34)]
  np.testing.assert_array_equal(task['test']['target'].argmax(1), labels)
  weights = np.stack([part['weight'] for part in task.values()])
  np.testing.assert_array_equal(weights.sum(0), np.ones(34))
  # The two leaders.
  assert np.flatnonzero(task['train']['weight']).tolist() == [0, 33]


def test_digits_are_joined_to_their_nearest_ones():
  task, raw = nodes.digits_graph(num_neighbours=3), datasets.load_digits()
  found = neighbors.kneighbors_graph(raw.data, 3, include_self=False)
  expected = {
    pair
    for a, b in np.argwhere(found.toarray()).tolist()
    for pair in ((a, b), (b, a))
  }
  # Rounding decides between neighbours of one distance.
  assert len(_edges(task['train']['graph']) ^ expected) < 0.002 * len(expected)
  train = task['train']
  chosen = train['target'][train['weight'] > 0]
  np.testing.assert_array_equal(chosen.sum(0), np.full(10, 5))
  weights = np.stack([part['weight'] for part in task.values()])
  assert weights.sum(1).tolist() == [50, 500, 1247]
  assert weights.sum(0).max() == 1


def test_a_node_of_two_parts_is_refused():
  graph = nodes.karate_club()['train']['graph']
  with pytest.raises(ValueError, match='some are in two'):
    nodes.transductive(graph, np.eye(34), {'train': [0, 1], 'test': [1]})


def test_communities_are_graphs_apart_of_one_size():
  task = nodes.communities({'train': 3, 'valid': 1, 'test': 1}, 50)
  shapes = [jax.tree.map(np.shape, part) for part in task.values()]
  assert shapes[0] == shapes[1] == shapes[2]
  graph = task['train']['graph']
  # No edge leads from one graph to another, nor to the padding.
  np.testing.assert_array_equal(graph.senders // 50, graph.receivers // 50)
  assert [part['weight'].sum() for part in task.values()] == [150, 50, 50]
  assert graph.nodes.max() < 151


def test_nodes_of_a_common_community_are_joined_more_often():
  task = nodes.communities({'train': 4}, 100, inside=0.2, outside=0.02)
  graph, target = task['train']['graph'], task['train']['target'][:400]
  target = target.reshape(4, 100, -1)
  adjacency = np.zeros((401, 401))
  adjacency[graph.senders, graph.receivers] = 1
  blocks = [adjacency[i : i + 100, i : i + 100] for i in range(0, 400, 100)]
  upper = np.triu(np.ones((100, 100), bool), 1)
  shared = np.stack([(t @ t.T > 0) for t in target])
  blocks = np.stack(blocks)
  for common, rate in ((True, 0.2), (False, 0.02)):
    pairs = blocks[(shared == common) & upper]
    error = np.sqrt(rate * (1 - rate) / len(pairs))
    assert abs(pairs.mean() - rate) < 4 * error
  assert target.mean() == pytest.approx(1.5 / 6, abs=0.04)
