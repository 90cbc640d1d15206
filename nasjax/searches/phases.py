"""Two searches, one after the other, as one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp

from nasjax import batching
from nasjax.estimators import combine
from nasjax.searches import black_box
from nasjax.types import Estimator, Metrics, Search, State, Strategy

Step = Callable[[], tuple[Any, Metrics]]


class Phases(NamedTuple):
  """The states of both searches."""

  step: jax.Array  # i32[] updates done
  first: State
  second: State


def either(
  condition: jax.Array, step: Step, other: Step
) -> tuple[Any, Metrics]:
  """Take one of two steps, with the metrics of both.

  Args:
    condition: `bool[]`, whether to take the first.
    step: `() -> (state, metrics)`.
    other: likewise, with a state of the same shapes.

  Returns:
    The state after it, and metrics, of which those that only the other has are
    zero.
  """

  def joined(run, other):
    shapes = jax.eval_shape(other)[1]
    moved, metrics = run()
    nothing = {k: jnp.zeros(v.shape, v.dtype) for k, v in shapes.items()}
    return moved, nothing | metrics

  return lax.cond(
    condition, lambda: joined(step, other), lambda: joined(other, step)
  )


def then(
  first: Search | Estimator,
  num_steps: int,
  second: Callable[[State], Search],
) -> Search:
  """Return the search that becomes another one after some updates.

  Both are part of one program. The second starts from weights of its own, drawn
  at the beginning; what it is to know of the first it reads from its state, as
  a subspace that the first has found.

  Args:
    first: the search, or the estimator, of the first updates.
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

    moved, metrics = either(state.step < num_steps, run_first, run_second)
    return moved._replace(step=state.step + 1), metrics

  # Compiled, also for who asks from outside: what the second search closes over
  # lies on all devices then, and values cannot be closed over where they map.
  @jax.jit
  def best(key, state):
    return second(state.first).best(key, state.second)

  return Search(init, update, best)


def trained_first(
  estimator: Estimator,
  num_steps: int,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Return the search that trains an estimator, then searches by its scores.

  An update of the second phase scores one proposal, and takes its batch for
  nothing.

  Args:
    estimator: a supernet, say.
    num_steps: updates of it.
    strategy: of the second phase.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. Until something has been scored, `best` is what the strategy
    would propose first.

  Raises:
    ValueError: if `num_steps` is not positive.
  """

  def second(state):
    score = lambda key, arch: estimator.score(key, state, arch)
    return black_box.black_box(
      strategy, combine.stateless(score), batch_size, archive_size
    )

  search = then(estimator, num_steps, second)

  def init(key):
    state = search.init(key)
    proposal, _ = jax.eval_shape(
      strategy.ask, jax.random.key(0), state.second.strategy
    )
    return batching.place(state, len(proposal.fidelity), batch_size)

  def best(key, state):
    def first_proposal():
      proposal, _ = strategy.ask(key, state.second.strategy)
      return jax.tree.map(lambda leaf: leaf[0], proposal.archs)

    return lax.cond(
      state.second.found.count > 0,
      lambda: search.best(key, state),
      first_proposal,
    )

  return search._replace(init=init, best=best)
