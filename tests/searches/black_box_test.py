"""Tests for black-box search: what is kept, what is told, what wins."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import combine
from nasjax.searches import black_box, run
from nasjax.spaces import categorical
from nasjax.strategies import random_search
from nasjax.types import Estimator, Proposal, Strategy

_SPACE = categorical.categorical({'op': (2, 5)})
_VALUES = np.random.default_rng(0).normal(size=25).astype(np.float32)
_KEY = jax.random.key(0)


def _index(arch):
  return arch['op'] @ jnp.array([5, 1])


def _table(values):
  values = jnp.asarray(values)
  return combine.stateless(lambda key, arch: values[_index(arch)])


def _everything(estimator, **settings):
  """A search that scores all 25 architectures in 5 updates."""
  strategy = random_search.random_search(_SPACE, 5, replace=False)
  return black_box.black_box(strategy, estimator, **settings)


@pytest.mark.parametrize('batch_size', [None, 2, 5])
def test_the_best_of_everything_is_found_and_its_score_reported(batch_size):
  search = _everything(_table(_VALUES), batch_size=batch_size, archive_size=3)
  state, metrics = jax.jit(lambda key: run.run(key, search, None, 5))(_KEY)
  found = jax.vmap(_index)(state.found.archs)
  np.testing.assert_array_equal(found, np.argsort(-_VALUES)[:3])
  assert _index(search.best(_KEY, state)) == _VALUES.argmax()
  np.testing.assert_allclose(metrics['score_best'][-1], _VALUES.max())
  np.testing.assert_allclose(
    jnp.mean(metrics['score_mean']), _VALUES.mean(), rtol=1e-5
  )
  assert np.all(np.diff(metrics['score_best']) >= 0)


def test_scores_that_are_not_finite_are_counted_and_never_win():
  values = _VALUES.copy()
  values[::2] = [np.nan, np.inf, -np.inf] * 4 + [np.nan]
  search = _everything(_table(values))
  state, metrics = jax.jit(lambda key: run.run(key, search, None, 5))(_KEY)
  assert jnp.sum(metrics['num_not_finite']) == 13
  finite = np.where(np.isfinite(values), values, -np.inf)
  assert _index(search.best(_KEY, state)) == finite.argmax()
  assert metrics['score_best'][-1] == finite.max()


def _drifting():
  """Scores are turned upside down by the batch: 1 or -1."""
  return Estimator(
    init=lambda key: jnp.float32(1.0),
    update=lambda key, state, batch: (batch, {'sign': batch}),
    score=lambda key, state, arch: state * jnp.asarray(_VALUES)[_index(arch)],
  )


def test_best_scores_again_where_the_estimator_has_moved():
  search = _everything(_drifting(), archive_size=25)
  signs = jnp.array([1.0, 1.0, 1.0, 1.0, 1.0, -1.0])
  state, metrics = jax.jit(
    lambda key: run.run(key, search, lambda key, t: signs[t], 6)
  )(_KEY)
  np.testing.assert_array_equal(metrics['estimator_sign'], signs)
  # By the values of their time, the last five count upside down only.
  assert _index(search.best(_KEY, state)) == _VALUES.argmin()


def test_best_does_not_score_again_what_never_learned():
  noisy = combine.stateless(lambda key, arch: jax.random.normal(key))
  search = _everything(noisy)
  state, _ = jax.jit(lambda key: run.run(key, search, None, 5))(_KEY)
  best = jax.tree.map(lambda leaf: leaf[0], state.found.archs)
  for seed in range(3):
    chex.assert_trees_all_equal(search.best(jax.random.key(seed), state), best)


def test_only_scores_at_the_highest_fidelity_can_win():
  def ask(key, state):
    rungs = jnp.array([[1.0, 2.0], [4.0, 1.0], [4.0, 2.0]])
    archs = jax.vmap(_SPACE.index)(state * 2 + jnp.arange(2))
    return Proposal(archs, rungs[state]), state + 1

  halving = Strategy(
    lambda key: jnp.int32(0),
    ask,
    lambda key, state, proposal, values: (state, {}),
  )
  # Cheaper is higher here: without the rule the first would win.
  estimator = combine.stateless(
    lambda key, arch, fidelity=4.0: _index(arch) - 10 * fidelity
  )
  search = black_box.black_box(halving, estimator)
  state, metrics = run.run(_KEY, search, None, 3)
  assert metrics['score_best'].tolist() == [1 - 20.0, 2 - 40.0, 4 - 40.0]
  assert _index(search.best(_KEY, state)) == 4
