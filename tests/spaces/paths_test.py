"""Tests for encodings of cells by their paths."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101, nasbench101_classes, nasbench201, paths
from tests.spaces import nasbench101_oracles as oracles


def _number(path, num_ops, first):
  """The number of a path among all, shorter ones first."""
  offset = sum(num_ops**length for length in range(first, len(path)))
  return offset + sum(op * num_ops**i for i, op in enumerate(path))


class PathsTest(chex.TestCase):
  def test_features_of_nasbench101_are_its_paths(self):
    cells = nasbench101_classes.all_cells()
    cells = jax.tree.map(lambda leaf: leaf[::1409], cells)
    features = np.asarray(jax.jit(jax.vmap(paths.nasbench101_paths))(cells))
    for i in range(len(features)):
      found = oracles.paths(*oracles.prune(oracles.at(cells, i)))
      expected = np.zeros(364)
      expected[[_number(path, 3, 0) for path in found]] = 1
      np.testing.assert_array_equal(features[i], expected)

  def test_every_path_of_nasbench101_has_its_own_feature(self):
    numbers = set()
    for length in range(6):
      for ops in np.ndindex(*[3] * length):
        vertices = [0, *range(1, length + 1), 6]
        edge = np.zeros(21, np.int32)
        for pair in zip(vertices, vertices[1:]):
          edge[nasbench101.EDGES.index(pair)] = 1
        arch = {'edge': edge, 'op': np.array([*ops] + [0] * (5 - length))}
        numbers.add((_number(ops, 3, 0), str(ops)))
        if sum(ops) == 2 * length:  # one of each length, through the encoding
          feature = np.flatnonzero(paths.nasbench101_paths(arch))
          self.assertEqual(feature.tolist(), [_number(ops, 3, 0)])
    self.assertEqual({number for number, _ in numbers}, set(range(364)))

  def test_what_leads_nowhere_has_no_path(self):
    arch = oracles.golden()
    edge = jnp.asarray(arch['edge'])
    edge = edge.at[nasbench101.EDGES.index((5, 6))].set(0)
    edge = edge.at[nasbench101.EDGES.index((2, 6))].set(0)
    self.assertEqual(
      float(paths.nasbench101_paths(arch | {'edge': edge}).sum()), 0
    )

  def test_truncation_keeps_the_shortest_paths(self):
    arch = oracles.golden()
    np.testing.assert_array_equal(
      paths.nasbench101_paths(arch, 40), paths.nasbench101_paths(arch)[:40]
    )
    cell = nasbench201.nasbench201().index(7_777)
    np.testing.assert_array_equal(
      paths.nasbench201_paths(cell, 30), paths.nasbench201_paths(cell)[:30]
    )

  def test_features_of_nasbench201_are_its_four_paths(self):
    space = nasbench201.nasbench201()
    cells = jax.vmap(space.index)(jnp.arange(0, space.size, 97))
    features = jax.jit(jax.vmap(paths.nasbench201_paths))(cells)
    self.assertEqual(features.shape[1], 155)
    for op, actual in zip(np.asarray(cells['op']), features):
      edges = {
        (s, t): o
        for s, t, o in zip(nasbench201.SOURCES, nasbench201.TARGETS, op)
      }
      expected = np.zeros(155)
      for nodes in ((0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)):
        path = [edges[pair] for pair in zip(nodes, nodes[1:])]
        expected[_number(path, 5, 1)] = 1
      np.testing.assert_array_equal(actual, expected)


if __name__ == '__main__':
  absltest.main()
