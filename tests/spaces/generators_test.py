"""Hierarchies are draws of their parameters, level by level."""

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest

from nasjax.spaces import generators, hierarchies, random_graphs

_LEVELS = generators.nago_levels(5, min_middle=1)
_SPACE = generators.generator(_LEVELS)


@pytest.fixture(scope='module', name='networks')
def _networks():
  archs = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(0), 60))
  drawn = generators.realise_all(_LEVELS, archs)
  return jax.tree.map(np.asarray, (archs, drawn))


def test_the_space_of_the_paper_has_eight_parameters():
  space = generators.generator(generators.nago_levels())
  assert len(space.mask) == 8
  assert space.size == (8 * 4 * 10) ** 2 * 8 * 9


def test_graphs_have_the_nodes_and_edges_of_their_parameters(networks):
  archs, drawn = networks
  for i in range(60):
    arch = jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i]), archs)
    values = jax.tree.map(float, generators.parameters(_LEVELS, arch))
    num_cells, num_graphs, num_nodes = (
      values[name]['nodes'] for name in generators.LEVELS
    )
    assert drawn.top.mask[i].sum() == num_cells
    assert drawn.middle.mask[i].sum() == num_cells * num_graphs
    assert drawn.bottom.mask[i].sum() == num_cells * num_graphs * num_nodes
    degree = min(values['bottom']['degree'], num_nodes - 1)
    edges = drawn.bottom.adjacency[i].sum((-2, -1))
    assert set(edges.ravel()) <= {0, num_nodes * (degree // 2)}
    dense = values['middle']['probability'] == 1
    if dense:
      pairs = num_graphs * (num_graphs - 1) / 2
      assert drawn.middle.adjacency[i].sum() == num_cells * pairs


def test_another_key_draws_another_network():
  arch = _SPACE.sample(jax.random.key(3))
  draw = jax.jit(lambda key: generators.realise(_LEVELS, key, arch))
  same, again, other = (draw(jax.random.key(seed)) for seed in (0, 0, 1))
  equal = lambda a, b: all(
    jax.tree.leaves(jax.tree.map(lambda x, y: (x == y).all(), a, b))
  )
  assert equal(same, again) and not equal(same, other)


def test_graphs_of_a_network_are_draws_of_their_own(networks):
  _, drawn = networks
  kinds = {
    graph.tobytes()
    for graph, mask in zip(
      drawn.bottom.adjacency.reshape(-1, 5, 5), drawn.bottom.mask.reshape(-1, 5)
    )
    if mask.any()
  }
  assert len(kinds) > 20


def _flatten(network):
  """The graph of operations, edge by edge."""
  graph = networkx.DiGraph()
  rows, columns = np.nonzero, lambda a: np.flatnonzero(~a.any(0))
  ends = lambda adjacency, mask: (
    [v for v in np.flatnonzero(mask) if v in columns(adjacency)],
    [v for v in np.flatnonzero(mask) if not adjacency[v].any()],
  )
  top, middle, bottom = network
  entry, exits = {}, {}
  for t, m in zip(*rows(middle.mask)):
    inside = bottom.adjacency[t, m]
    graph.add_nodes_from((t, m, b) for b in np.flatnonzero(bottom.mask[t, m]))
    graph.add_edges_from(((t, m, a), (t, m, b)) for a, b in zip(*rows(inside)))
    first, last = ends(inside, bottom.mask[t, m])
    entry[t, m] = [(t, m, b) for b in first]
    exits[t, m] = [(t, m, b) for b in last]
  for t in np.flatnonzero(top.mask):
    for a, b in zip(*rows(middle.adjacency[t])):
      graph.add_edges_from((u, v) for u in exits[t, a] for v in entry[t, b])
    first, last = ends(middle.adjacency[t], middle.mask[t])
    entry[t] = [v for m in first for v in entry[t, m]]
    exits[t] = [v for m in last for v in exits[t, m]]
  for a, b in zip(*rows(top.adjacency)):
    graph.add_edges_from((u, v) for u in exits[a] for v in entry[b])
  return graph


def test_flattened_is_the_graph_of_operations(networks):
  _, drawn = networks
  flat = jax.jit(jax.vmap(hierarchies.flatten))(drawn)
  depths = jax.jit(jax.vmap(hierarchies.depth))(drawn)
  for i in range(0, 60, 6):
    graph = _flatten(jax.tree.map(lambda leaf, i=i: leaf[i], drawn))
    number = lambda v: (v[0] * 5 + v[1]) * 5 + v[2]
    expected = np.zeros((125, 125), bool)
    for u, v in graph.edges:
      expected[number(u), number(v)] = True
    np.testing.assert_array_equal(flat.adjacency[i], expected)
    assert sorted(map(number, graph)) == np.flatnonzero(flat.mask[i]).tolist()
    assert depths[i] == networkx.dag_longest_path_length(graph) + 1


def test_coordinates_run_from_the_first_option_to_the_last():
  ends = [
    {
      name: jnp.full(1, end * (mask.shape[-1] - 1), jnp.int32)
      for name, mask in _SPACE.mask.items()
    }
    for end in (0, 1)
  ]
  for end, arch in enumerate(ends):
    np.testing.assert_allclose(generators.coordinates(_LEVELS)(arch), end)


@pytest.mark.parametrize(
  'level, what',
  [
    (generators.Level('small_world', (3,)), 'Unknown model'),
    (generators.Level('erdos_renyi', (3,)), 'has the parameters'),
    (generators.Level('barabasi_albert', (3,), (1,), (0.5,)), 'has options'),
  ],
)
def test_a_level_that_cannot_be_drawn_is_refused(level, what):
  with pytest.raises(ValueError, match=what):
    generators.generator((level, *_LEVELS[1:]))


def test_cells_may_be_graphs_of_preferential_attachment():
  levels = (
    _LEVELS[0],
    generators.Level('barabasi_albert', (3, 4), (1, 2)),
    _LEVELS[2],
  )
  space = generators.generator(levels)
  arch = space.sample(jax.random.key(0))
  drawn = generators.realise(levels, jax.random.key(1), arch)
  values = generators.parameters(levels, arch)['middle']
  nodes, degree = int(values['nodes']), int(values['degree'])
  edges = drawn.middle.adjacency.sum((1, 2))
  assert set(edges.tolist()) <= {0, degree * (nodes - degree)}
  assert bool(random_graphs.is_output(drawn.middle).any())
