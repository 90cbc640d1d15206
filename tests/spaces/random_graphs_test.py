"""Random graphs have the sizes and shapes that their models promise."""

import functools

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest
from scipy import stats

from nasjax.spaces import random_graphs

_NUM = 2000


def _draw(model, size, seed=0, num=_NUM, **parameters):
  keys = jax.random.split(jax.random.key(seed), num)
  draw = functools.partial(model, size=size, **parameters)
  return np.asarray(jax.jit(jax.vmap(lambda key: draw(key)))(keys))


def _edges(graphs):
  return graphs.sum((1, 2)) / 2


def _clustering(graph):
  """Mean over nodes of the share of pairs of neighbours that are joined."""
  shares = []
  for row in graph:
    around = np.flatnonzero(row)
    pairs = len(around) * (len(around) - 1) / 2
    joined = graph[np.ix_(around, around)].sum() / 2
    shares.append(joined / pairs if pairs else 0.0)
  return np.mean(shares)


def _is_simple(graphs, nodes):
  symmetric = (graphs == graphs.swapaxes(1, 2)).all()
  outside = graphs[:, nodes:].any() or graphs[:, :, nodes:].any()
  return symmetric and not outside and not graphs.diagonal(0, 1, 2).any()


@pytest.mark.parametrize('nodes, degree', [(3, 2), (7, 3), (10, 5), (4, 5)])
def test_rewiring_keeps_the_number_of_edges(nodes, degree):
  graphs = _draw(
    random_graphs.watts_strogatz,
    10,
    nodes=nodes,
    degree=degree,
    probability=0.4,
  )
  assert _is_simple(graphs, nodes)
  assert (_edges(graphs) == nodes * (min(degree, nodes - 1) // 2)).all()


def test_a_ring_that_is_not_rewired_has_the_clustering_of_a_lattice():
  (ring,) = _draw(
    random_graphs.watts_strogatz,
    10,
    num=1,
    nodes=9,
    degree=4,
    probability=0.0,
  )
  assert _clustering(ring[:9, :9]) == pytest.approx(3 * (4 - 2) / (4 * (4 - 1)))


def test_edges_are_independent():
  graphs = _draw(random_graphs.erdos_renyi, 10, nodes=8, probability=0.3)
  assert _is_simple(graphs, 8)
  pairs = 8 * 7 / 2
  error = np.sqrt(pairs * 0.3 * 0.7 / _NUM)
  assert abs(_edges(graphs).mean() - 0.3 * pairs) < 3 * error
  assert _edges(graphs).var() == pytest.approx(pairs * 0.3 * 0.7, rel=0.15)


@pytest.mark.parametrize('nodes, degree', [(3, 1), (8, 2), (10, 3), (1, 2)])
def test_joining_nodes_bring_their_edges(nodes, degree):
  graphs = _draw(random_graphs.barabasi_albert, 10, nodes=nodes, degree=degree)
  assert _is_simple(graphs, nodes)
  joined = min(degree, nodes - 1)
  assert (_edges(graphs) == joined * (nodes - joined)).all()


_MODELS = {
  'watts_strogatz': (
    dict(nodes=9, degree=4, probability=0.5),
    lambda seed: networkx.watts_strogatz_graph(9, 4, 0.5, seed),
  ),
  'erdos_renyi': (
    dict(nodes=9, probability=0.4),
    lambda seed: networkx.gnp_random_graph(9, 0.4, seed),
  ),
  'barabasi_albert': (
    dict(nodes=9, degree=2),
    lambda seed: networkx.barabasi_albert_graph(9, 2, seed),
  ),
}


@pytest.mark.parametrize('name', _MODELS)
def test_degrees_and_clustering_are_those_of_networkx(name):
  parameters, reference = _MODELS[name]
  ours = _draw(getattr(random_graphs, name), 10, num=500, **parameters)
  ours = ours[:, :9, :9].astype(int)
  theirs = [networkx.to_numpy_array(reference(seed)) for seed in range(500)]
  theirs = np.stack(theirs).astype(int)
  for statistic in (
    lambda graph: np.sort(graph.sum(0))[-1],
    lambda graph: np.sort(graph.sum(0))[0],
    _clustering,
    lambda graph: graph[0].sum(),  # nodes are not alike in all models
  ):
    values = [list(map(statistic, graphs)) for graphs in (ours, theirs)]
    assert stats.ks_2samp(*values).pvalue > 0.01


def test_connected_is_what_a_search_finds_connected():
  graphs = _draw(
    random_graphs.erdos_renyi, 8, nodes=6, probability=0.3, num=300
  )
  connected = jax.vmap(lambda g: random_graphs.is_connected(g, 6))(graphs)
  expected = [
    networkx.is_connected(networkx.from_numpy_array(graph[:6, :6]))
    for graph in graphs
  ]
  assert 0 < np.mean(expected) < 1
  np.testing.assert_array_equal(connected, expected)


@pytest.mark.parametrize('probability', [0.3, 0.0])
def test_every_node_lies_on_a_path_from_an_input_to_an_output(probability):
  def draw(key):
    model = functools.partial(
      random_graphs.erdos_renyi, size=8, nodes=6, probability=probability
    )
    return random_graphs.connected_dag(model, key, jnp.int32(6), 5)

  keys = jax.random.split(jax.random.key(1), 300)
  dags = jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(keys))
  assert (dags.mask == (np.arange(8) < 6)).all()
  assert not np.tril(dags.adjacency).any()
  # Connected and acyclic: nothing else is needed.
  for adjacency in dags.adjacency:
    graph = networkx.from_numpy_array(adjacency[:6, :6])
    assert networkx.is_connected(graph)
  if probability == 0:  # no draw was connected: a path
    assert (dags.adjacency.sum((1, 2)) == 5).all()
  inputs = np.asarray(jax.vmap(random_graphs.is_input)(dags))
  outputs = np.asarray(jax.vmap(random_graphs.is_output)(dags))
  assert (inputs == (dags.mask & (dags.adjacency.sum(1) == 0))).all()
  assert (outputs == (dags.mask & (dags.adjacency.sum(2) == 0))).all()
  assert inputs.any(1).all() and outputs.any(1).all()
