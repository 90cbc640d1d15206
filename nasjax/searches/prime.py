"""The three improvements of DARTS-PRIME, for any bilevel search.

Maile, Lecarpentier, Luga, Wilson, DARTS-PRIME: Regularization and Scheduling
Improve Constrained Optimization in Differentiable NAS, 2021,
https://arxiv.org/abs/2106.11655: weights without competition
(`distributions.clipped`), a schedule of the alpha steps
(`arch_schedules.informed`), and a term that draws to a decision (`penalties`,
`admm`).
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

import optax

from nasjax.distributions import clipped as clipped_lib
from nasjax.distributions import softmax
from nasjax.searches import admm, arch_schedules, descent, penalties
from nasjax.spaces import decisions
from nasjax.types import Arch, Distribution, Space


class Improvements(NamedTuple):
  """What `bilevel` is given.

  Attributes:
    distribution: over architectures.
    transform: of the gradient of alpha, before weight decay and Adam.
    penalty: added to the validation loss, or None.
    anneal: of the params after every update, or None.
    arch_schedule: of the alpha steps, or None for one in every update.
  """

  distribution: Distribution
  transform: optax.GradientTransformation
  penalty: penalties.Penalty | None
  anneal: descent.Anneal | None
  arch_schedule: arch_schedules.ArchSchedule | None


def _penalty(regularizer, rho, num_steps, **rule):
  """The regulariser, where it is a term of the loss."""
  ramp = optax.linear_schedule(0.0, 1.0, num_steps)
  if regularizer == 'proximity':
    return penalties.proximity(lambda step: rho * ramp(step), **rule)
  if regularizer == 'adjusted_proximity':
    return penalties.adjusted_proximity(rho, ramp, **rule)
  if regularizer not in (None, 'admm'):
    raise ValueError(
      f'Unknown regularizer {regularizer!r}. Known: adjusted_proximity, admm, '
      'proximity, None.'
    )
  return None


def prime(
  space: Space,
  num_steps: int,
  derive: Callable[[Arch], Arch] | None = None,
  *,
  clipped: bool = True,
  informed: bool = True,
  regularizer: str | None = 'proximity',
  arch_every: float = 10,
  trace_rate: float = 0.2,
  rho: float = 0.1,
  dual_decay: float = 0.2,
  none: int | None = 0,
) -> Improvements:
  """Return any of the three improvements.

  Args:
    space: the space.
    num_steps: T, after which proximity counts in full.
    derive: the rule of the space; None for the strongest choices.
    clipped: whether weights are clipped, and `none` is left out; else softmax.
    informed: whether the alpha step waits for a small gradient of the weights.
    regularizer: 'proximity', 'adjusted_proximity', 'admm', or None.
    arch_every: S, updates from one alpha step to the next; of the informed
      schedule, weight steps for each alpha step on average (authors' program:
      10).
    trace_rate: weight of a new gradient in the schedule's average (authors'
      program: 0.2, and 1 for recurrent cells).
    rho: weight of the regulariser (authors' program: 0.1).
    dual_decay: kappa of ADMM (authors' program: 0.2).
    none: the choice of no connection; None where the space has none.

  Returns:
    The improvements.

  Raises:
    ValueError: if the regulariser is unknown.

  References:
    DARTS-PRIME, https://arxiv.org/abs/2106.11655.
  """
  rule = dict(derive=derive, none=none)
  penalty = _penalty(regularizer, rho, num_steps, **rule)
  if clipped:
    if none is not None:
      space = space.restrict(decisions.without(space.mask, none))
    distribution = clipped_lib.clipped(space, derive=derive)
  else:
    distribution = softmax.softmax(space, derive=derive)
  transform = optax.identity()
  if regularizer == 'admm':
    relax = functools.partial(distribution.sample, None)  # draws nothing
    transform = admm.admm(relax, rho, decay=dual_decay, **rule)
  schedule = arch_schedules.every(arch_every)
  if informed:
    schedule = arch_schedules.informed(arch_every, rate=trace_rate)
  anneal = clipped_lib.prune if clipped else None
  return Improvements(distribution, transform, penalty, anneal, schedule)
