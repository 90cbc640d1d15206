"""Tests of the numbers of a cell's wiring, against slow loops."""

import itertools

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest

from nasjax.spaces import darts_cell, nasbench201, wiring

CELL = darts_cell.edges(2)
EDGES = list(zip(*CELL))


def _one_hot(arch, num_choices=3):
  return jax.nn.one_hot(jnp.array(arch), num_choices)


def _by_hand(edges, arch, inputs):
  """Depth and width of a discrete cell."""
  graph = networkx.DiGraph()
  graph.add_nodes_from(range(1 + max(t for _, t in edges)))
  graph.add_edges_from(
    edge for edge, op in zip(edges, arch, strict=True) if op != 0
  )
  paths = [
    path
    for start, end in itertools.product(inputs, graph.nodes)
    for path in networkx.all_simple_paths(graph, start, end)
    if start != end
  ]
  depth = max((len(path) - 1 for path in paths), default=0)
  return depth, len({path[1] for path in paths})


def test_depth_and_width_of_all_cells_equal_those_of_paths():
  archs = list(itertools.product((0, 2), repeat=len(EDGES)))
  stats = jax.jit(
    jax.vmap(lambda arch: wiring.wiring_stats(jax.nn.one_hot(arch, 3)))
  )(jnp.array(archs))
  for i, arch in enumerate(archs):
    expected = _by_hand(EDGES, arch, (0, 1))
    assert (stats.depth[i], stats.width[i]) == expected
  assert set(np.asarray(stats.depth).tolist()) == {0, 1, 2}


def test_cells_of_other_spaces_take_their_edges():
  edges = (nasbench201.SOURCES, nasbench201.TARGETS)
  for arch in [(1, 1, 1, 1, 1, 1), (0, 2, 0, 2, 0, 1), (0, 0, 1, 0, 1, 1)]:
    stats = wiring.wiring_stats(_one_hot(arch), edges, num_inputs=1)
    expected = _by_hand(list(zip(*edges)), arch, (0,))
    assert (stats.depth, stats.width) == expected


def test_masses_and_entropies_are_those_of_the_weights():
  rng = np.random.default_rng(0)
  weights = rng.dirichlet(np.ones(3), size=5)
  stats = wiring.wiring_stats(jnp.asarray(weights, jnp.float32))
  mass = {'input': 0.0, 'intermediate': 0.0}
  for (source, _), row in zip(EDGES, weights):
    mass['input' if source < 2 else 'intermediate'] += row[1] + row[2]
  np.testing.assert_allclose(stats.input_mass, mass['input'], rtol=1e-5)
  np.testing.assert_allclose(
    stats.intermediate_mass, mass['intermediate'], rtol=1e-5
  )
  np.testing.assert_allclose(stats.active_mass, sum(mass.values()), rtol=1e-5)
  np.testing.assert_allclose(stats.none, weights[:, 0], rtol=1e-5)
  entropy = [-sum(p * np.log(p) for p in row) for row in weights]
  np.testing.assert_allclose(stats.entropy, entropy, rtol=1e-5)


@pytest.mark.parametrize(
  'arch, numbers',
  [
    ((0, 0, 0, 0, 0), (0, 0, 0)),
    ((1, 1, 1, 1, 0), (1, 2, 4)),  # wide and shallow
    ((1, 0, 0, 0, 1), (2, 1, 2)),  # a chain
    ((0, 0, 0, 0, 1), (0, 0, 1)),  # fed by nothing
  ],
)
def test_none_may_have_any_number_and_paths_start_at_inputs(arch, numbers):
  for none, shift in ((0, 0), (2, 2)):
    rows = [(op + shift) % 3 for op in arch]
    stats = wiring.wiring_stats(_one_hot(rows), none=none)
    assert (stats.depth, stats.width, stats.active_mass) == numbers
