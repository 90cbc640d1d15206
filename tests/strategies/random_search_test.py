"""Tests for random search as a strategy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import categorical
from nasjax.strategies import random_search

_SPACE = categorical.categorical({'op': (2, 3)})
_KEY = jax.random.key(0)


def _draw(strategy, num_asks):
  """Returns the rows that one run proposes."""
  state, rows, ask = strategy.init(_KEY), [], jax.jit(strategy.ask)
  for key in jax.random.split(_KEY, num_asks):
    proposal, state = ask(key, state)
    rows += proposal.archs['op'].tolist()
    values = jnp.full(len(proposal.fidelity), jnp.nan)
    state, _ = strategy.tell(key, state, proposal, values)
  return rows


def test_draws_with_replacement_are_uniform():
  rows = np.array(_draw(random_search.random_search(_SPACE, 300), 3))
  counts = np.bincount(rows @ [3, 1], minlength=9)
  # Chi-squared with 8 degrees of freedom, 99.9 % quantile.
  assert np.sum(np.square(counts - 100.0)) / 100.0 < 26.1


def test_draws_without_replacement_visit_every_architecture_once():
  rows = _draw(random_search.random_search(_SPACE, 3, replace=False), 6)
  everything = sorted([a, b] for a in range(3) for b in range(3))
  assert sorted(rows[:9]) == sorted(rows[9:]) == everything
  assert rows[:9] != everything


def test_a_space_without_numbers_cannot_be_drawn_without_replacement():
  space = _SPACE._replace(index=None)
  with pytest.raises(ValueError, match='needs a space with `index`'):
    random_search.random_search(space, replace=False)
