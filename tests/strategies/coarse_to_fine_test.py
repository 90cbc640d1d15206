"""Tests of a grid first, mutations after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.spaces import categorical
from nasjax.strategies import coarse_to_fine

SPACE = categorical.categorical({'kernel': (3, 4), 'width': (2, 4)})
GRID = jax.tree.map(
  lambda *leaves: jnp.stack(leaves),
  *[
    {'kernel': jnp.full(3, k), 'width': jnp.full(2, w)}
    for k in (0, 3)
    for w in (0, 2, 3)
  ],
)


def _cost(arch):
  return jnp.sum(arch['width'])


def _feasible(arch):
  return _cost(arch) <= 4


def _value(arch):
  """Best feasible: kernels 3, 2, 1 and widths 3 and 1, which is 3.5 + 3.7."""
  kernels = -jnp.sum(jnp.abs(arch['kernel'] - jnp.array([3, 2, 1])))
  return kernels + arch['width'] @ jnp.array([2.0, 1.0])


def _run(strategy, num_steps, value=_value):
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  state, asked = strategy.init(jax.random.key(0)), []
  for t in range(num_steps):
    key = jax.random.key(t)
    proposal, state = ask(key, state)
    may = jax.vmap(_feasible)(proposal.archs)
    values = jnp.where(may, jax.vmap(value)(proposal.archs), -jnp.inf)
    state, _ = tell(key, state, proposal, ranking.finite_or_worst(values))
    asked.append(jax.tree.map(np.asarray, proposal.archs))
  return state, asked


def test_the_grid_comes_first_and_in_order():
  strategy = coarse_to_fine.coarse_to_fine(SPACE, GRID, 4, _feasible)
  _, asked = _run(strategy, 2)
  for name, leaf in GRID.items():
    rows = np.concatenate([a[name] for a in asked])
    np.testing.assert_array_equal(rows[:6], leaf)
    np.testing.assert_array_equal(rows[6:], leaf[:2])


def test_then_feasible_mutations_of_the_best():
  strategy = coarse_to_fine.coarse_to_fine(SPACE, GRID, 6, _feasible)
  state, _ = _run(strategy, 1)
  best = jax.tree.map(np.asarray, state.best)
  # Of the grid: feasible with the highest value.
  np.testing.assert_array_equal(best['width'], [2, 2])
  proposal, _ = strategy.ask(jax.random.key(9), state)
  for i in range(6):
    arch = jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), proposal.archs)
    changed = sum(int((arch[name] != best[name]).sum()) for name in best)
    assert changed == 1
    assert _feasible(arch)


def test_what_is_found_is_feasible_and_a_local_optimum():
  strategy = coarse_to_fine.coarse_to_fine(SPACE, GRID, 8, _feasible)
  state, _ = _run(strategy, 30)
  archs = jax.vmap(SPACE.index)(jnp.arange(SPACE.size))
  values = jnp.where(
    jax.vmap(_feasible)(archs), jax.vmap(_value)(archs), -jnp.inf
  )
  # One decision at a time cannot trade widths: what is left is a local optimum.
  np.testing.assert_array_equal(state.best['kernel'], [3, 2, 1])
  assert _feasible(state.best)
  assert values.max() - state.value <= 2


def test_where_no_mutation_is_feasible_the_best_is_asked_again():
  only = jax.tree.map(lambda leaf: leaf[:1], GRID)
  never = lambda arch: jnp.sum(arch['width']) + jnp.sum(arch['kernel']) < 1
  strategy = coarse_to_fine.coarse_to_fine(SPACE, only, 2, never)
  state, _ = _run(strategy, 1)
  proposal, _ = strategy.ask(jax.random.key(0), state)
  for leaf in jax.tree.leaves(proposal.archs):
    assert not np.any(leaf)


def test_a_grid_is_needed():
  empty = jax.tree.map(lambda leaf: leaf[:0], GRID)
  with pytest.raises(ValueError, match='needs a grid'):
    coarse_to_fine.coarse_to_fine(SPACE, empty)
