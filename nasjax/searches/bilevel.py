"""Alternating descent on architecture parameters and network weights.

  min_a  L_val(w*(a), a)    where  w*(a) = argmin_w L_train(w, a)

Each update is one architecture step on the validation batch, then one weight
step on the training batch with the new architecture parameters.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019,
https://arxiv.org/abs/1806.09055, equations 3 and 4, algorithm 1.
"""

from collections.abc import Callable
import functools
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.searches import (
  arch_schedules,
  descent,
  hypergradients,
  optimizers,
  penalties,
)
from nasjax.types import Distribution, Key, Params, Search


def bilevel(
  loss: descent.Loss,
  init_params: Callable[[Key], Params],
  distribution: Distribution,
  weight_optimizer: optax.GradientTransformation,
  arch_optimizer: optax.GradientTransformation,
  hypergradient: hypergradients.Hypergradient | None = None,
  *,
  max_norm: float | None = None,
  penalty: penalties.Penalty | None = None,
  anneal: descent.Anneal | None = None,
  arch_start: int = 0,
  arch_every: int = 1,
  arch_schedule: arch_schedules.ArchSchedule | None = None,
  valid_loss: descent.Loss | None = None,
  carry: Any = None,
) -> Search:
  """Search by alternating architecture and weight steps.

  The weight optimiser sees clipped gradients in the weight step alone: the
  steps that a hypergradient unrolls are not clipped, as in the authors'
  program. The training and validation terms draw from different keys; the
  unrolled and the real weight step share theirs.

  Args:
    loss: `(weights, arch, key, batch) -> (f32[], metrics)`.
    init_params: `(key) -> weights`.
    distribution: over architectures, with differentiable samples.
    weight_optimizer: of the weights, without clipping. One with extra
      arguments, see optax, is given the training batch as `batch`.
    arch_optimizer: of the distribution's parameters.
    hypergradient: from `hypergradients`; None for `first_order`.
    max_norm: global norm to which weight gradients are clipped, or None.
    penalty: added to the validation loss, from `penalties`, or None.
    anneal: `(arch_params, step) -> arch_params` after every update, with the
      number of updates done; for temperatures, or None.
    arch_start: number of updates before the first architecture step.
    arch_every: number of updates from one architecture step to the next.
    arch_schedule: from `arch_schedules`, in the place of those two numbers.
    valid_loss: what the architecture is to minimise, like `loss`; None for
      `loss` itself.
    carry: what the losses hand from each batch to the next of its part, such as
      the hidden states of a text; here the first one, `[...]`. Losses find it
      in `batch['carry']` and return the next one as `metrics['carry']`. None
      for losses without.

  Returns:
    A search whose batches are `dict(train=..., valid=...)`. An update without
    architecture step still reports the validation loss; where there are such
    updates `arch_step` is 1 for the others. `diverged` is 1 where a loss is not
    finite.

  Raises:
    ValueError: if `arch_start` or `arch_every` is out of range or given beside
      an `arch_schedule`, or a batch lacks a part.

  References:
    Liu et al., 2019, algorithm 1.
  """
  is_plain = arch_start == 0 and arch_every == 1
  if arch_schedule is not None and not is_plain:
    raise ValueError(
      'An arch_schedule stands in the place of arch_start and arch_every, got '
      f'{arch_start} and {arch_every} beside it.'
    )
  always = is_plain and arch_schedule is None
  schedule = arch_schedule or arch_schedules.every(arch_every, arch_start)
  hypergradient = hypergradient or hypergradients.first_order()
  train_objective = descent.objective(loss, distribution)
  valid_objective = descent.objective(valid_loss or loss, distribution, penalty)

  def part(batch, state, name):
    if carry is None:
      return batch[name]
    return dict(batch[name], carry=state.carry[name])

  def arch_step(state, optimizer, on_train, on_valid):
    (_, metrics), gradient = hypergradient(
      lambda weights, arch_params: on_train(weights, arch_params)[0],
      on_valid,
      state.weights,
      state.arch_params,
      optimizer,
      state.weight_state,
    )
    params = descent.apply(
      arch_optimizer, gradient, state.arch_state, state.arch_params
    )
    return params, metrics, optax.tree.norm(gradient)

  def no_arch_step(state, on_valid):
    _, metrics = on_valid(state.weights, state.arch_params)
    norm = optax.tree.norm(optax.tree.zeros_like(state.arch_params))
    return (state.arch_params, state.arch_state), metrics, norm

  def init(key):
    return search.init(key)._replace(schedule=schedule.init())

  def update(key, state, batch):
    descent.check(batch, 'train', 'valid')
    train_key, valid_key = jax.random.split(key)
    optimizer = optimizers.see_batch(weight_optimizer, batch['train'])
    on_train = functools.partial(
      train_objective, train_key, part(batch, state, 'train'), state.step
    )
    on_valid = functools.partial(
      valid_objective, valid_key, part(batch, state, 'valid'), state.step
    )
    due = schedule.due(state.schedule, state.step)
    if always:
      result = arch_step(state, optimizer, on_train, on_valid)
    else:
      result = lax.cond(
        due,
        lambda: arch_step(state, optimizer, on_train, on_valid),
        lambda: no_arch_step(state, on_valid),
      )
    (arch_params, arch_state), valid_metrics, arch_norm = result
    (_, train_metrics), gradient = jax.value_and_grad(on_train, has_aux=True)(
      state.weights, arch_params
    )
    if carry is not None:
      both = {'train': train_metrics, 'valid': valid_metrics}
      state = state._replace(
        carry={name: metrics.pop('carry') for name, metrics in both.items()}
      )
    finite = jnp.isfinite(train_metrics['loss'] + valid_metrics['loss'])
    metrics = dict(
      descent.prefix('train', train_metrics),
      **descent.prefix('valid', valid_metrics),
      weight_gradient_norm=optax.tree.norm(gradient),
      arch_gradient_norm=arch_norm,
      diverged=1.0 - finite,
    )
    if not always:
      metrics['arch_step'] = 1.0 * due
    state = state._replace(
      schedule=schedule.update(state.schedule, due, gradient)
    )
    return descent.advance(
      state,
      gradient,
      arch_params,
      arch_state,
      optimizer,
      max_norm,
      anneal,
    ), metrics

  search = descent.search(
    update,
    init_params,
    distribution,
    weight_optimizer,
    arch_optimizer,
    () if carry is None else {'train': carry, 'valid': carry},
  )
  return search._replace(init=init)
