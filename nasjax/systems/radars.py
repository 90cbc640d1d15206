"""RADARS: reinforcement prunes a space until a differentiable search fits.

Z. Yan, W. Jiang, X. S. Hu and Y. Shi, RADARS: Memory Efficient Reinforcement
Learning Aided Differentiable Neural Architecture Search, ASP-DAC 2022,
https://arxiv.org/abs/2109.05691:

  S <- all options of every decision
  repeat: the policy draws single architectures in S and is told their scores
          S <- of every decision, the options that are likeliest under it
  until k options are left to each decision, then
  a differentiable search in S, of which networks compute k options alone

A single architecture takes the memory of one option a decision, the descent
that of k. `searches.memory` says what a k takes, and refuses one that takes too
much, before anything runs; so does `max_bytes` of a config.

Deviations
  * Controller, rewards and rates of the paper are not at hand: here decisions
    are independent, any estimator gives scores, and all defaults are ours.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax import batching, ranking
from nasjax.distributions import categorical, masked, softmax, sparse
from nasjax.searches import phases, progressive, proposals
from nasjax.strategies import reinforce
from nasjax.types import Estimator, Mask, Search, Space, State


class Pruning(NamedTuple):
  """The subspace, and the policy that prunes it."""

  step: jax.Array  # i32[] updates done
  mask: Mask  # of bool[D, K], S
  policy: State  # of REINFORCE
  estimator: State


def _pruning(space, estimator, policy_of, strategy_of, counts, round_length):
  """The first phase; `counts` are the options left after every round."""

  def init(key):
    policy_key, estimator_key = jax.random.split(key)
    mask = jax.tree.map(jnp.asarray, space.mask)
    policy = strategy_of(policy_of(mask)).init(policy_key)
    return Pruning(jnp.int32(0), mask, policy, estimator.init(estimator_key))

  def update(key, state, batch):
    del batch
    ask_key, score_key, tell_key = jax.random.split(key, 3)
    strategy = strategy_of(policy_of(state.mask))
    proposal, policy = strategy.ask(ask_key, state.policy)
    values = ranking.finite_or_worst(
      proposals.score_all(estimator, score_key, state.estimator, proposal, None)
    )
    policy, metrics = strategy.tell(tell_key, policy, proposal, values)
    done, rest = jnp.divmod(state.step + 1, round_length)
    num_options = jnp.where(rest == 0, counts[done - 1], jnp.inf)
    mask = progressive.strongest(policy.params, state.mask, num_options)
    metrics = {f'policy_{name}': value for name, value in metrics.items()}
    num_left = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(mask))
    metrics |= {'score_mean': jnp.mean(values), 'num_left': num_left}
    return Pruning(state.step + 1, mask, policy, state.estimator), metrics

  def best(key, state):
    del key
    return policy_of(state.mask).mode(state.policy.params)

  return Search(init, update, best)


def radars(
  space: Space,
  estimator: Estimator,
  inner: Callable[..., Search],
  num_options: int = 2,
  *,
  num_rounds: int = 3,
  steps_per_round: int = 100,
  batch_size: int = 4,
  optimizer: optax.GradientTransformation | None = None,
) -> Search:
  """Search by reinforcement in the whole space, then by descent in a part.

  Args:
    space: of independent decisions.
    estimator: scores single architectures; it is not updated.
    inner: `(relaxation=...) -> search`, a differentiable search with any
      relaxation `(space, **settings) -> distribution`; `darts.darts` with its
      other arguments bound.
    num_options: k, options that are left to each decision in the end.
    num_rounds: prunings, each to the same share of what is left.
    steps_per_round: updates of the policy before each.
    batch_size: architectures of one of them.
    optimizer: of the policy, by default Adam with rate 0.1. With
      `optax.set_to_zero()` scores change nothing and the pruning is random: the
      control of what the policy is worth.

  Returns:
    The search, whose batches are those of `inner`.

  Raises:
    ValueError: if a size is not positive, or k larger than the options.

  References:
    Yan et al., 2022, https://arxiv.org/abs/2109.05691.
  """
  if min(num_rounds, steps_per_round) < 1:
    raise ValueError(f'No {num_rounds} rounds of {steps_per_round} steps.')
  policy = categorical.categorical(space)
  most = max(leaf.shape[-1] for leaf in jax.tree.leaves(space.mask))
  if not 1 <= num_options <= most:
    raise ValueError(f'num_options: from 1 to {most}, got {num_options}.')
  shares = (jnp.arange(num_rounds) + 1) / num_rounds
  counts = jnp.ceil(most * (num_options / most) ** shares - 1e-4)

  def search_of(state):
    def relax(space, **settings):
      left = masked.masked(softmax.softmax(space, **settings), state.mask)
      return sparse.sparse(left, num_options)

    return inner(relaxation=relax)

  pruning = _pruning(
    space,
    estimator,
    functools.partial(masked.masked, policy),
    functools.partial(
      reinforce.reinforce,
      optimizer=optimizer or optax.adam(0.1),
      batch_size=batch_size,
    ),
    counts,
    steps_per_round,
  )
  search = phases.then(pruning, num_rounds * steps_per_round, search_of)
  return search._replace(
    init=lambda key: batching.place(search.init(key), batch_size)
  )
