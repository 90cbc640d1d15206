"""Tasks on the nodes of graphs: what they hold, against other sources."""

import jax
import networkx
import numpy as np
import pytest
from sklearn import datasets, metrics

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
  task, images = (
    nodes.digits_graph(num_neighbours=3),
    datasets.load_digits().data,
  )
  # Whole numbers: the distances are exact, and many are equal.
  distance = ((images[:100, None] - images[None]) ** 2).sum(-1)
  distance[np.arange(100), np.arange(100)] = np.inf
  pairs = nodes.nearest(images, 3).reshape(-1, 3, 2)[:100]
  found = distance[pairs[..., 0], pairs[..., 1]]
  np.testing.assert_array_equal(found, np.sort(distance, axis=1)[:, :3])
  edges = _edges(task['train']['graph'])
  assert {tuple(pair) for pair in pairs.reshape(-1, 2).tolist()} <= edges
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


def test_nodes_with_more_in_common_are_joined_more_often():
  task = nodes.communities({'train': 4}, 100, inside=0.4, outside=0.02)
  graph, target = task['train']['graph'], task['train']['target'][:400]
  adjacency = np.zeros((401, 401))
  adjacency[graph.senders, graph.receivers] = 1
  share = metrics.pairwise_distances(target.astype(bool), metric='jaccard')
  shares = 1 - np.where(target.any(1)[:, None], share, 1)
  pairs = np.triu(np.arange(400)[:, None] // 100 == np.arange(400) // 100, 1)
  for level in (0, 1 / 3, 1 / 2, 1):
    found = adjacency[:400, :400][pairs & np.isclose(shares, level)]
    rate = 0.02 + 0.4 * level**2
    error = np.sqrt(rate * (1 - rate) / len(found))
    assert abs(found.mean() - rate) < 4 * error
  assert target.mean() == pytest.approx(1.5 / 6, abs=0.04)
