"""Tests for the store of evaluated architectures."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive

_EXAMPLE = {'op': jnp.zeros(2, jnp.int32), 'width': jnp.zeros((), jnp.int32)}


def _archs(rows):
  rows = jnp.asarray(rows, jnp.int32)
  return {'op': rows[:, :2], 'width': rows[:, 2]}


def _rows(archs):
  return np.column_stack([archs['op'], archs['width']]).tolist()


def test_a_full_archive_forgets_the_oldest():
  store = archive.create(_EXAMPLE, 5)
  add = jax.jit(archive.add)
  expected = collections.deque(maxlen=5)
  for t in range(6):
    rows = [[t, i, 0] for i in range(3)]
    store = add(store, _archs(rows), jnp.arange(3.0) + t)
    expected.extend([([t, i, 0], float(t + i)) for i in range(3)])
    kept = list(zip(_rows(store.archs), store.values.tolist()))
    filled = int(archive.num_filled(store))
    assert filled == min(3 * (t + 1), 5)
    assert sorted(kept[:filled]) == sorted(expected)
  assert store.count == 18


def test_empty_slots_hold_the_example_and_never_win():
  example = {'op': jnp.array([3, 4]), 'width': jnp.array(5)}
  store = archive.create(example, 3)
  assert _rows(store.archs) == [[3, 4, 5]] * 3
  store = archive.add(store, _archs([[1, 1, 1]]), jnp.array([-9.0]))
  archs, values = archive.top(store, 2)
  assert _rows(archs) == [[1, 1, 1], [3, 4, 5]]
  assert values.tolist() == [-9.0, -jnp.inf]


def test_top_is_sorted_and_stable_and_ignores_what_is_not_finite():
  store = archive.create(_EXAMPLE, 6)
  rows = [[i, 0, 0] for i in range(6)]
  values = jnp.array([1.0, jnp.nan, 2.0, jnp.inf, 2.0, -jnp.inf])
  store = archive.add(store, _archs(rows), values)
  archs, values = archive.top(store, 4)
  assert _rows(archs) == [[2, 0, 0], [4, 0, 0], [0, 0, 0], [1, 0, 0]]
  assert values.tolist() == [2.0, 2.0, 1.0, -jnp.inf]
  assert archive.best(store)['op'].tolist() == [2, 0]


def test_values_may_be_several_objectives():
  store = archive.create(_EXAMPLE, 3, num_objectives=2)
  values = jnp.array([[1.0, 2.0], [jnp.nan, 4.0]])
  store = archive.add(store, _archs([[1, 0, 0], [2, 0, 0]]), values)
  assert store.values.tolist() == [[1.0, 2.0], [-jnp.inf, 4.0], [-jnp.inf] * 2]
  with pytest.raises(AssertionError):
    archive.top(store, 1)


def test_keep_best_keeps_the_best_distinct_architectures():
  rng = np.random.default_rng(0)
  store = archive.create(_EXAMPLE, 4)
  keep = jax.jit(archive.keep_best)
  kept = []  # oracle: (row, value), best first, older first among equals
  for _ in range(60):
    rows = np.column_stack([rng.integers(0, 3, (3, 2)), np.zeros(3, int)])
    values = rng.choice([-2.0, -1.0, 0.0, 1.0, np.nan, np.inf], 3)
    store = keep(store, _archs(rows), jnp.asarray(values, jnp.float32))
    for row, value in zip(rows.tolist(), values):
      kept = [entry for entry in kept if entry[0] != row]
      kept.append((row, value if np.isfinite(value) else -np.inf))
    kept = sorted(kept, key=lambda entry: -entry[1])[:4]
    finite = [entry for entry in kept if np.isfinite(entry[1])]
    assert store.values.tolist()[: len(finite)] == [v for _, v in finite]
    assert _rows(store.archs)[: len(finite)] == [row for row, _ in finite]
    assert not np.isfinite(store.values[len(finite) :]).any()


def test_sizes_that_cannot_be_are_named():
  with pytest.raises(ValueError, match='at least one slot, got 0'):
    archive.create(_EXAMPLE, 0)
  store = archive.create(_EXAMPLE, 2)
  with pytest.raises(ValueError, match='3 architectures .* 2 slots'):
    archive.add(store, _archs([[0, 0, 0]] * 3), jnp.zeros(3))


def test_joined_archives_keep_their_slots_in_order():
  arch = {'op': jnp.zeros(2, jnp.int32)}
  first, second = archive.create(arch, 3), archive.create(arch, 2)
  archs = {'op': jnp.array([[1, 2], [3, 4]])}
  first = archive.add(first, archs, jnp.array([1.0, 5.0]))
  second = archive.add(second, archs, jnp.array([4.0, jnp.nan]))
  joined = archive.join(first, second)
  np.testing.assert_array_equal(
    joined.values, [1.0, 5.0, -np.inf, 4.0, -np.inf]
  )
  np.testing.assert_array_equal(
    joined.archs['op'], [[1, 2], [3, 4], [0, 0], [1, 2], [3, 4]]
  )
  best, values = archive.top(joined, 2)
  np.testing.assert_array_equal(best['op'], [[3, 4], [1, 2]])
  np.testing.assert_array_equal(values, [5.0, 4.0])
