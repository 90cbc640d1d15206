"""Tests for search by a learned model: when it fits, and to what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import tabular
from nasjax.searches import queries
from nasjax.spaces import categorical
from nasjax.strategies import model_based
from nasjax.types import Estimator

_SPACE = categorical.categorical({'op': (4, 3)})
_NUMBER = categorical.numbering(_SPACE.mask)
_WEIGHTS = np.random.default_rng(0).normal(size=12).astype(np.float32)
_EVERY = jax.vmap(_SPACE.index)(jnp.arange(81))
_VALUES = jax.vmap(_SPACE.encode)(_EVERY) @ _WEIGHTS


def _linear() -> Estimator:
  """Ridge regression on the features; the state counts its fits."""

  def update(key, state, told):
    weight = jnp.isfinite(told.values)
    x = jax.vmap(_SPACE.encode)(told.archs) * weight[:, None]
    y = jnp.where(weight, told.values, 0)
    fitted = jnp.linalg.solve(x.T @ x + 1e-3 * jnp.eye(12), x.T @ y)
    return (fitted, state[1] + 1, jnp.sum(weight)), {}

  init = lambda key: (jnp.zeros(12), jnp.int32(0), jnp.int32(0))
  score = lambda key, state, arch: _SPACE.encode(arch) @ state[0]
  return Estimator(init, update, score)


def _best_of_all(key, state, told):
  """The two best of the space by the model that are not known yet."""
  del key
  predicted = jax.vmap(_SPACE.encode)(_EVERY) @ state[0]
  predicted = jnp.where(archive.contains(told, _EVERY), -jnp.inf, predicted)
  return jax.tree.map(lambda x: x[jax.lax.top_k(predicted, 2)[1]], _EVERY)


def _strategy(**settings):
  settings = dict(num_initial=14, batch_size=2, capacity=40) | settings
  return model_based.model_based(_SPACE, _linear(), _best_of_all, **settings)


def test_it_fits_once_for_each_proposal_after_the_first_ones():
  strategy = _strategy()
  state = strategy.init(jax.random.key(0))
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  for t in range(10):
    proposal, state = ask(jax.random.key(t), state)
    values = _VALUES[jax.vmap(_NUMBER)(proposal.archs)]
    state, _ = tell(jax.random.key(t), state, proposal, values)
    assert state.model[1] == max(0, t - 6)
    assert state.model[2] == (2 * t if t >= 7 else 0)
  assert state.num_asked == 20


def test_a_model_that_is_right_finds_the_optimum_at_once():
  estimator = tabular.tabular(_NUMBER, _VALUES)
  run = jax.jit(
    lambda key: queries.spend(key, _strategy(), estimator, _NUMBER, 81, 20)
  )
  for seed in range(3):
    ledger = run(jax.random.key(seed))
    assert ledger.values.max() == _VALUES.max()


def test_failures_are_not_fitted_to():
  strategy = _strategy()
  state = strategy.init(jax.random.key(0))
  for t in range(8):
    proposal, state = strategy.ask(jax.random.key(t), state)
    values = jnp.array([jnp.nan, 1.0])
    state, _ = strategy.tell(jax.random.key(t), state, proposal, values)
  assert state.model[2] == 7


@pytest.mark.parametrize(
  'wrong', [dict(num_initial=3), dict(num_initial=0), dict(capacity=10)]
)
def test_sizes_that_do_not_fit_are_refused(wrong):
  with pytest.raises(ValueError, match='num_initial'):
    _strategy(**wrong)


def test_an_archive_contains_what_was_added_and_no_empty_slot():
  archs = jax.tree.map(lambda x: x[:3], _EVERY)
  store = archive.create(jax.tree.map(lambda x: x[5], _EVERY), 8)
  store = archive.add(store, archs, jnp.array([1.0, jnp.nan, 0.0]))
  found = archive.contains(store, jax.tree.map(lambda x: x[:7], _EVERY))
  np.testing.assert_array_equal(found, [1, 1, 1, 0, 0, 0, 0])
