"""Tests for cells as graphs: against paths that are followed one by one."""

import itertools

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest

from nasjax.spaces import graphs, nasbench101_cells, nasbench201

_EDGES_201 = '0-1 0-2 0-4 1-3 1-5 2-6 3-6 4-7 5-7 6-7'
_SPACE = nasbench201.nasbench201()


def _networkx(graph):
  """Returns the graph of all vertices that are not padding."""
  result = networkx.DiGraph()
  for vertex in np.flatnonzero(graph.mask):
    result.add_node(int(vertex), op=int(graph.op[vertex]))
  result.add_edges_from(np.argwhere(np.asarray(graph.adjacency)).tolist())
  return result


def _on_a_path(graph, last):
  """Returns the graph of what lies on a path, found by enumeration."""
  paths = list(networkx.all_simple_paths(graph, 0, last))
  kept = {0, last}.union(*paths)
  return graph.subgraph(kept).copy()


def _random_graph(seed, size=7):
  rng = np.random.default_rng(seed)
  adjacency = np.triu(rng.random((size, size)) < 0.3, 1).astype(np.float32)
  op = rng.integers(0, 3, size).astype(np.int32)
  return graphs.Graph(jnp.array(adjacency), jnp.array(op), jnp.ones(size))


def _assert_same(graph, expected):
  actual = _networkx(graph)
  assert dict(actual.nodes(data='op')) == dict(expected.nodes(data='op'))
  assert set(actual.edges) == set(expected.edges)
  padding = np.asarray(graph.mask) == 0
  assert not np.any(np.asarray(graph.op)[padding])


@pytest.mark.parametrize('seed', range(8))
def test_pruning_keeps_what_is_on_a_path(seed):
  graph = _random_graph(seed)
  _assert_same(graphs.prune(graph), _on_a_path(_networkx(graph), 6))


@pytest.mark.parametrize('seed', range(8))
def test_contraction_joins_the_sources_of_a_vertex_to_its_targets(seed):
  graph = _random_graph(seed)
  expected = _networkx(graph)
  for vertex in [v for v, op in expected.nodes(data='op') if op == 1]:
    pairs = itertools.product(
      list(expected.predecessors(vertex)), list(expected.successors(vertex))
    )
    expected.add_edges_from(list(pairs))
    expected.remove_node(vertex)
  _assert_same(graphs.contract(graph, 1), expected)


def test_the_graph_of_a_nasbench201_cell_has_the_published_edges():
  arch = {'op': jnp.array([4, 0, 1, 2, 3, 3])}
  graph = graphs.nasbench201(arch)
  edges = [f'{i}-{j}' for i, j in np.argwhere(np.asarray(graph.adjacency))]
  assert ' '.join(edges) == _EDGES_201
  assert graph.op.tolist() == [5, 4, 0, 1, 2, 3, 3, 6]
  assert graph.mask.tolist() == [1] * 8


def test_a_none_goes_with_all_that_depends_on_it():
  # Only 0>1 (pool), 1>3 (conv3x3) and the skip 0>3 are on a path.
  arch = {'op': jnp.array([4, 0, 2, 1, 3, 0])}
  pruned = graphs.nasbench201(arch, pruned=True)
  assert pruned.mask.tolist() == [1, 1, 0, 0, 1, 1, 0, 1]
  assert pruned.op.tolist() == [5, 4, 0, 0, 1, 3, 0, 6]
  contracted = graphs.nasbench201(arch, pruned=True, contracted=True)
  edges = np.argwhere(np.asarray(contracted.adjacency)).tolist()
  assert edges == [[0, 1], [0, 7], [1, 5], [5, 7]]


def test_a_cell_without_a_path_keeps_its_ends():
  graph = graphs.nasbench201({'op': jnp.zeros(6, jnp.int32)}, pruned=True)
  assert graph.mask.tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
  assert not np.any(graph.adjacency)


def test_graphs_of_many_cells_at_once_are_those_of_each():
  keys = jax.random.split(jax.random.key(0), 20)
  archs = jax.vmap(_SPACE.sample)(keys)
  view = lambda arch: graphs.nasbench201(arch, pruned=True, contracted=True)
  batch = jax.jit(jax.vmap(view))(archs)
  for i in range(20):
    arch = {'op': archs['op'][i]}
    expected = _on_a_path(_networkx(_without_none(arch)), 7)
    for vertex in [v for v, op in expected.nodes(data='op') if op == 1]:
      pairs = itertools.product(
        list(expected.predecessors(vertex)), list(expected.successors(vertex))
      )
      expected.add_edges_from(list(pairs))
      expected.remove_node(vertex)
    _assert_same(jax.tree.map(lambda leaf, i=i: leaf[i], batch), expected)


def _without_none(arch):
  graph = graphs.nasbench201(arch)
  kept = np.asarray(graph.op) != 0
  adjacency = np.asarray(graph.adjacency) * np.outer(kept, kept)
  return graphs.Graph(adjacency, graph.op, kept.astype(np.float32))


def test_vertices_of_a_nasbench101_cell_without_a_path_are_padding():
  edges = [(0, 1), (1, 6), (2, 6), (1, 3)]
  edge = [int(pair in edges) for pair in nasbench101_cells.EDGES]
  arch = {'edge': jnp.array(edge), 'op': jnp.array([2, 1, 1, 0, 0])}
  graph = graphs.nasbench101(arch)
  assert graph.mask.tolist() == [1, 1, 0, 0, 0, 0, 1]
  assert graph.op.tolist() == [3, 2, 0, 0, 0, 0, 4]
  assert np.argwhere(np.asarray(graph.adjacency)).tolist() == [[0, 1], [1, 6]]
