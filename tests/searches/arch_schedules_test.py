"""Tests of the schedules of architecture steps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import types
from nasjax.searches import arch_schedules, bilevel

KEY = jax.random.key(0)


def _simulate(schedule, gradients):
  """What is due, and the states, on a sequence of gradients."""

  def step(carry, gradient):
    state, t = carry
    due = schedule.due(state, t)
    state = schedule.update(state, due, gradient)
    return (state, t + 1), (due, state)

  _, (due, states) = jax.lax.scan(step, (schedule.init(), 0), gradients)
  return due, states


@pytest.mark.parametrize(
  'period, ratio', [(1, 0.4995), (2, 0.3330), (5, 0.1665), (10, 0.0909)]
)
def test_the_informed_schedule_settles_at_one_step_in_one_plus_the_period(
  period, ratio
):
  traces = jax.random.gamma(KEY, 2.0, (20_000,)) + 0.1
  for rate in (1.0, 0.2):
    schedule = arch_schedules.informed(period, rate=rate)
    due, _ = jax.jit(lambda s=schedule: _simulate(s, jnp.sqrt(traces)))()
    np.testing.assert_allclose(due.mean(), ratio, atol=2e-3)


def test_the_informed_schedule_equals_a_loop():
  rng = np.random.default_rng(0)
  gradients = rng.gamma(2.0, size=(60, 3)).astype(np.float32)
  period, multiplier, threshold, rate = 3.0, 1.1, 5.0, 0.4
  schedule = arch_schedules.informed(period, multiplier, threshold, rate)
  due, states = _simulate(schedule, {'w': gradients})
  mean, theta = -1.0, threshold
  for t, gradient in enumerate(gradients):
    taken = 0 < mean < theta
    theta *= multiplier**-period if taken else multiplier
    trace = sum(float(g) ** 2 for g in gradient)
    mean = trace if mean == -1.0 else rate * trace + (1 - rate) * mean
    assert due[t] == taken
    np.testing.assert_allclose(states.trace[t], mean, rtol=1e-5)
    np.testing.assert_allclose(states.threshold[t], theta, rtol=1e-5)
  assert 0 < due.sum() < 30


def test_the_scale_of_the_gradients_moves_the_threshold_alone():
  gradients = jax.random.normal(KEY, (200, 4))
  due, states = _simulate(arch_schedules.informed(4), gradients)
  # A power of two: products of floats are then exactly as much larger.
  scaled, scaled_states = _simulate(
    arch_schedules.informed(4, threshold=16.0), 4 * gradients
  )
  np.testing.assert_array_equal(due, scaled)
  np.testing.assert_array_equal(16 * states.threshold, scaled_states.threshold)


def _search(schedule, max_norm=None):
  """One weight vector, one number for an architecture."""
  distribution = types.Distribution(
    init=lambda key: jnp.array(2.0),
    sample=lambda key, params: params,
    log_prob=None,
    mode=lambda params: params,
  )

  def loss(weights, arch, key, batch):
    return jnp.sum(batch * (weights['a'] - arch) ** 2 + weights['b']), {}

  return bilevel.bilevel(
    loss,
    lambda key: {'a': jnp.array([1.0, -1.0]), 'b': jnp.zeros(2)},
    distribution,
    optax.sgd(0.05),
    optax.sgd(0.05),
    max_norm=max_norm,
    arch_schedule=schedule,
  )


def test_a_search_gives_the_schedule_its_gradient_before_clipping():
  schedule = arch_schedules.informed(2, threshold=100.0, rate=1.0)
  search = _search(schedule, max_norm=1e-3)
  state, update = search.init(KEY), jax.jit(search.update)
  assert state.schedule.trace == 0
  moved = []
  for t in range(12):
    before, threshold = state, state.schedule.threshold
    batch = {'train': jnp.array([1.0 + t, 0.5]), 'valid': jnp.ones(2)}
    state, metrics = update(KEY, state, batch)
    gradient = jax.grad(
      lambda weights, batch=batch, arch=state.arch_params: jnp.sum(
        batch['train'] * (weights['a'] - arch) ** 2 + weights['b']
      )
    )(before.weights)
    np.testing.assert_allclose(
      state.schedule.trace, optax.tree.norm(gradient) ** 2, rtol=1e-6
    )
    due = 0 < before.schedule.trace < threshold
    moved.append(bool(state.arch_params != before.arch_params))
    assert moved[-1] == due == metrics['arch_step']
  assert 0 < sum(moved) < 12


def test_a_fixed_schedule_is_that_of_the_numbers():
  def moves(search):
    state, update = search.init(KEY), jax.jit(search.update)
    batch, moved = {'train': jnp.ones(2), 'valid': jnp.ones(2)}, []
    for _ in range(7):
      before = state.arch_params
      state, _ = update(KEY, state, batch)
      moved.append(bool(state.arch_params != before))
    return moved

  assert moves(_search(arch_schedules.every(3))) == [
    t % 3 == 0 for t in range(7)
  ]
  assert moves(_search(arch_schedules.every(2, 3))) == [
    t in (3, 5) for t in range(7)
  ]
  assert moves(_search(None)) == [True] * 7


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: arch_schedules.every(0), 'arch_every at least 1, got 0 and 0'),
    (lambda: arch_schedules.informed(-1), 'got -1 and 1.05'),
    (lambda: arch_schedules.informed(1, 1.0), 'above 1, got 1 and 1.0'),
  ],
)
def test_impossible_schedules_are_errors(build, message):
  with pytest.raises(ValueError, match=message):
    build()


def test_two_schedules_are_an_error():
  with pytest.raises(ValueError, match='got 0 and 2 beside it'):
    bilevel.bilevel(
      None,
      None,
      None,
      None,
      None,
      arch_every=2,
      arch_schedule=arch_schedules.every(2),
    )
