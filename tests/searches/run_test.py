"""Tests for whole runs, runs as scores, and seeds side by side."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import batching
from nasjax.searches import run
from nasjax.types import Search

_KEY = jax.random.key(0)


def _walk(step=1.0):
  """A random walk that moves with its batches too."""

  def update(key, state, batch):
    drift = 0.0 if batch is None else batch
    state = state + step * jax.random.normal(key) + drift
    return state, {'position': state}

  return Search(jax.random.normal, update, lambda key, state: state)


def _batches(key, t):
  return jax.random.uniform(key) + t


def test_a_run_is_the_loop_of_its_updates():
  state, metrics = run.run(_KEY, _walk(), _batches, 4)
  init_key, batch_key, step_key = jax.random.split(_KEY, 3)
  expected, search = jax.random.normal(init_key), _walk()
  for t in range(4):
    batch = _batches(batch_key, t)
    expected, _ = search.update(
      jax.random.fold_in(step_key, t), expected, batch
    )
    np.testing.assert_allclose(metrics['position'][t], expected, rtol=1e-5)
  assert state == metrics['position'][-1]


def test_a_run_in_two_parts_is_the_same_run():
  whole, metrics = run.run(_KEY, _walk(), _batches, 7)
  state, first = run.run(_KEY, _walk(), _batches, 3)
  state, second = run.run(_KEY, _walk(), _batches, 4, state, 3)
  assert state == whole
  np.testing.assert_array_equal(
    jnp.concatenate([first['position'], second['position']]),
    metrics['position'],
  )


def test_seeds_and_hyper_parameters_are_a_vmap():
  keys = jax.random.split(_KEY, 3)
  one = lambda key, step: run.run(key, _walk(step), None, 3)[0]
  steps = jnp.array([0.5, 1.0, 2.0])
  together = jax.jit(jax.vmap(one))(keys, steps)
  np.testing.assert_allclose(
    together, [one(k, s) for k, s in zip(keys, steps)], rtol=1e-5
  )
  spread = batching.map_archs(lambda item: one(*item), (keys, steps))
  np.testing.assert_allclose(together, spread, rtol=1e-5)


def test_a_search_can_be_a_score():
  estimator = run.from_search(
    _walk, 4, lambda metrics: -metrics['position'][-1], _batches
  )
  scores = jax.vmap(lambda step: estimator.score(_KEY, (), step))(
    jnp.array([1.0, 2.0])
  )
  expected = [-run.run(_KEY, _walk(s), _batches, 4)[0] for s in (1.0, 2.0)]
  np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.parametrize('batch_size', [None, 3])
def test_seeds_side_by_side_are_the_searches_one_by_one(batch_size):
  search, copies = _walk(), run.replicate(_walk(), 3, batch_size)
  state = jax.jit(copies.init)(_KEY)
  updated, metrics = jax.jit(copies.update)(_KEY, state, jnp.float32(2))
  for seed in range(3):
    key = jax.random.fold_in(_KEY, seed)
    alone = search.init(key)
    np.testing.assert_allclose(state[seed], alone)
    alone, _ = search.update(key, alone, jnp.float32(2))
    np.testing.assert_allclose(updated[seed], alone, rtol=1e-6)
  chex.assert_trees_all_equal(metrics['position'], updated)
  chex.assert_trees_all_equal(copies.best(_KEY, updated), updated)


def test_no_seeds_are_refused():
  with pytest.raises(ValueError, match='must be positive, got 0'):
    run.replicate(_walk(), 0)


def test_an_epoch_is_the_loop_of_its_steps_and_then_observed():
  observe = lambda key, state: {'draw': jax.random.uniform(key) + 0 * state}
  search, batch = run.epochs(_walk(), observe), jnp.array([1.0, 2.0, 3.0])
  state, metrics = jax.jit(search.update)(_KEY, jnp.float32(0), batch)
  step_key, observe_key = jax.random.split(_KEY)
  expected, positions = jnp.float32(0), []
  for t in range(3):
    key = jax.random.fold_in(step_key, t)
    expected, row = _walk().update(key, expected, batch[t])
    positions.append(row['position'])
  np.testing.assert_allclose(state, expected, rtol=1e-6)
  np.testing.assert_allclose(metrics['position'], np.mean(positions), rtol=1e-6)
  assert metrics['draw'] == jax.random.uniform(observe_key)


def test_an_epoch_that_nobody_observes_has_the_metrics_of_its_steps():
  _, metrics = run.epochs(_walk()).update(_KEY, jnp.float32(0), jnp.ones(2))
  assert sorted(metrics) == ['position']
