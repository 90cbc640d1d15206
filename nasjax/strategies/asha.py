"""ASHA: successive halving that never waits.

L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-Tzur, M. Hardt, B. Recht
and A. Talwalkar, A System for Massively Parallel Hyperparameter Tuning, MLSys
2020, https://arxiv.org/abs/1810.05934, algorithm 2. Whenever a worker is free:

  for rung k = K - 2, ..., 0: if among the best floor(|rung k| / eta) results
  of rung k there is one that was not promoted yet, evaluate the best such
  architecture at the fidelity of rung k + 1;
  if there is none, evaluate a new architecture at the lowest fidelity.

This is the paper's form, of promotions. In the form that other tuners call
stopping, an architecture trains on through all rungs until its result at one of
them is not among the best 1 / eta there; it needs no checkpoints of paused
trainings, but lets the first results of each rung pass. What an evaluation
costs is the caller's affair: all of its budget where it starts anew, the
difference to the rung below where it resumes.

Deviations
  * The early-stopping rate s of the paper is a shorter list of fidelities.
  * Results that are not finite count as results of their rung, and are never
    promoted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive, ranking
from nasjax.strategies import rungs
from nasjax.types import Arch, Proposal, Space, Strategy


class State(NamedTuple):
  """The architectures on all rungs."""

  archs: Arch  # [N, ...] a ring buffer: the newest N
  values: jax.Array  # f32[N, L] told at each fidelity, -inf before
  level: jax.Array  # i32[N] the highest fidelity asked for, -1 in empty slots
  pending: jax.Array  # bool[N] that one is not told yet
  num_new: jax.Array  # i32[] architectures started so far


def _is_told(state, levels):
  """Return which architectures have a result at each level, `bool[N, L]`."""
  above = state.level[:, None] > levels
  return above | ((state.level[:, None] == levels) & ~state.pending[:, None])


def _promotable(state, eta):
  """Return the slot of the best on the highest rung, and whether there is."""
  num_archs, num_levels = state.values.shape
  levels = jnp.arange(num_levels)[None, :]
  is_told = _is_told(state, levels)
  # The best that is not promoted yet, the first of equals: if it is not among
  # the best 1 / eta of the rung, none is. So nothing has to be sorted.
  waits = is_told & (state.level[:, None] == levels)
  values = jnp.where(waits, state.values, -jnp.inf)
  slots = jnp.argmax(values, axis=0)
  best = jnp.max(values, axis=0)[None, :]
  is_before = jnp.arange(num_archs)[:, None] < slots[None, :]
  is_better = (state.values > best) | ((state.values == best) & is_before)
  ranks = jnp.sum(is_told & is_better, axis=0)
  quota = jnp.floor(jnp.sum(is_told, axis=0) / eta)
  is_next = (ranks < quota) & jnp.isfinite(best[0])
  is_next &= jnp.arange(num_levels) < num_levels - 1
  level = num_levels - 1 - jnp.argmax(is_next[::-1])
  return slots[level], jnp.any(is_next)


def asha(
  space: Space,
  fidelities: Sequence[float] = (1 / 27, 1 / 9, 1 / 3, 1),
  eta: float = 3,
  batch_size: int = 1,
  capacity: int = 1024,
) -> Strategy:
  """Promote whatever is among the best 1 / eta of its rung, else start anew.

  Results may come late and in any order: many workers are the point. The order
  of results between two proposals does not matter.

  Args:
    space: the space.
    fidelities: L budgets as fractions of the full one, such as those of
      `rungs.geometric`.
    eta: the best 1 / eta are promoted.
    batch_size: B, free workers that are served at once.
    capacity: N, architectures that are remembered; the oldest are forgotten
      with their results.

  Returns:
    The strategy.

  Raises:
    ValueError: if fidelities, eta or sizes cannot be.

  References:
    Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys
    2020, algorithm 2.
  """
  levels = rungs.check(fidelities, eta)
  if not 1 <= batch_size <= capacity:
    raise ValueError(
      'ASHA needs 1 <= batch_size <= capacity, got '
      f'batch_size={batch_size}, capacity={capacity}.'
    )

  def init(key):
    return State(
      archive.create(space.sample(key), capacity).archs,
      jnp.full((capacity, len(levels)), -jnp.inf),
      jnp.full(capacity, -1),
      jnp.zeros(capacity, bool),
      jnp.int32(0),
    )

  def ask_one(state, key):
    slot, is_promotion = _promotable(state, eta)
    slot = jnp.where(is_promotion, slot, state.num_new % capacity)
    arch = jax.tree.map(
      lambda old, new: jnp.where(is_promotion, old[slot], new),
      state.archs,
      space.sample(key),
    )
    level = jnp.where(is_promotion, state.level[slot] + 1, 0)
    values = jnp.where(is_promotion, state.values[slot], -jnp.inf)
    state = State(
      jax.tree.map(lambda leaf, x: leaf.at[slot].set(x), state.archs, arch),
      state.values.at[slot].set(values),
      state.level.at[slot].set(level),
      state.pending.at[slot].set(True),
      state.num_new + ~is_promotion,
    )
    return state, Proposal(arch, jnp.asarray(levels)[level])

  def ask(key, state):
    state, proposal = jax.lax.scan(
      ask_one, state, jax.random.split(key, batch_size)
    )
    return proposal, state

  def tell_one(state, result):
    arch, fidelity, value = result
    level = rungs.level_of(fidelity, levels)
    one = jax.tree.map(lambda leaf: leaf[None], arch)
    waiting = archive.equal(state.archs, one)[:, 0] & state.pending
    waiting &= state.level == level
    slot = jnp.where(jnp.any(waiting), jnp.argmax(waiting), capacity)
    return state._replace(
      values=state.values.at[slot, level].set(value, mode='drop'),
      pending=state.pending.at[slot].set(False, mode='drop'),
    ), None

  def tell(key, state, proposal, values):
    del key
    values = ranking.finite_or_worst(values)
    state, _ = jax.lax.scan(tell_one, state, (*proposal, values))
    metrics = {
      'fidelity': jnp.max(proposal.fidelity),
      'num_new': state.num_new,
      'in_full_best': jnp.max(state.values[:, -1]),
    }
    return state, metrics

  return Strategy(init, ask, tell)
