"""Hyperband: many architectures briefly, the best of them for longer.

L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, Hyperband: A
Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 2018,
https://arxiv.org/abs/1603.06560, algorithm 1. With budgets r <= ... <= R:

  s_max = floor(log_eta(R / r)); for s = s_max, ..., 0, one bracket each:
    n = ceil((s_max + 1) / (s + 1) eta^s) new architectures at R eta^-s;
    rung i: the best floor(n eta^-i) of the rung below, at R eta^(i - s).

Brackets follow each other and repeat. One bracket alone is successive halving:
K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and
Hyperparameter Optimization, 2016, https://arxiv.org/abs/1502.07943.

Deviations
  * Budgets may be those that a benchmark has, of any ratios.
  * A rung is a whole number of proposals: with B > 1 its size is rounded up.
  * A rung does not wait for results that are late: architectures without a
    value come last. For several workers there is `asha`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive, ranking
from nasjax.strategies import rungs
from nasjax.types import Arch, Key, Proposal, Space, Strategy

Sample = Callable[[Key, archive.Archive], Arch]


class State(NamedTuple):
  """The rung that is being filled."""

  position: jax.Array  # i32[] proposals so far, modulo those of a cycle
  archs: Arch  # [C, ...] the rung, then what is left of longer ones
  values: jax.Array  # f32[C] what was told, -inf before
  pending: jax.Array  # bool[C] asked for and not told
  told: (
    archive.Archive | tuple[()]
  )  # values [T, L]; () unless `sample` is given


def _promote(state, slot, is_new):
  """Return the state in which a new rung starts if its first slot is asked."""
  starts = slot == 0
  order = jnp.arange(len(state.values))
  # The sort is stable: of equals the first, and those that were asked for
  # before slots that the rung did not use.
  order = jnp.where(starts & ~is_new, jnp.argsort(-state.values), order)
  return state._replace(
    archs=jax.tree.map(lambda leaf: leaf[order], state.archs),
    values=jnp.where(starts, -jnp.inf, state.values),
    pending=state.pending & ~starts,
  )


def _enter(carry, result):
  """Write a result to the first architecture of the rung that waits for it."""
  values, pending = carry
  value, is_its = result
  waiting = pending & is_its
  slot = jnp.where(jnp.any(waiting), jnp.argmax(waiting), len(values))
  values = values.at[slot].set(value, mode='drop')
  return (values, pending.at[slot].set(False, mode='drop')), None


def hyperband(
  space: Space,
  fidelities: Sequence[float] = (1 / 27, 1 / 9, 1 / 3, 1),
  eta: float = 3,
  brackets: Sequence[int] | None = None,
  batch_size: int = 1,
  sample: Sample | None = None,
  capacity: int = 1024,
) -> Strategy:
  """Promote the best 1 / eta of every rung to the next fidelity.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> space = nasbench201.nasbench201()
    >>> strategy = hyperband(space, (4 / 108, 12 / 108, 36 / 108, 1))
    >>> halving = hyperband(space, brackets=(3,))

  Args:
    space: the space.
    fidelities: L budgets as fractions of the full one, such as those of
      `rungs.geometric`.
    eta: the best 1 / eta are promoted.
    brackets: s of the brackets of a cycle, in order; `s_max, ..., 0` by
      default. A single one is successive halving from the s-th fidelity below
      the full one.
    batch_size: B; the architectures of a proposal are of one rung.
    sample: `(key, told) -> arch`, what starts in a bracket; by default what
      the space draws. `told` holds the last results with values `[T, L]`: one
      column is finite, that of its fidelity.
    capacity: T, where `sample` is given.

  Returns:
    The strategy.

  Raises:
    ValueError: if fidelities, eta, brackets or sizes cannot be.

  References:
    Li et al., Hyperband, JMLR 2018, algorithm 1.
  """
  levels = rungs.check(fidelities, eta)
  known = tuple(range(len(levels) - 1, -1, -1))
  brackets = known if brackets is None else tuple(brackets)
  if not brackets or not set(brackets) <= set(known) or batch_size < 1:
    raise ValueError(
      f'{len(levels)} fidelities have the brackets {known}, and a proposal at '
      f'least one architecture; got brackets={brackets}, '
      f'batch_size={batch_size}.'
    )
  schedule, rung_size = rungs.cycle(len(levels), eta, brackets, batch_size)
  num_proposals = len(schedule.level)

  def init(key):
    arch = space.sample(key)
    told = archive.create(arch, capacity, len(levels)) if sample else ()
    rung = archive.create(arch, rung_size)
    pending = jnp.zeros(rung_size, bool)
    return State(jnp.int32(0), rung.archs, rung.values, pending, told)

  def ask(key, state):
    level, slot, is_new = (jnp.asarray(x)[state.position] for x in schedule)
    state = _promote(state, slot, is_new)
    slots = slot + jnp.arange(batch_size)

    def draw(key):
      keys = jax.random.split(key, batch_size)
      if sample is None:
        return jax.vmap(space.sample)(keys)
      return jax.vmap(lambda key: sample(key, state.told))(keys)

    def promoted(key):
      del key
      return jax.tree.map(lambda leaf: leaf[slots], state.archs)

    archs = jax.lax.cond(is_new, draw, promoted, key)
    state = state._replace(
      position=(state.position + 1) % num_proposals,
      archs=jax.tree.map(lambda x, y: x.at[slots].set(y), state.archs, archs),
      pending=state.pending.at[slots].set(True),
    )
    fidelity = jnp.full(batch_size, jnp.asarray(levels)[level])
    return Proposal(archs, fidelity), state

  def tell(key, state, proposal, values):
    del key
    values = ranking.finite_or_worst(values)
    told_levels = jax.vmap(lambda f: rungs.level_of(f, levels))(
      proposal.fidelity
    )
    # Nothing is pending before the first proposal, whatever its level.
    level = jnp.asarray(schedule.level)[state.position - 1]
    is_its = archive.equal(proposal.archs, state.archs)
    is_its &= (told_levels == level)[:, None]
    (rung_values, pending), _ = jax.lax.scan(
      _enter, (state.values, state.pending), (values, is_its)
    )
    told = state.told
    if sample:
      columns = jax.nn.one_hot(told_levels, len(levels), dtype=bool)
      columns = jnp.where(columns, values[:, None], -jnp.inf)
      told = archive.add(told, proposal.archs, columns)
    metrics = {
      'fidelity': jnp.max(proposal.fidelity),
      'rung_best': jnp.max(rung_values),
    }
    return state._replace(
      values=rung_values, pending=pending, told=told
    ), metrics

  return Strategy(init, ask, tell)
