"""Search for a Pareto front: a strategy proposes, several estimators score.

One update is ask, score, tell. What is found is a front: the architectures of
which none is worse than another in everything.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive, batching, pareto, ranking
from nasjax.searches import proposals
from nasjax.types import Estimator, Search, State, Strategy


class MultiObjective(NamedTuple):
  """The state of the parts, and what has been found."""

  found: archive.Archive  # values f32[N, M], sorted by front, then crowding
  strategy: State
  estimators: tuple[State, ...]


def _check_tell(strategy, state, proposal, num_objectives):
  """Raise an error if the strategy does not take so many values."""
  values = jnp.zeros((len(proposal.fidelity), num_objectives))
  try:
    jax.eval_shape(strategy.tell, jax.random.key(0), state, proposal, values)
  except (AssertionError, TypeError, ValueError) as error:
    raise ValueError(
      f'The strategy cannot be told {num_objectives} values an architecture: '
      f'{str(error).strip().splitlines()[0]}'
    ) from error


def multi_objective(
  strategy: Strategy,
  estimators: Sequence[Estimator],
  reference: Sequence[float] | None = None,
  batch_size: int | None = None,
  archive_size: int = 100,
) -> Search:
  """Return the search in which a strategy is told several scores.

  Metrics of an update: `front_size` of the archive of what was found so far,
  `best_0`, ... of every objective, `hypervolume` of two objectives with a
  reference, `num_not_finite` of this proposal, and those of the strategy
  (`strategy_...`).

  Args:
    strategy: is told values `[B, M]`, for example `strategies.nsga2`. One that
      takes no values, as random search, is a baseline.
    estimators: M scores, all to be maximised. They are not updated, so an
      update takes no batch.
    reference: M values, the corner that the hypervolume is measured from: what
      is worse in one objective adds nothing.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: N, architectures kept. A front that is larger loses those
      that crowd most.

  Returns:
    The search; `best` is the architecture of the front that is first in the
    first objective, `state.found` has them all.

  Raises:
    ValueError: if there are fewer than two objectives, or if the reference or
      the strategy does not fit them.
  """
  estimators = tuple(estimators)
  if len(estimators) < 2:
    raise ValueError(
      f'Expected two estimators or more, got {len(estimators)}; a single one '
      'is for black_box.'
    )
  if reference is not None and (len(reference), len(estimators)) != (2, 2):
    raise ValueError(
      'The hypervolume is that of two objectives: expected two estimators and '
      f'a reference of two values, got {len(estimators)} and {reference}.'
    )

  def init(key):
    strategy_key, *keys = jax.random.split(key, 1 + len(estimators))
    strategy_state = strategy.init(strategy_key)
    proposal = proposals.form(strategy, strategy_state)
    _check_tell(strategy, strategy_state, proposal, len(estimators))
    state = MultiObjective(
      proposals.empty_archive(proposal, archive_size, len(estimators)),
      strategy_state,
      tuple(e.init(k) for e, k in zip(estimators, keys)),
    )
    return batching.place(state, len(proposal.fidelity), batch_size)

  def update(key, state, batch):
    if batch is not None:
      raise ValueError('Estimators of several objectives take no batches.')
    ask_key, tell_key, *keys = jax.random.split(key, 2 + len(estimators))
    proposal, strategy_state = strategy.ask(ask_key, state.strategy)
    raw = [
      proposals.score_all(e, k, s, proposal, batch_size)
      for e, k, s in zip(estimators, keys, state.estimators)
    ]
    values = ranking.finite_or_worst(jnp.stack(raw, axis=1))
    strategy_state, metrics = strategy.tell(
      tell_key, strategy_state, proposal, values
    )
    found = proposals.occupy(state.found, proposal)
    found = archive.keep_fronts(found, proposal.archs, values)
    metrics = {f'strategy_{k}': v for k, v in metrics.items()}
    metrics['num_not_finite'] = jnp.sum(~jnp.all(jnp.isfinite(values), axis=1))
    metrics['front_size'] = jnp.sum(pareto.non_dominated(found.values))
    best = jnp.max(found.values, axis=0)
    metrics |= {f'best_{m}': best[m] for m in range(len(estimators))}
    if reference is not None:
      metrics['hypervolume'] = pareto.hypervolume(
        found.values, jnp.asarray(reference, jnp.float32)
      )
    return MultiObjective(found, strategy_state, state.estimators), metrics

  def best(key, state):
    del key
    first = jnp.argmax(state.found.values[:, 0])
    return archive.select(state.found, first)

  return Search(init, update, best)
