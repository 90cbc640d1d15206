"""Black-box search: a strategy proposes, an estimator scores.

One update is ask, learn (where there is a batch), score, tell. The best of
everything that was scored is kept in an archive.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive, batching, ranking
from nasjax.searches import proposals
from nasjax.types import Batch, Estimator, Proposal, Search, State, Strategy


class BlackBox(NamedTuple):
  """The state of the two parts, and what has been found."""

  found: archive.Archive  # the best distinct architectures, best first
  strategy: State
  estimator: State
  fidelity: jax.Array  # f32[] the highest asked for: that of what was found
  has_moved: jax.Array  # bool[] has the estimator learned since the start


def _keep_best(state, proposal, values):
  """Return what has been found at the highest fidelity so far, and that."""
  fidelity = jnp.maximum(state.fidelity, jnp.max(proposal.fidelity))
  found = state.found._replace(
    values=jnp.where(fidelity > state.fidelity, -jnp.inf, state.found.values)
  )
  values = jnp.where(proposal.fidelity < fidelity, -jnp.inf, values)
  found = proposals.occupy(found, proposal)
  return archive.keep_best(found, proposal.archs, values), fidelity


def black_box(
  strategy: Strategy,
  estimator: Estimator,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Return the search in which a strategy is told an estimator's scores.

  Scores that are not finite are told as -inf, counted in the metrics, and never
  win. Scores of different fidelities are not comparable: only those at the
  highest fidelity asked for so far can win.

  Metrics of an update: `score_best` of the architectures found so far,
  `score_mean` and `num_not_finite` of this proposal, and those of the strategy
  (`strategy_...`) and of the estimator (`estimator_...`).

  Args:
    strategy: proposes architectures.
    estimator: scores them, one objective. It is updated when a batch comes.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept. While an estimator learns, scores of
      different times are not comparable, so `best` scores them all again; one
      that never learned has its scores read from the archive.

  Returns:
    The search; `best` is the best architecture found.
  """

  def init(key):
    strategy_key, estimator_key = jax.random.split(key)
    strategy_state = strategy.init(strategy_key)
    proposal = proposals.form(strategy, strategy_state)
    state = BlackBox(
      proposals.empty_archive(proposal, archive_size),
      strategy_state,
      estimator.init(estimator_key),
      jnp.float32(-jnp.inf),
      jnp.bool_(False),
    )
    return batching.place(state, len(proposal.fidelity), batch_size)

  def update(key, state: BlackBox, batch: Batch):
    ask_key, learn_key, score_key, tell_key = jax.random.split(key, 4)
    proposal, strategy_state = strategy.ask(ask_key, state.strategy)

    learned, has_moved, learn_metrics = state.estimator, state.has_moved, {}
    if batch is not None:
      learned, learn_metrics = estimator.update(
        learn_key, state.estimator, batch
      )
      has_moved |= bool(jax.tree.leaves(learned))

    raw = proposals.score_all(
      estimator, score_key, learned, proposal, batch_size
    )
    values = ranking.finite_or_worst(raw)
    strategy_state, tell_metrics = strategy.tell(
      tell_key, strategy_state, proposal, values
    )
    found, fidelity = _keep_best(state, proposal, values)
    metrics = {
      'score_best': found.values[0],
      'score_mean': jnp.mean(values),
      'num_not_finite': jnp.sum(~jnp.isfinite(raw)),
      **{f'strategy_{k}': v for k, v in tell_metrics.items()},
      **{f'estimator_{k}': v for k, v in learn_metrics.items()},
    }
    return BlackBox(
      found, strategy_state, learned, fidelity, has_moved
    ), metrics

  def best(key, state):
    def score_again(_):
      again = Proposal(
        state.found.archs, jnp.full(archive_size, state.fidelity)
      )
      values = proposals.score_all(
        estimator, key, state.estimator, again, batch_size
      )
      # Slots that were never filled must not win by being scored now.
      return jnp.where(jnp.isfinite(state.found.values), values, -jnp.inf)

    values = jax.lax.cond(
      state.has_moved, score_again, lambda _: state.found.values, None
    )
    return archive.best(state.found._replace(values=values))

  return Search(init, update, best)
