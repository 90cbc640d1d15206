"""Schedules that optax lacks; everything else is `optax.schedules`."""

import jax
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
