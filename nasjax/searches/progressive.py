"""Searches in stages, each in the subspace that the last one found.

X. Chen, L. Xie, J. Wu and Q. Tian, Progressive Differentiable Architecture
Search (P-DARTS), ICCV 2019, https://arxiv.org/abs/1904.12760, section 3.2: as
the options of every decision become fewer, networks become deeper or wider at
the same cost. Stages may have networks of their own, so each starts anew; what
it takes over is a mask.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.types import Mask, Params, Search, State


class Progress(NamedTuple):
  """The state of all stages."""

  step: jax.Array  # i32[] updates done
  masks: tuple[Mask, ...]  # what each stage may choose among
  stages: tuple[State, ...]  # before a stage has begun: as initialised


def strongest(logits: Params, mask: Mask, num_options: int) -> Mask:
  """Return the mask of the strongest options of every decision.

  Args:
    logits: pytree of `f32[D, K]`, or anything of the same order.
    mask: pytree of `bool[D, K]`, what is ranked.
    num_options: how many stay; of equal ones the first.

  Returns:
    Pytree of `bool[D, K]`, inside the mask.
  """

  def keep(leaf, allowed):
    order = jnp.argsort(-jnp.where(allowed, leaf, -jnp.inf), stable=True)
    return allowed & (jnp.argsort(order) < num_options)

  return jax.tree.map(keep, logits, mask)


def progressive(
  stages: Sequence[Callable[[Mask], Search]],
  mask: Mask,
  num_options: Sequence[int],
  num_steps: int,
  logits: Callable[[Params], Params] = lambda arch_params: arch_params,
) -> Search:
  """Search in stages of fewer and fewer options.

  Args:
    stages: `(mask) -> Search` of each stage, `mask` a pytree of traced
      `bool[D, K]`; states have `arch_params`, metrics are alike.
    mask: of the first stage.
    num_options: that each stage may choose among, at most.
    num_steps: updates of a stage; the last one goes on for ever.
    logits: `(arch_params) -> f32[D, K]` by leaf: how strong options are.

  Returns:
    A search with the metrics of its stages and their number, `stage`. Its
    state is `Progress`; the mask of a stage is final when that before it ends.

  Raises:
    ValueError: if there are not as many numbers as stages, or they grow.

  References:
    P-DARTS, https://arxiv.org/abs/1904.12760, section 3.2.
  """
  num_options = tuple(num_options)
  if len(num_options) != len(stages) or list(num_options) != sorted(
    num_options, reverse=True
  ):
    raise ValueError(
      f'{len(stages)} stages need as many falling numbers of options, got '
      f'{num_options}.'
    )

  def init(key):
    first = jax.tree.map(jnp.asarray, mask)
    keys = jax.random.split(key, len(stages))
    states = tuple(stage(first).init(k) for stage, k in zip(stages, keys))
    return Progress(jnp.zeros((), jnp.int32), (first,) * len(stages), states)

  def at(state):
    return jnp.minimum(state.step // num_steps, len(stages) - 1)

  def advance(i):
    def apply(key, state, batch):
      search = stages[i](state.masks[i])
      inner, metrics = search.update(key, state.stages[i], batch)
      masks = state.masks
      if i + 1 < len(stages):
        left = strongest(
          logits(inner.arch_params), masks[i], num_options[i + 1]
        )
        masks = (*masks[: i + 1], left, *masks[i + 2 :])
      states = (*state.stages[:i], inner, *state.stages[i + 1 :])
      return Progress(state.step + 1, masks, states), metrics

    return apply

  def update(key, state, batch):
    branches = [advance(i) for i in range(len(stages))]
    after, metrics = lax.switch(at(state), branches, key, state, batch)
    return after, dict(metrics, stage=at(state))

  def best(key, state):
    def of_stage(i):
      return lambda: stages[i](state.masks[i]).best(key, state.stages[i])

    # The last stage that has been trained, not the one that is to begin.
    last = at(state._replace(step=jnp.maximum(state.step - 1, 0)))
    return lax.switch(last, [of_stage(i) for i in range(len(stages))])

  return Search(init, update, best)
