"""Schedules that decide which updates of a search move the architecture.

`bilevel` takes one as `arch_schedule`. Before the weight step of an update it
asks `due`; after it, `update` sees the gradient of the weights.

References:
  Maile, Lecarpentier, Luga, Wilson, DARTS-PRIME: Regularization and Scheduling
  Improve Constrained Optimization in Differentiable NAS, 2021,
  https://arxiv.org/abs/2106.11655, the schedule by the Fisher information.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax.types import Params, State


class ArchSchedule(NamedTuple):
  """When the architecture moves.

  Attributes:
    init: `() -> state`, pytree of arrays.
    due: `(state, step) -> bool[]`, whether update `step`, counted from 0,
      takes an architecture step.
    update: `(state, taken, gradient) -> state`, with what `due` has said and
      the gradient of the training loss by the weights, before clipping.
  """

  init: Callable[[], State]
  due: Callable[[State, jax.Array], jax.Array]
  update: Callable[[State, jax.Array, Params], State]


class InformedState(NamedTuple):
  """State of the informed schedule."""

  trace: jax.Array  # f32[] moving average; 0 before the first gradient
  threshold: jax.Array  # f32[]


def every(period: int = 1, start: int = 0) -> ArchSchedule:
  """Return the schedule of one architecture step every few updates.

  Args:
    period: number of updates from one architecture step to the next.
    start: number of updates before the first architecture step.

  Returns:
    The schedule, without state.

  Raises:
    ValueError: if the period or the start is out of range.
  """
  if start < 0 or period < 1:
    raise ValueError(
      'arch_start must be at least 0 and arch_every at least 1, got '
      f'{start} and {period}.'
    )

  def due(state, step):
    del state
    since = step - start
    return (since >= 0) & (since % period == 0)

  return ArchSchedule(lambda: (), due, lambda state, taken, gradient: state)


def informed(
  period: float = 10.0,
  multiplier: float = 1.05,
  threshold: float = 1.0,
  rate: float = 0.2,
) -> ArchSchedule:
  """Return the schedule that waits for the weights to be nearly stationary.

    F <- rate |grad_w L_train|^2 + (1 - rate) F
    architecture step when F < theta, then theta <- theta multiplier^-period
    otherwise                              theta <- theta multiplier

  F is the trace of the empirical Fisher information of one batch. Whatever its
  scale, an architecture step comes once in `1 + period` updates on average.

  Args:
    period: S, weight steps for each architecture step (paper's CIFAR runs: 10).
    multiplier: growth of the threshold in an update without architecture step
      (authors' program: 1.05).
    threshold: the first theta (authors' program: 1).
    rate: weight of a new trace in F; 1 for no average (authors' program: 0.2).

  Returns:
    The schedule, with state `InformedState(trace, threshold)`. It takes no
    architecture step before it has seen a gradient.

  Raises:
    ValueError: if the period is negative, or the multiplier not above 1.

  References:
    DARTS-PRIME, https://arxiv.org/abs/2106.11655.
  """
  if period < 0 or multiplier <= 1:
    raise ValueError(
      'period must not be negative and multiplier be above 1, got '
      f'{period} and {multiplier}.'
    )

  def init():
    return InformedState(jnp.zeros(()), jnp.asarray(threshold, jnp.float32))

  def due(state, step):
    del step
    return (state.trace > 0) & (state.trace < state.threshold)

  def update(state, taken, gradient):
    new = optax.tree.norm(gradient, squared=True)
    mean = rate * new + (1 - rate) * state.trace
    factor = jnp.where(taken, multiplier**-period, multiplier)
    return InformedState(
      jnp.where(state.trace > 0, mean, new).astype(state.trace.dtype),
      (state.threshold * factor).astype(state.threshold.dtype),
    )

  return ArchSchedule(init, due, update)
