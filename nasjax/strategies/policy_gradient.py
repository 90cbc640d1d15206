"""What policy gradient methods share: a policy, its optimiser and a baseline.

  repeat: a_1, ..., a_B ~ pi(. ; theta), with rewards r_i
          R_i = r_i - w log pi(a_i)                 (w: weight of the entropy)
          b <- moving average of the mean reward
          theta ascends mean_i objective(pi, R_i - b), for some epochs

E[-log pi] is the entropy of the policy, and as a part of the reward its
gradient is estimated without bias from likelihoods alone: any distribution
will do. R. J. Williams and J. Peng, Function Optimization Using Connectionist
Reinforcement Learning Algorithms, Connection Science 1991,
https://doi.org/10.1080/09540099108946587.

The baseline takes in the rewards before they are compared with it, as in the
code of ENAS, of NATS-Bench and of nas_benchmarks: for B = 1 advantages are
smaller than with the average before, by the decay, and the first is zero.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax.types import Distribution, Params, Proposal, Strategy

# (log pi, log pi of the policy that drew, advantage) -> what is ascended, [B]
Objective = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


class State(NamedTuple):
  """The policy, its optimiser, and the moving average of rewards."""

  params: Params  # of the distribution
  opt_state: optax.OptState
  average: jax.Array  # f32[] moving average of rewards, started at zero
  weight: jax.Array  # f32[] of the rewards in it: 1 - decay^t


def _check_samples(distribution):
  """Raise unless a distribution draws index choices."""

  def sample(key):
    return distribution.sample(key, distribution.init(key))

  for leaf in jax.tree.leaves(jax.eval_shape(sample, jax.random.key(0))):
    if not jnp.issubdtype(leaf.dtype, jnp.integer):
      raise ValueError(
        'A policy draws index choices (int32[D]), but this distribution draws '
        f'relaxed ones of shape {leaf.shape}. Use distributions.categorical or '
        'distributions.controller.'
      )


def policy_gradient(
  distribution: Distribution,
  objective: Objective,
  optimizer: optax.GradientTransformation,
  batch_size: int,
  num_epochs: int,
  decay: float,
  debias: bool,
  entropy_weight: float,
  normalize: bool = False,
) -> Strategy:
  """Return the strategy that ascends an objective of rewards.

  A reward that is not finite teaches nothing: its architecture is left out, and
  where all of a proposal are, nothing changes, as where invalid samples are
  drawn again. Results that come late are treated as if the present policy had
  drawn them.

  Args:
    distribution: the policy, whose samples are index choices.
    objective: `(log_prob [B], old_log_prob [B], advantage [B]) -> f32[B]`, the
      likelihoods under the policy and under the one before the first epoch.
    optimizer: of the policy; it descends the objective's negative.
    batch_size: B, architectures drawn for one update.
    num_epochs: steps of the optimiser for one proposal.
    decay: of the moving average of rewards.
    debias: whether the average is divided by the weight of the rewards in it;
      otherwise it starts at a reward of zero.
    entropy_weight: w, in units of reward per nat.
    normalize: whether advantages are centred and divided by their standard
      deviation over the batch.

  Returns:
    The strategy.

  Raises:
    ValueError: if the distribution is a relaxation, or a size not positive.
  """
  if batch_size < 1 or num_epochs < 1:
    raise ValueError(
      'A policy gradient needs batch_size >= 1 and num_epochs >= 1, got '
      f'batch_size={batch_size}, num_epochs={num_epochs}.'
    )
  _check_samples(distribution)

  def log_probs(params, archs):
    return jax.vmap(distribution.log_prob, (None, 0))(params, archs)

  def init(key):
    params = distribution.init(key)
    zero = jnp.zeros((), jnp.float32)
    return State(params, optimizer.init(params), zero, zero)

  def ask(key, state):
    keys = jax.random.split(key, batch_size)
    archs = jax.vmap(distribution.sample, (0, None))(keys, state.params)
    return Proposal(archs, jnp.ones(batch_size)), state

  def mean(values, known):
    return jnp.sum(jnp.where(known, values, 0.0)) / jnp.maximum(known.sum(), 1)

  def advantages(rewards, known, average):
    if normalize:
      # Their baseline drops out; less a reward of their own, equal rewards are
      # zeros, where less their mean they would be rounding, scaled to one.
      highest = jnp.max(jnp.where(known, rewards, -jnp.inf))
      advantage = jnp.where(known, rewards - highest, 0.0)
      advantage = advantage - mean(advantage, known)
      advantage /= jnp.sqrt(mean(advantage**2, known)) + 1e-8
    else:
      advantage = rewards - average
    return jnp.where(known, advantage, 0.0)

  def learn(carry, archs, known, old, advantage):
    def loss(params):
      log_prob = jnp.where(known, log_probs(params, archs), 0.0)
      return -mean(objective(log_prob, old, advantage), known)

    params, opt_state = carry
    gradient = jax.grad(loss)(params)
    updates, opt_state = optimizer.update(gradient, opt_state, params)
    return optax.apply_updates(params, updates), opt_state

  def tell(key, state, proposal, values):
    del key
    archs, old = proposal.archs, log_probs(state.params, proposal.archs)
    known = jnp.isfinite(values) & jnp.isfinite(old)
    values, old = jnp.where(known, values, 0.0), jnp.where(known, old, 0.0)
    rewards = values - entropy_weight * old
    average = decay * state.average + (1 - decay) * mean(rewards, known)
    weight = decay * state.weight + (1 - decay)
    advantage = advantages(
      rewards, known, average / weight if debias else average
    )
    params, opt_state = jax.lax.fori_loop(
      0,
      num_epochs,
      lambda _, carry: learn(carry, archs, known, old, advantage),
      (state.params, state.opt_state),
    )
    new = State(params, opt_state, average, weight)
    has_news = jnp.any(known)
    state = jax.tree.map(lambda a, b: jnp.where(has_news, a, b), new, state)
    return state, {
      'reward_mean': mean(rewards, known),
      'entropy': -mean(old, known),  # an estimate from the B samples
    }

  return Strategy(init, ask, tell)
