"""Tests of the schedules that optax lacks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import schedules


def test_the_value_changes_between_epochs_alone():
  schedule = schedules.per_epoch(lambda epoch: epoch * 10, 3)
  values = jax.vmap(schedule)(jnp.arange(7))
  np.testing.assert_array_equal(values, [0, 0, 0, 10, 10, 10, 20])


def test_cosine_per_epoch_has_the_closed_form_of_darts():
  largest, smallest, num_epochs = 0.025, 0.001, 50
  schedule = schedules.per_epoch(
    optax.cosine_decay_schedule(largest, num_epochs, smallest / largest), 4
  )
  for step in (0, 3, 4, 100, 199):
    epoch = step // 4
    expected = (
      smallest
      + (largest - smallest) * (1 + np.cos(np.pi * epoch / num_epochs)) / 2
    )
    np.testing.assert_allclose(
      jax.jit(schedule)(jnp.array(step)), expected, rtol=1e-5
    )


def test_an_epoch_needs_a_step():
  with pytest.raises(ValueError, match='steps_per_epoch'):
    schedules.per_epoch(optax.constant_schedule(1.0), 0)


def test_the_constant_ending_is_reached_after_a_hundred_steps_of_the_decay():
  # The first step of 0.97 below a twentieth: ceil(ln 0.05 / ln 0.97) = 99.
  rate = schedules.constant_ending(0.256)
  late = [237.7, 300.0, 1000.0]
  np.testing.assert_allclose([rate(e) for e in late], 0.05 * 0.256, rtol=1e-6)
  assert rate(237.5) > 1.001 * 0.05 * 0.256
  for epoch in (0.0, 2.3, 2.5, 100.0):
    np.testing.assert_allclose(
      rate(epoch), 0.256 * 0.97 ** (epoch // 2.4), rtol=1e-5
    )


def test_without_an_ending_the_rate_falls_on_and_warm_up_is_linear():
  rate = schedules.constant_ending(1.0, ending=0.0, warmup_epochs=2.0)
  assert rate(480.5) < 0.003
  np.testing.assert_allclose([rate(0.5), rate(1.0)], [0.25, 0.5], rtol=1e-6)


def test_a_cosine_of_traced_length_is_that_of_a_fixed_one():
  @jax.jit
  def rate(step, num_steps):
    return schedules.cosine(0.1, 0.02, num_steps, 2)(step)

  for num_steps in (6, 10):
    fixed = optax.cosine_decay_schedule(0.1, num_steps // 2, 0.2)
    for step in range(num_steps):
      np.testing.assert_allclose(
        rate(step, num_steps), fixed(step // 2), rtol=1e-5
      )
