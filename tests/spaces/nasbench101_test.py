"""Tests for the NAS-Bench-101 space: what is a cell, and what changes it."""

import collections
import itertools

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.data import nasbench101 as data
from nasjax.estimators import tabular
from nasjax.searches import queries
from nasjax.spaces import (
  nasbench101,
  nasbench101_cells,
  nasbench101_classes,
  nasbench101_edits,
)
from nasjax.strategies import evolution, random_search
from tests.spaces import nasbench101_oracles as oracles

_ARRAYS = {
  'edge': np.ones((21, 2), bool),
  'op': np.ones((5, 3), bool),
}


def _map(f):
  return jax.jit(jax.vmap(f))


def _draw(f, num, *args, seed=0):
  keys = jax.random.split(jax.random.key(seed), num)
  return _map(lambda key: f(key, *args))(keys)


def _random_arrays(num, seed=0):
  """Returns arrays of every kind, many of them not valid."""
  rng = np.random.default_rng(seed)
  density = rng.uniform(0.1, 0.7, (num, 1))
  return {
    'edge': jnp.asarray(rng.random((num, 21)) < density, jnp.int32),
    'op': jnp.asarray(rng.integers(3, size=(num, 5)), jnp.int32),
  }


class CellsTest(chex.TestCase):
  def test_the_golden_cell_has_its_key(self):
    arch = oracles.golden()
    self.assertEqual(nasbench101_classes.md5(arch), oracles.GOLDEN_MD5)
    np.testing.assert_array_equal(
      nasbench101.adjacency(arch), oracles.GOLDEN_ADJACENCY
    )

  def test_pruning_is_the_benchmarks(self):
    archs = _random_arrays(300)
    pruned = _map(nasbench101.prune)(archs)
    valid = _map(nasbench101.is_valid)(archs)
    self.assertBetween(int(valid.sum()), 100, 290)
    for i in range(300):
      matrix, ops = oracles.prune(oracles.at(archs, i))
      expected, is_valid = oracles.padded(matrix, ops)
      chex.assert_trees_all_equal(oracles.at(pruned, i), expected)
      self.assertEqual(bool(valid[i]), is_valid)

  def test_codes_are_equal_exactly_where_the_benchmarks_keys_are(self):
    # Few vertices, so that many arrays are the same cell.
    archs = _random_arrays(1500)
    archs['edge'] = archs['edge'].at[:, 3:10].set(0)
    valid = np.asarray(_map(nasbench101.is_valid)(archs))
    codes = np.asarray(_map(nasbench101.code)(archs))
    np.testing.assert_array_equal(codes > 0, valid)
    np.testing.assert_array_equal(codes[~valid], -1)
    rows = np.flatnonzero(valid)
    keys = [nasbench101_classes.md5(oracles.at(archs, i)) for i in rows]
    pairs = set(zip(codes[rows].tolist(), keys))
    self.assertLen(pairs, len(set(keys)))
    self.assertLen(pairs, len(set(codes[rows].tolist())))
    self.assertLess(len(pairs), 0.8 * len(rows))

  def test_a_renamed_cell_has_the_same_code(self):
    arch = oracles.golden()
    matrix, op = oracles.GOLDEN_ADJACENCY, np.asarray(arch['op'])
    code, found = int(nasbench101.code(arch)), 0
    for order in itertools.permutations(range(1, 6)):
      vertices = [0, *order, 6]
      renamed = matrix[np.ix_(vertices, vertices)]
      if not np.tril(renamed).any():
        other = oracles.arch_of(renamed, op[np.array(order) - 1])
        self.assertEqual(int(nasbench101.code(other)), code)
        found += 1
    self.assertGreater(found, 1)

  def test_there_are_423624_cells(self):
    for num_vertices, expected in (
      (2, 1), (3, 7), (4, 91), (5, 2_532), (6, 64_542), (7, 423_624)
    ):  # fmt: skip
      codes = nasbench101_classes.all_codes(num_vertices)
      self.assertLen(np.unique(codes), expected)
      self.assertLen(codes, expected)

  def test_enumerated_cells_are_pruned_and_have_the_codes_listed(self):
    cells = nasbench101_classes.all_cells()
    some = jax.tree.map(lambda leaf: leaf[::211], cells)
    chex.assert_trees_all_equal(_map(nasbench101.prune)(some), some)
    self.assertTrue(_map(nasbench101.is_valid)(some).all())
    np.testing.assert_array_equal(
      _map(nasbench101.code)(some),
      nasbench101_classes.all_codes()[::211],
    )

  def test_the_keys_of_all_small_cells_differ(self):
    cells = nasbench101_classes.all_cells(4)
    keys = {nasbench101_classes.md5(oracles.at(cells, i)) for i in range(91)}
    self.assertLen(keys, 91)

  def test_a_cell_is_found_in_a_table_whatever_its_form(self):
    codes = np.random.default_rng(0).permutation(
      nasbench101_classes.all_codes(4)
    )
    row = _map(nasbench101.row_of(codes))
    rows = _map(nasbench101_cells.decode)(codes)
    # An edge of a vertex that leads nowhere.
    rows['edge'] = rows['edge'].at[:, nasbench101.EDGES.index((0, 5))].set(1)
    np.testing.assert_array_equal(row(rows), np.arange(91))
    absent = jax.tree.map(lambda leaf: leaf[None], oracles.golden())
    np.testing.assert_array_equal(row(absent), [-1])
    other = _map(nasbench101.row_of(codes, absent=91))
    np.testing.assert_array_equal(other(absent), [91])

  def test_a_table_that_repeats_a_cell_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'more than once, .* rows 0 and 2'):
      nasbench101.row_of(np.array([7, 5, 7]))
    with self.assertRaisesRegex(ValueError, 'one code a row'):
      nasbench101.row_of(np.array([7, -1]))


class SpaceTest(chex.TestCase):
  def test_samples_are_uniform_over_cells(self):
    codes = nasbench101_classes.all_codes(4)
    space = nasbench101.nasbench101(cells=codes)
    self.assertEqual(space.size, 91)
    rows = _map(nasbench101.row_of(codes))(_draw(space.sample, 9_100))
    counts = np.bincount(rows, minlength=91)
    # Chi-square with 90 degrees of freedom: 137 is the 99.9 % quantile.
    self.assertLess(np.sum((counts - 100) ** 2 / 100), 137)

  def test_index_counts_all_cells(self):
    space = nasbench101.nasbench101()
    self.assertEqual(space.size, 423_624)
    archs = _map(space.index)(jnp.array([0, 77_777, 423_623]))
    row = nasbench101.row_of(nasbench101_classes.all_codes())
    np.testing.assert_array_equal(_map(row)(archs), [0, 77_777, 423_623])

  def test_encoding_is_one_hot(self):
    space = nasbench101.nasbench101()
    arch = oracles.golden()
    expected = [np.eye(2)[arch['edge']].ravel(), np.eye(3)[arch['op']].ravel()]
    np.testing.assert_array_equal(space.encode(arch), np.concatenate(expected))

  def test_edits_are_all_changes_of_one_decision(self):
    arch = oracles.golden()
    edits = oracles.rows(nasbench101.edits(arch))
    own = oracles.rows(jax.tree.map(lambda leaf: leaf[None], arch))
    self.assertLen({tuple(row) for row in edits.tolist()}, 31)
    np.testing.assert_array_equal((edits != own).sum(1), 1)
    self.assertTrue((edits[:, :21] <= 1).all() and (edits[:, 21:] <= 2).all())

  def test_neighbours_are_the_edits_with_another_effect(self):
    archs = _random_arrays(40)
    valid = np.flatnonzero(_map(nasbench101.is_valid)(archs))
    neighbours = jax.jit(nasbench101.neighbours)
    for arch in (oracles.at(archs, i) for i in valid):
      edits, is_neighbour = neighbours(arch)
      own, _ = oracles.padded(*oracles.prune(arch))
      for i in range(31):
        other, is_valid = oracles.padded(*oracles.prune(oracles.at(edits, i)))
        same = all(np.array_equal(own[k], other[k]) for k in own)
        self.assertEqual(bool(is_neighbour[i]), is_valid and not same)

  def test_a_mutation_is_uniform_over_valid_edits(self):
    arch = oracles.golden()
    children = oracles.rows(
      _draw(nasbench101.nasbench101().mutate, 6_000, arch)
    )
    edits = nasbench101.edits(arch)
    valid = _map(nasbench101.is_valid)(edits)
    expected = {tuple(row) for row in oracles.rows(edits)[valid].tolist()}
    counts = collections.Counter(map(tuple, children.tolist()))
    self.assertEqual(set(counts), expected)
    mean = 6_000 / len(expected)
    # 99.9 % quantile of chi-square for 30 degrees of freedom, more than enough.
    chi_square = sum((count - mean) ** 2 / mean for count in counts.values())
    self.assertLess(chi_square, 59.7)

  def test_a_published_mutation_changes_as_much_as_its_rate_says(self):
    arch = {'edge': jnp.zeros(21, jnp.int32), 'op': jnp.ones(5, jnp.int32)}
    children = _draw(nasbench101_edits.perturb, 4_000, arch, 1.5)
    flips = np.mean(np.sum(children['edge'], 1))
    np.testing.assert_allclose(flips, 1.5, atol=0.08)
    counts = np.bincount(np.ravel(children['op']), minlength=3) / 20_000
    np.testing.assert_allclose(counts, [0.15, 0.7, 0.15], atol=0.015)

  def test_a_published_mutation_stays_inside_and_moves(self):
    space = nasbench101.nasbench101(mutation_rate=1.0)
    arch = oracles.golden()
    children = _draw(space.mutate, 500, arch)
    self.assertTrue(_map(nasbench101.is_valid)(children).all())
    own = oracles.rows(jax.tree.map(lambda leaf: leaf[None], arch))
    changes = (oracles.rows(children) != own).sum(1)
    self.assertGreaterEqual(changes.min(), 1)
    self.assertGreater(changes.max(), 2)

  def test_a_mutation_in_a_table_is_a_perturbation_that_ends_there(self):
    codes = nasbench101_classes.all_codes(4)[::6]
    space = nasbench101.nasbench101(cells=codes, mutation_rate=1.0)
    arch = space.index(4)
    row = nasbench101.row_of(codes)
    children = _map(row)(_draw(space.mutate, 8_000, arch))
    cells = oracles.rows(_map(space.index)(jnp.arange(len(codes))))
    different = cells != cells[4]
    weights = np.array(
      [
        np.prod(np.where(d[:21], 1 / 21, 20 / 21))
        * np.prod(np.where(d[21:], 0.1, 0.8))
        for d in different
      ]
    )
    weights[4] = 0
    counts = np.bincount(children, minlength=len(codes))
    np.testing.assert_allclose(
      counts / 8_000, weights / weights.sum(), atol=0.02
    )

  def test_a_mask_restricts_samples_and_mutations(self):
    mask = {name: leaf.copy() for name, leaf in _ARRAYS.items()}
    mask['edge'][nasbench101.EDGES.index((0, 6))] = [False, True]
    mask['op'][:, 1] = False
    space = nasbench101.nasbench101().restrict(mask)
    self.assertIsNone(space.size)
    samples = _draw(space.sample, 200)
    children = _map(space.mutate)(
      jax.random.split(jax.random.key(1), 200), samples
    )
    for archs in (samples, children):
      inside = _map(lambda arch: nasbench101.contains(arch, mask))(archs)
      self.assertTrue(inside.all())
    self.assertTrue(_map(nasbench101_edits.differ)(samples, children).all())

  def test_samples_of_a_mask_are_uniform_over_its_arrays(self):
    mask = {name: leaf.copy() for name, leaf in _ARRAYS.items()}
    mask['op'][:, 1:] = False
    open_edges = [(0, 1), (1, 2), (0, 2), (2, 6), (1, 6)]
    for edge in set(nasbench101.EDGES) - set(open_edges):
      mask['edge'][nasbench101.EDGES.index(edge), 1] = False
    space = nasbench101.nasbench101(mask)
    valid = 0
    for bits in itertools.product((0, 1), repeat=5):
      edge = np.zeros(21, np.int32)
      edge[[nasbench101.EDGES.index(e) for e in open_edges]] = bits
      arch = {'edge': edge, 'op': np.zeros(5, np.int32)}
      valid += oracles.padded(*oracles.prune(arch))[1]
    rows = map(tuple, oracles.rows(_draw(space.sample, 4_000)).tolist())
    counts = collections.Counter(rows)
    self.assertLen(counts, valid)
    mean = 4_000 / valid
    chi_square = sum((n - mean) ** 2 / mean for n in counts.values())
    self.assertLess(chi_square, 59.7)

  def test_masks_without_a_cell_are_refused(self):
    mask = {name: leaf.copy() for name, leaf in _ARRAYS.items()}
    mask['edge'][15:, 1] = False  # nothing leads to the output
    with self.assertRaisesRegex(ValueError, 'No cell of the mask'):
      nasbench101.nasbench101(mask)
    mask = {name: leaf.copy() for name, leaf in _ARRAYS.items()}
    mask['edge'][:, 0] = False  # all 21 edges
    with self.assertRaisesRegex(ValueError, 'No cell of the mask'):
      nasbench101.nasbench101(mask)
    with self.assertRaisesRegex(ValueError, 'must have the shapes'):
      nasbench101.nasbench101({'op': np.ones((5, 3), bool)})
    with self.assertRaisesRegex(ValueError, 'got both'):
      nasbench101.nasbench101(_ARRAYS, np.array([243]))
    with self.assertRaisesRegex(ValueError, 'between 0 and 5, got 0'):
      nasbench101.nasbench101(mutation_rate=0)

  def test_a_space_of_one_cell_has_no_mutations(self):
    mask = {name: leaf.copy() for name, leaf in _ARRAYS.items()}
    mask['op'][:, 1:] = False
    mask['edge'][:, 1] = False
    mask['edge'][15] = [False, True]
    space = nasbench101.nasbench101(mask)
    arch = space.sample(jax.random.key(0))
    self.assertEqual(int(arch['edge'].sum()), 1)
    with self.assertRaisesRegex(ValueError, 'no mutations'):
      space.mutate(jax.random.key(0), arch)
    mask['edge'][0] = True  # an edge without effect is another array
    space = nasbench101.nasbench101(mask)
    child = space.mutate(jax.random.key(0), arch)
    self.assertEqual(int(child['edge'].sum()), 2)


@pytest.mark.slow
def test_the_keys_of_all_cells_of_six_vertices_differ():
  cells = jax.tree.map(np.asarray, nasbench101_classes.all_cells(6))
  keys = (nasbench101_classes.md5(oracles.at(cells, i)) for i in range(64_542))
  assert len(set(keys)) == 64_542


def _arrays(table):
  return jax.tree.map(jnp.asarray, table.archs)


@pytest.mark.data
def test_keys_and_codes_name_the_rows_of_the_table(data_dir):
  table = data.load_nasbench101(data_dir)
  archs = _arrays(table)
  for i in range(len(table.md5)):
    key = nasbench101_classes.md5(oracles.at(table.archs, i))
    assert key == bytes(table.md5[i]).hex()
  codes = _map(nasbench101.code)(archs)
  # No two of 20,001 cells share a code, and all are among the enumerated.
  rows = _map(nasbench101.row_of(codes))(archs)
  np.testing.assert_array_equal(rows, np.arange(20_001))
  assert np.isin(codes, nasbench101_classes.all_codes()).all()


@pytest.mark.data
def test_random_search_on_the_table_is_as_good_as_it_must_be(data_dir):
  table = data.load_nasbench101(data_dir)
  codes = _map(nasbench101.code)(_arrays(table))
  values = table.columns['e108_valid']
  space = nasbench101.nasbench101(cells=codes)
  row = nasbench101.row_of(codes)
  strategy = random_search.random_search(space)
  estimator = tabular.tabular(row, values)
  best = jax.jit(
    _map(
      lambda key: jnp.max(
        queries.spend(key, strategy, estimator, row, 20_001, 50).values
      )
    )
  )(jax.random.split(jax.random.key(0), 200))
  expected = ranking.expected_maximum(values, np.array([50]))
  error = np.std(best) / np.sqrt(len(best))
  np.testing.assert_allclose(np.mean(best), expected, atol=3 * error)


@pytest.mark.data
def test_a_search_of_all_cells_asks_for_absent_ones_once(data_dir):
  table = data.load_nasbench101(data_dir)
  codes = _map(nasbench101.code)(_arrays(table))
  values = np.append(table.columns['e108_valid'], -np.inf)
  row = nasbench101.row_of(codes, absent=20_001)
  space = nasbench101.nasbench101()
  ledger = jax.jit(
    lambda key: queries.spend(
      key,
      evolution.regularized_evolution(space, 20, 5),
      tabular.tabular(row, values),
      row,
      20_002,
      10,
      max_steps=2_000,
    )
  )(jax.random.key(0))
  rows = np.asarray(ledger.rows)
  assert np.sum(rows == 20_001) == 1
  assert np.sum((rows >= 0) & (rows < 20_001)) == 9
  np.testing.assert_array_equal(ledger.values, values[rows])


if __name__ == '__main__':
  absltest.main()
