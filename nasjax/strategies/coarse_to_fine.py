"""A coarse grid first, then steps from the best of what has been found.

Yu et al., BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage
Models, 2020 (https://arxiv.org/abs/2003.11142): all networks of a
small grid, whose decisions agree, are scored; then the best is varied.

Deviations (the text was not at hand)
  * To vary is to draw another option for one decision of the best, whichever it
    is, also one that nothing depends on.
  * What was scored is not remembered: it may be asked for again.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import ranking
from nasjax.types import Arch, Proposal, Space, Strategy


class State(NamedTuple):
  """How much of the grid has been asked for, and the best so far."""

  asked: jax.Array  # i32[] networks of the grid
  best: Arch
  value: jax.Array  # f32[] of the best, -inf before one is known


def coarse_to_fine(
  space: Space,
  grid: Arch,
  batch_size: int = 8,
  feasible: Callable[[Arch], jax.Array] | None = None,
  num_tries: int = 8,
) -> Strategy:
  """Ask for a grid, then for mutations of the best.

  Networks of the grid that are not feasible are asked for all the same, and
  ought to score -inf; mutations are drawn until they are feasible.

  Args:
    space: of the mutations.
    grid: G networks, pytree of `[G, ...]`.
    batch_size: B, networks asked for at once.
    feasible: `(arch) -> bool[]`, the networks that may be found; None for all.
    num_tries: mutations drawn for each that is asked for; where none of them is
      feasible the best is asked for again.

  Returns:
    The strategy.

  Raises:
    ValueError: if the grid is empty or nothing is asked for.

  References:
    Yu et al., BigNAS, 2020, https://arxiv.org/abs/2003.11142.
  """
  num_grid = jax.tree.leaves(grid)[0].shape[0]
  if num_grid < 1 or batch_size < 1 or num_tries < 1:
    raise ValueError(
      'coarse_to_fine needs a grid, a batch and a try, got '
      f'{num_grid}, {batch_size} and {num_tries}.'
    )

  def init(key):
    del key
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), grid)
    return State(jnp.zeros((), jnp.int32), first, jnp.float32(-jnp.inf))

  def vary(key, arch):
    tries = jax.vmap(space.mutate, (0, None))(
      jax.random.split(key, num_tries), arch
    )
    if feasible is None:
      return jax.tree.map(lambda leaf: leaf[0], tries)
    may = jax.vmap(feasible)(tries)
    return jax.tree.map(
      lambda leaf, old: jnp.where(jnp.any(may), leaf[jnp.argmax(may)], old),
      tries,
      arch,
    )

  def ask(key, state):
    keys = jax.random.split(key, batch_size)
    varied = jax.vmap(vary, (0, None))(keys, state.best)
    places = state.asked + jnp.arange(batch_size)
    coarse = jax.tree.map(
      lambda leaf: jnp.asarray(leaf)[places % num_grid], grid
    )
    # The last batch of the grid is filled up with its first networks.
    archs = jax.tree.map(
      lambda a, b: jnp.where(state.asked < num_grid, a, b), coarse, varied
    )
    asked = jnp.minimum(state.asked + batch_size, num_grid)
    return Proposal(archs, jnp.ones(batch_size)), state._replace(asked=asked)

  def tell(key, state, proposal, values):
    del key
    values = ranking.finite_or_worst(values)
    i = jnp.argmax(values)
    is_better = values[i] > state.value
    best = jax.tree.map(
      lambda new, old: jnp.where(is_better, new[i], old),
      proposal.archs,
      state.best,
    )
    value = jnp.maximum(values[i], state.value)
    return state._replace(best=best, value=value), {'best': value}

  return Strategy(init, ask, tell)
