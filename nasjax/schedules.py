"""Schedules that optax lacks; everything else is `optax.schedules`."""

import jax
import jax.numpy as jnp
import optax


def per_epoch(schedule: optax.Schedule, steps_per_epoch: int) -> optax.Schedule:
  """Return a schedule of the step that is constant within an epoch.

  `schedule(floor(step / steps_per_epoch))`: the first epoch is epoch 0.

  Args:
    schedule: function of the epoch.
    steps_per_epoch: number of steps in an epoch.

  Returns:
    Function of the step.

  Raises:
    ValueError: if an epoch has no step.
  """
  if steps_per_epoch < 1:
    raise ValueError(
      f'steps_per_epoch must be at least 1, got {steps_per_epoch}.'
    )
  return lambda step: schedule(step // steps_per_epoch)


def constant_ending(
  learning_rate: float,
  decay: float = 0.97,
  decay_epochs: float = 2.4,
  ending: float = 0.05,
  warmup_epochs: float = 0.0,
) -> optax.Schedule:
  """Return an exponential decay in steps that ends in a constant.

    r(e) = r_0 max(decay^floor(e / decay_epochs), ending),

  after a linear warm-up from zero. Without an ending (`ending=0`) it goes on.

  Args:
    learning_rate: r_0.
    decay: factor of every step.
    decay_epochs: epochs between steps.
    ending: share of r_0 below which the rate does not fall.
    warmup_epochs: epochs in which the rate grows in proportion to time.

  Returns:
    Function of the epoch, which need not be whole.

  References:
    Yu et al., BigNAS: Scaling Up Neural Architecture Search with Big
    Single-Stage Models, 2020, https://arxiv.org/abs/2003.11142: exponential
    decay with a constant ending. The numbers are a reimplementation's.
  """

  def rate(epoch):
    steps = jnp.floor(epoch / decay_epochs)
    rate = learning_rate * jnp.maximum(decay**steps, ending)
    if warmup_epochs == 0:
      return rate
    return jnp.minimum(epoch / warmup_epochs, 1.0) * rate

  return rate


def cosine(
  start: float,
  end: float,
  num_steps: int | jax.Array,
  steps_per_epoch: int = 1,
) -> optax.Schedule:
  """Return a cosine, constant within an epoch, whose length may be traced.

  Args:
    start: value of the first epoch.
    end: where the cosine ends.
    num_steps: its length; an array where one program trains for several.
    steps_per_epoch: number of steps in an epoch.

  Returns:
    Function of the step.
  """
  curve = optax.cosine_decay_schedule(start, 1.0, end / start)
  return per_epoch(
    lambda epoch: curve(epoch * steps_per_epoch / num_steps), steps_per_epoch
  )
