"""Tests for cells of NAS-Bench-101 that are built by free decisions."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import (
  categorical,
  nasbench101_cells,
  nasbench101_classes,
  nasbench101_construction,
)


def test_whatever_is_decided_is_a_cell_of_the_benchmark():
  space = categorical.categorical(nasbench101_construction.mask())
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 10_000))
  built = jax.jit(jax.vmap(nasbench101_construction.build))(archs)
  assert np.all(jax.jit(jax.vmap(nasbench101_cells.is_valid))(built))
  assert np.max(np.sum(built['edge'], axis=1)) == 9
  codes = nasbench101_cells.codes(built)
  assert np.isin(codes, nasbench101_classes.all_codes()).all()
  counts = np.bincount(archs['count'][:, 0])
  assert len(counts) == 5
  assert np.all(np.abs(counts - 2000) < 4 * np.sqrt(2000))
  # Before what is useless is left out, a cell has the vertices it was given.
  columns = np.array([c for _, c in nasbench101_cells.EDGES])
  entered = [
    np.any(built['edge'][:, columns == v], axis=1) for v in range(1, 6)
  ]
  np.testing.assert_array_equal(np.sum(entered, 0), archs['count'][:, 0] + 1)


def test_a_cell_by_hand():
  # Two vertices, 0 -> 1 -> 2 -> output, and the edges 0 -> 2, 0 -> output.
  arch = {
    'count': jnp.array([1]),
    'op': jnp.array([0, 2, 1, 1, 1]),
    'predecessor': jnp.array([0, 1, 0, 0, 0, 5]),  # 5 % 3 = 2
    'start': jnp.array([2, 3, 1, 4, 2, 1, 0]),  # 4 % 4 = 0
    'end': jnp.array([0, 0, 1, 4, 6, 2, 1]),  # 6 % 4 = 2; six edges are taken
  }
  cell = nasbench101_construction.build(arch)
  edges = [
    pair for pair, there in zip(nasbench101_cells.EDGES, cell['edge']) if there
  ]
  assert set(edges) == {(0, 1), (1, 2), (2, 6), (0, 2), (0, 6)}
  assert cell['op'].tolist() == [0, 2, 0, 0, 0]


def test_every_small_cell_can_be_built():
  space = categorical.categorical(nasbench101_construction.mask())
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(1), 40_000))
  built = jax.jit(jax.vmap(nasbench101_construction.build))(archs)
  small = set(nasbench101_classes.all_codes(4).tolist())
  assert small <= set(nasbench101_cells.codes(built).tolist())
