"""Tests for dominance, fronts, crowding and hypervolume, by definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import pareto


def test_fronts_are_peeled_as_by_the_definition():
  rng = np.random.default_rng(1)
  values = rng.integers(0, 5, (30, 3)).astype(np.float32)
  expected, left, front = np.full(30, -1), set(range(30)), 0
  while left:
    free = {
      i
      for i in left
      if not any(
        (values[j] >= values[i]).all() and (values[j] > values[i]).any()
        for j in left
      )
    }
    expected[list(free)], left, front = front, left - free, front + 1
  fronts = jax.jit(pareto.non_dominated_ranks)(values)
  np.testing.assert_array_equal(fronts, expected)
  assert front > 2


def test_crowding_distance_is_the_gap_between_neighbours_on_a_front():
  # The front (0, 4), (1, 2), (4, 0), and a dominated point on a front of 1.
  values = jnp.array([[1.0, 2.0], [0.0, 4.0], [4.0, 0.0], [0.0, 0.0]])
  fronts = pareto.non_dominated_ranks(values)
  assert fronts.tolist() == [0, 0, 0, 1]
  distance = pareto.crowding_distance(values, fronts)
  assert distance.tolist() == [2.0, jnp.inf, jnp.inf, jnp.inf]


def test_crowding_distance_is_that_of_a_loop_over_fronts():
  rng = np.random.default_rng(2)
  values = rng.normal(size=(25, 2)).astype(np.float32)
  values[3, 1] = np.nan  # an item that failed
  fronts = np.asarray(pareto.non_dominated_ranks(values))
  expected = np.zeros(25)
  for front in range(fronts.max()):  # all but that of the failed item
    for column in values.T:
      order = sorted(np.flatnonzero(fronts == front), key=lambda i: column[i])
      expected[[order[0], order[-1]]] = np.inf
      for below, i, above in zip(order, order[1:], order[2:]):
        span = column[order[-1]] - column[order[0]]
        expected[i] += (column[above] - column[below]) / span
  distance = jax.jit(pareto.crowding_distance)(values, fronts)
  np.testing.assert_allclose(distance, expected, rtol=1e-5)
  assert np.isfinite(expected).sum() > 5 and fronts[3] == fronts.max()


def test_the_front_is_of_items_that_none_dominates_and_that_did_not_fail():
  values = jnp.array(
    [[1, 3], [2, 2], [2, 2], [1, 2], [jnp.inf, 9], [3, jnp.nan], [3, 0]]
  )
  front = jax.jit(pareto.non_dominated)(values)
  assert front.tolist() == [True, True, True, False, False, False, True]
  failed = jnp.full((2, 2), -jnp.inf)
  assert pareto.non_dominated(failed).tolist() == [False, False]


@pytest.mark.parametrize('seed', range(4))
def test_hypervolume_counts_the_unit_squares_below_the_items(seed):
  rng = np.random.default_rng(seed)
  values = rng.integers(-3, 9, (rng.integers(1, 9), 2)).astype(np.float32)
  reference = np.array([-1.0, 2.0], np.float32)
  squares = {
    (x, y)
    for a, b in values.tolist()
    for x in range(-1, int(a))
    for y in range(2, int(b))
  }
  area = jax.jit(pareto.hypervolume)(values, reference)
  assert float(area) == len(squares)


def test_items_that_failed_or_lie_outside_add_no_hypervolume():
  inside = [[1.0, 2.0], [2.0, 1.0]]
  outside = [[5.0, -1.0], [-1.0, 5.0], [np.inf, 9.0], [np.nan, 9.0], [0.0, 4.0]]
  values = jnp.array(inside + outside)
  assert pareto.hypervolume(values, jnp.zeros(2)) == 3.0
