"""Tests for the categorical space."""

import collections

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.spaces import categorical


def _mask():
  """Uneven decisions: K differs, one decision is closed, 2*1*3*2 = 12."""
  return {
    'kernel': np.array([[True, False, True], [False, True, False]]),
    'width': np.array([[True, True, False, True], [False, True, False, True]]),
  }


def _key(arch):
  return tuple(np.concatenate(jax.tree.leaves(arch)).tolist())


class CategoricalTest(chex.TestCase):
  def test_index_enumerates_every_allowed_architecture_once(self):
    space = categorical.categorical(_mask())
    self.assertEqual(space.size, 12)
    archs = jax.vmap(space.index)(jnp.arange(12))
    rows = np.concatenate(jax.tree.leaves(archs), axis=1).tolist()
    expected = [[a, 1, b, c] for a in (0, 2) for b in (0, 1, 3) for c in (1, 3)]
    self.assertEqual(rows, expected)

  def test_sample_is_uniform(self):
    space = categorical.categorical(_mask())
    n = 6000
    archs = jax.jit(jax.vmap(space.sample))(
      jax.random.split(jax.random.key(0), n)
    )
    rows = np.concatenate(jax.tree.leaves(archs), axis=1)
    counts = collections.Counter(map(tuple, rows.tolist()))
    self.assertLen(counts, 12)
    # Chi-square with 11 degrees of freedom: 31.3 is its 99.9 % quantile.
    observed = np.array(list(counts.values()))
    self.assertLess(np.sum((observed - n / 12) ** 2) / (n / 12), 31.3)
    self.assertTrue(
      jnp.all(
        jax.vmap(lambda arch: categorical.contains(arch, space.mask))(archs)
      )
    )

  def test_mutate_changes_one_decision_and_stays_inside(self):
    space = categorical.categorical(_mask())
    arch = space.index(5)
    mutate = jax.jit(jax.vmap(space.mutate, in_axes=(0, None)))
    mutants = mutate(jax.random.split(jax.random.key(1), 3000), arch)
    rows = np.concatenate(jax.tree.leaves(mutants), axis=1)
    parent = np.array(_key(arch))
    np.testing.assert_array_equal(np.sum(rows != parent, axis=1), 1)
    seen = collections.Counter(map(tuple, rows.tolist()))
    # One other kernel, two and one other widths: the decision comes first.
    self.assertLen(seen, 4)
    frequencies = sorted(count / 3000 for count in seen.values())
    np.testing.assert_allclose(
      frequencies, [1 / 6, 1 / 6, 1 / 3, 1 / 3], atol=0.03
    )
    for row in seen:
      leaves = {'kernel': jnp.array(row[:2]), 'width': jnp.array(row[2:])}
      self.assertTrue(categorical.contains(leaves, space.mask))

  def test_encode_is_the_same_in_all_forms_and_differentiable(self):
    space = categorical.categorical(_mask())
    arch = space.index(7)
    relaxed = choice.one_hot(arch, space.mask)
    features = space.encode(arch)
    self.assertEqual(features.shape, (2 * 3 + 2 * 4,))
    self.assertEqual(float(jnp.sum(features)), 4.0)
    np.testing.assert_array_equal(features, space.encode(relaxed))
    np.testing.assert_array_equal(features, space.encode(choice.static(arch)))
    gradient = jax.grad(lambda a: jnp.sum(space.encode(a) ** 2))(relaxed)
    chex.assert_trees_all_close(
      gradient, jax.tree.map(lambda leaf: 2 * leaf, relaxed)
    )

  def test_encode_order_is_leaves_then_decisions_then_choices(self):
    space = categorical.categorical({'a': (2, 2), 'b': (1, 3)})
    arch = {'a': jnp.array([1, 0]), 'b': jnp.array([2])}
    np.testing.assert_array_equal(space.encode(arch), [0, 1, 1, 0, 0, 0, 1])

  def test_restrict_is_the_and_of_the_masks(self):
    space = categorical.categorical({'a': (2, 3)})
    one = {'a': np.array([[True, True, False], [True, True, True]])}
    two = {'a': np.array([[False, True, True], [True, False, True]])}
    both = space.restrict(one).restrict(two)
    np.testing.assert_array_equal(both.mask['a'], one['a'] & two['a'])
    self.assertEqual(both.size, 2)
    chex.assert_trees_all_equal(
      both.mask, space.restrict(two).restrict(one).mask
    )

  def test_large_spaces_have_a_size_but_no_index(self):
    space = categorical.categorical({'a': (40, 3)})
    self.assertEqual(space.size, 3**40)
    self.assertIsNone(space.index)
    self.assertIsNotNone(categorical.categorical({'a': (30, 2)}).index)

  def test_leaves_may_have_several_axes_of_decisions(self):
    space = categorical.categorical({'cells': np.ones((2, 3, 4), bool)})
    arch = jax.jit(space.sample)(jax.random.key(0))
    self.assertEqual(arch['cells'].shape, (2, 3))
    mutant = jax.jit(space.mutate)(jax.random.key(1), arch)
    self.assertEqual(int(jnp.sum(mutant['cells'] != arch['cells'])), 1)

  def test_sample_and_mutate_do_not_retrace(self):
    space = categorical.categorical({'a': (2, 3)})
    chex.clear_trace_counter()
    sample = jax.jit(chex.assert_max_traces(space.sample, 1))
    mutate = jax.jit(chex.assert_max_traces(space.mutate, 1))
    arch = sample(jax.random.key(0))
    for seed in range(3):
      arch = mutate(jax.random.key(seed), sample(jax.random.key(seed)))
    self.assertTrue(categorical.contains(arch, space.mask))

  def test_mistakes_are_value_errors(self):
    space = categorical.categorical({'a': (2, 2)})
    empty = {'a': np.array([[True, True], [False, False]])}
    with self.assertRaisesRegex(ValueError, r"\['a'\]: no choice .*\[\[1\]\]"):
      categorical.categorical(empty)
    with self.assertRaisesRegex(ValueError, 'no choice'):
      space.restrict(empty)
    with self.assertRaisesRegex(ValueError, r'must have the shapes'):
      space.restrict({'b': np.ones((2, 2), bool)})
    with self.assertRaisesRegex(ValueError, r'must have the shapes'):
      space.restrict({'a': np.ones((2, 3), bool)})
    with self.assertRaisesRegex(ValueError, r'bool\[D, K\], got float64'):
      categorical.categorical({'a': np.ones((2, 2))})
    single = space.restrict({'a': np.array([[True, False], [False, True]])})
    self.assertEqual(single.size, 1)
    with self.assertRaisesRegex(ValueError, 'no mutations'):
      single.mutate(jax.random.key(0), single.index(0))

  def test_contains_rejects_forbidden_and_unknown_choices(self):
    mask = _mask()
    good = {'kernel': jnp.array([2, 1]), 'width': jnp.array([3, 1])}
    self.assertTrue(categorical.contains(good, mask))
    for kernel in (1, 3, -1):
      bad = good | {'kernel': jnp.array([kernel, 1])}
      self.assertFalse(categorical.contains(bad, mask))


def test_numbering_is_the_inverse_of_index():
  mask = {
    'a': np.array([[1, 0, 1], [1, 1, 1]], bool),
    'b': np.array([[0, 1, 1, 0]], bool),
  }
  space = categorical.categorical(mask)
  number = jax.jit(jax.vmap(categorical.numbering(mask)))
  every = jax.vmap(space.index)(jnp.arange(space.size))
  np.testing.assert_array_equal(number(every), np.arange(12))
  outside = {'a': jnp.array([[1, 0]]), 'b': jnp.array([[1]])}
  np.testing.assert_array_equal(number(outside), [-1])
  with pytest.raises(ValueError, match='numbered'):
    categorical.numbering({'a': (32, 2)})


if __name__ == '__main__':
  absltest.main()
