"""AGNN: the best graph network so far, changed class by class.

K. Zhou, Q. Song, X. Huang and X. Hu, Auto-GNN: Neural Architecture Search of
Graph Neural Networks, 2019, https://arxiv.org/abs/1909.03184. (Another AGNN, of
2018, is an attention.)

  repeat: an offspring of the best network b, see `strategies.conservative`
          it takes over the weights of b where they are homogeneous, see
          `estimators.heredity`, and is trained
          reward: its validation score minus that of b
          it takes the place of b, with its weights, if it is better

What is known of the paper, and what of AutoGL's program, is said there.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive, ranking
from nasjax.estimators import heredity as heredity_lib
from nasjax.searches import proposals
from nasjax.strategies import conservative
from nasjax.types import Params, Search, Space, State


class Agnn(NamedTuple):
  """The search and the weights that are inherited."""

  found: archive.Archive  # the best distinct architectures, best first
  strategy: conservative.State
  weights: Params  # of the best network


def agnn(
  space: Space,
  heredity: heredity_lib.Heredity,
  archive_size: int = 10,
  **settings,
) -> Search:
  """Search conservatively, with weights that offspring inherit.

  Args:
    space: of independent choices; a leaf is a class of decisions.
    heredity: scores of offspring: `estimators.heredity.homogeneous`, or
      `without`, which begins every training anew.
    archive_size: architectures kept.
    **settings: of `strategies.conservative`.

  Returns:
    The search; an update scores one architecture.

  Raises:
    ValueError: as `strategies.conservative`.

  References:
    Zhou et al., Auto-GNN, https://arxiv.org/abs/1909.03184.
  """
  strategy = conservative.conservative(space, **settings)

  def init(key):
    strategy_key, weights_key = jax.random.split(key)
    state = strategy.init(strategy_key)
    form = proposals.form(strategy, state)
    return Agnn(
      proposals.empty_archive(form, archive_size),
      state,
      heredity.init(weights_key, state.best),
    )

  def update(key, state: Agnn, batch):
    del batch
    ask_key, score_key, tell_key = jax.random.split(key, 3)
    ancestor = state.strategy
    proposal, asked = strategy.ask(ask_key, ancestor)
    arch = jax.tree.map(lambda leaf: leaf[0], proposal.archs)
    raw, weights = heredity.score(
      score_key,
      arch,
      ancestor.best,
      state.weights,
      ancestor.value == -jnp.inf,
    )
    values = ranking.finite_or_worst(raw[None])
    told, metrics = strategy.tell(tell_key, asked, proposal, values)
    is_better = values[0] > ancestor.value
    weights = jax.tree.map(
      lambda new, old: jnp.where(is_better, new, old), weights, state.weights
    )
    found = proposals.occupy(state.found, proposal)
    found = archive.keep_best(found, proposal.archs, values)
    return Agnn(found, told, weights), {
      'score_best': found.values[0],
      'score_mean': values[0],
      'num_not_finite': jnp.sum(~jnp.isfinite(raw)),
      **{f'strategy_{name}': value for name, value in metrics.items()},
    }

  def best(key, state: State):
    del key
    return archive.best(state.found)

  return Search(init, update, best)
