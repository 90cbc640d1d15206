"""Tests for the DARTS cell space."""

import collections

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.spaces import darts_cell

_SMALL = ('none', 'skip_connect', 'sep_conv_3x3')


def _small_mask():
  """Two nodes; one operation is missing on the edges 1 and 3 of `normal`."""
  mask = {name: np.ones((5, 3), bool) for name in ('normal', 'reduce')}
  mask['normal'][1, 2] = False
  mask['normal'][3, 1] = False
  return mask


def _rows(archs):
  return np.concatenate([archs['normal'], archs['reduce']], axis=-1)


class DartsCellTest(chex.TestCase):
  def test_edges_are_in_the_official_order(self):
    source, target = darts_cell.edges(4)
    self.assertEqual(source, (0, 1, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4))
    self.assertEqual(target, (2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5))

  def test_sizes_are_the_published_ones(self):
    self.assertEqual(darts_cell.darts_cell().size, 1_037_664_180**2)
    # By hand: 2 * 1 choices at node 0; pairs (2*1 + 2*2 + 1*2) at node 1.
    normal, full = 2 * 8, 4 * 12
    space = darts_cell.darts_cell(_small_mask(), 2, _SMALL)
    self.assertEqual(space.size, normal * full)

  def test_samples_and_mutants_are_inside_one_decision_apart(self):
    space = darts_cell.darts_cell()
    keys = jax.random.split(jax.random.key(0), 200)
    archs = jax.jit(jax.vmap(space.sample))(keys)
    mutants = jax.jit(jax.vmap(space.mutate))(keys, archs)
    is_inside = jax.jit(
      jax.vmap(lambda arch: darts_cell.contains(arch, space.mask))
    )
    self.assertTrue(jnp.all(is_inside(archs)))
    self.assertTrue(jnp.all(is_inside(mutants)))
    chex.assert_trees_all_equal_shapes_and_dtypes(archs, mutants)
    target = np.tile(darts_cell.edges()[1], 2)
    cell = np.repeat([0, 1], 14)
    for old, new in zip(_rows(archs), _rows(mutants)):
      changed = np.flatnonzero(old != new)
      if len(changed) == 1:  # another operation on a used edge
        self.assertTrue(old[changed] and new[changed])
      else:  # an input of one node is moved and keeps its operation
        a, b = changed
        self.assertEqual((cell[a], target[a]), (cell[b], target[b]))
        self.assertEqual({old[a], old[b]}, {new[a], new[b]})
        self.assertIn(0, (old[a], old[b]))

  def test_sample_is_uniform_over_a_masked_space(self):
    mask = _small_mask()
    space = darts_cell.darts_cell({'normal': mask['normal']}, 2, _SMALL)
    self.assertEqual(space.size, 16)
    n = 8000
    archs = jax.jit(jax.vmap(space.sample))(
      jax.random.split(jax.random.key(0), n)
    )
    counts = collections.Counter(map(tuple, archs['normal'].tolist()))
    self.assertLen(counts, 16)
    observed = np.array(list(counts.values()))
    # Chi-square with 15 degrees of freedom: 37.7 is its 99.9 % quantile.
    self.assertLess(np.sum((observed - n / 16) ** 2) / (n / 16), 37.7)

  def test_mutate_reaches_every_neighbour_and_respects_the_mask(self):
    space = darts_cell.darts_cell(_small_mask(), 2, _SMALL)
    arch = {
      'normal': jnp.array([1, 1, 1, 0, 2]),
      'reduce': jnp.array([1, 2, 0, 1, 1]),
    }
    keys = jax.random.split(jax.random.key(0), 600)
    mutants = jax.jit(jax.vmap(space.mutate, (0, None)))(keys, arch)
    is_inside = jax.jit(
      jax.vmap(lambda arch: darts_cell.contains(arch, space.mask))
    )
    self.assertTrue(jnp.all(is_inside(mutants)))
    normal = {tuple(row[:5]) for row in _rows(mutants).tolist()}
    self.assertEqual(
      normal,
      {
        (1, 1, 1, 0, 2),  # the other cell was changed
        (2, 1, 1, 0, 2),
        (1, 1, 2, 0, 2),
        (1, 1, 1, 0, 1),
        (1, 1, 0, 2, 2),  # moved, with the only operation of the edge
        (1, 1, 1, 2, 0),
      },
    )
    self.assertLen({tuple(row) for row in _rows(mutants).tolist()}, 5 + 4 + 2)

  def test_untied_cells_are_leaves_with_a_cell_axis(self):
    mask = {'normal': np.ones((3, 5, 3), bool), 'reduce': np.ones((5, 3), bool)}
    space = darts_cell.darts_cell(mask, 2, _SMALL)
    self.assertEqual(space.size, 48**4)
    arch = jax.jit(space.sample)(jax.random.key(0))
    self.assertEqual(arch['normal'].shape, (3, 5))
    self.assertTrue(darts_cell.contains(arch, space.mask))
    mutant = jax.jit(space.mutate)(jax.random.key(1), arch)
    self.assertTrue(darts_cell.contains(mutant, space.mask))
    derived = darts_cell.derive(choice.one_hot(arch, space.mask))
    chex.assert_trees_all_equal(derived, arch)

  def test_encode_is_the_same_in_all_forms(self):
    space = darts_cell.darts_cell()
    arch = jax.jit(space.sample)(jax.random.key(0))
    features = space.encode(arch)
    self.assertEqual(features.shape, (2 * 14 * 8,))
    np.testing.assert_array_equal(
      features, space.encode(choice.one_hot(arch, space.mask))
    )
    np.testing.assert_array_equal(features, space.encode(choice.static(arch)))

  def test_restrict_is_the_and_of_the_masks(self):
    space = darts_cell.darts_cell(num_nodes=2, operations=_SMALL)
    chex.assert_trees_all_equal(
      space.restrict(_small_mask()).mask, _small_mask()
    )
    one = _small_mask()
    two = _small_mask()
    two['reduce'][4, 1] = False
    both = space.restrict(one).restrict(two)
    chex.assert_trees_all_equal(both.mask, two)
    self.assertLess(both.size, space.restrict(one).size)

  def test_a_mask_without_none_still_allows_dropped_edges(self):
    mask = {name: np.ones((5, 3), bool) for name in ('normal', 'reduce')}
    for leaf in mask.values():
      leaf[:, 0] = False
    space = darts_cell.darts_cell(mask, 2, _SMALL)
    self.assertEqual(space.size, 48**2)
    arch = jax.jit(space.sample)(jax.random.key(0))
    self.assertEqual(int(jnp.sum(arch['normal'] == 0)), 1)
    self.assertTrue(darts_cell.contains(arch, space.mask))

  def test_contains_rejects_wrong_inputs_and_operations(self):
    space = darts_cell.darts_cell(_small_mask(), 2, _SMALL)
    good = {
      'normal': jnp.array([1, 1, 1, 0, 2]),
      'reduce': jnp.array([1, 2, 0, 1, 1]),
    }
    self.assertTrue(darts_cell.contains(good, space.mask))
    for normal in ([1, 0, 1, 1, 2], [1, 1, 1, 2, 2], [1, 2, 1, 0, 2]):
      bad = good | {'normal': jnp.array(normal)}
      self.assertFalse(darts_cell.contains(bad, space.mask))

  def test_mistakes_are_value_errors(self):
    with self.assertRaisesRegex(ValueError, "must be 'none', got"):
      darts_cell.darts_cell(operations=('skip', 'none'))
    with self.assertRaisesRegex(ValueError, r'masks of shape \(14, 8\)'):
      darts_cell.darts_cell({'normal': np.ones((14, 7), bool)})
    mask = _small_mask()
    mask['reduce'][[2, 3], 1:] = False
    with self.assertRaisesRegex(ValueError, 'Node 1 of cell 1 has fewer than'):
      darts_cell.darts_cell(mask, 2, _SMALL)
    with self.assertRaisesRegex(ValueError, 'fewer than two'):
      darts_cell.darts_cell(None, 2, _SMALL).restrict(mask)
    with self.assertRaisesRegex(ValueError, 'shapes'):
      darts_cell.darts_cell(None, 2, _SMALL).restrict(
        {'normal': mask['normal']}
      )

  def test_a_space_of_one_architecture_has_no_mutations(self):
    space = darts_cell.darts_cell(None, 1, ('none', 'skip_connect'))
    self.assertEqual(space.size, 1)
    with self.assertRaisesRegex(ValueError, 'no mutations'):
      space.mutate(jax.random.key(0), space.sample(jax.random.key(0)))


if __name__ == '__main__':
  absltest.main()
