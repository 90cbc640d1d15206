"""Two searches, one after the other, as one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.types import Search, State


class Phases(NamedTuple):
  """The states of both searches."""

  step: jax.Array  # i32[] updates done
  first: State
  second: State


def then(
  first: Search, num_steps: int, second: Callable[[State], Search]
) -> Search:
  """Return the search that becomes another one after some updates.

  Both are part of one program. The second starts from weights of its own, drawn
  at the beginning; what it is to know of the first it reads from its state, as
  a subspace that the first has found.

  Args:
    first: the search of the first updates.
    num_steps: their number.
    second: `(state of first) -> search`, the search of all others, whose own
      state has the same shapes whatever the first has found.

  Returns:
    The search. Both take the same batches. Metrics are those of both, zero
    where a search does not run; `best` is that of the second.

  Raises:
    ValueError: if `num_steps` is not positive.
  """
  if num_steps < 1:
    raise ValueError(f'num_steps must be at least 1, got {num_steps}.')

  def init(key):
    first_key, second_key = jax.random.split(key)
    state = first.init(first_key)
    return Phases(
      jnp.zeros((), jnp.int32), state, second(state).init(second_key)
    )

  def update(key, state, batch):
    def run_first():
      moved, metrics = first.update(key, state.first, batch)
      return state._replace(first=moved), metrics

    def run_second():
      search = second(state.first)
      moved, metrics = search.update(key, state.second, batch)
      return state._replace(second=moved), metrics

    def nothing_of(run):
      shapes = jax.eval_shape(run)[1]
      return {k: jnp.zeros(v.shape, v.dtype) for k, v in shapes.items()}

    def joined(run, other):
      moved, metrics = run()
      return moved, nothing_of(other) | metrics

    moved, metrics = lax.cond(
      state.step < num_steps,
      lambda: joined(run_first, run_second),
      lambda: joined(run_second, run_first),
    )
    return moved._replace(step=state.step + 1), metrics

  def best(key, state):
    return second(state.first).best(key, state.second)

  return Search(init, update, best)
