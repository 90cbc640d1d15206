"""The mirror stimuli function: how like an expert's the topology of a block is.

M. Guo et al., IRLAS: Inverse Reinforcement Learning for Architecture Search,
CVPR 2019, https://arxiv.org/abs/1812.05285. The text of the paper was not at
hand: that a linear function of feature counts is learned by inverse
reinforcement learning and added to the reward is recalled, all else **our
reconstruction** after

P. Abbeel and A. Y. Ng, Apprenticeship Learning via Inverse Reinforcement
Learning, ICML 2004, https://doi.org/10.1145/1015330.1015430, section 3.1, the
projection method:

  mu_0: of a random policy; nearest <- mu_0
  repeat: w <- mu_E - nearest               (its norm is the margin t)
          mu <- of a policy trained on the reward w . phi
          nearest <- the projection of mu_E onto the line through nearest and mu

Where a policy reaches the expert the margin is zero, and so would be the last
w. Kept is the w whose own policy comes nearest to the expert. The function is
scaled to 1 at the expert and to a mean of 0 at random.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.types import Arch, Key, Space, Strategy

Features = Callable[[Arch], jax.Array]
Respond = Callable[[Key, jax.Array], jax.Array]


class Mirror(NamedTuple):
  """What was learned from an expert."""

  weights: jax.Array  # f32[F] w, of norm 1
  zero: jax.Array  # f32[] w . mu of a random policy
  one: jax.Array  # f32[] w . mu of the expert
  margins: jax.Array  # f32[R] t of every round
  distances: jax.Array  # f32[R] from the expert to the policy of every round


def project(
  nearest: jax.Array, found: jax.Array, expert: jax.Array
) -> jax.Array:
  """Return the point of the line through two others that is nearest to a third.

  Args:
    nearest: one point of the line, `[F]`.
    found: another one.
    expert: what is projected.

  Returns:
    `[F]`.
  """
  step = found - nearest
  length = jnp.sum(step**2)
  share = jnp.sum(step * (expert - nearest)) / jnp.where(length > 0, length, 1)
  return nearest + share * step


def apprenticeship(
  key: Key,
  expert: jax.Array,
  random: jax.Array,
  respond: Respond,
  num_rounds: int = 20,
) -> Mirror:
  """Learn the reward under which policies do as an expert does.

  Args:
    key: random key.
    expert: mu_E, feature counts of the expert, `[F]`.
    random: mu_0, of a random policy, `[F]`; another one.
    respond: `(key, w) -> mu [F]`, of a policy trained on the reward `w . phi`.
    num_rounds: R.

  Returns:
    What was learned.

  References:
    Abbeel and Ng, Apprenticeship Learning via Inverse Reinforcement Learning,
    2004, section 3.1.
  """

  def turn(carry, key):
    nearest, kept, least = carry
    weights = expert - nearest
    margin = jnp.linalg.norm(weights)
    weights = weights / jnp.maximum(margin, 1e-12)
    found = respond(key, weights)
    distance = jnp.linalg.norm(found - expert)
    # Once the margin is rounding, its direction says nothing; and the expert
    # must be better than chance.
    usable = (margin > 1e-4) & (jnp.sum(weights * (expert - random)) > 1e-6)
    better = usable & (distance < least)
    kept = jnp.where(better, weights, kept)
    least = jnp.where(better, distance, least)
    nearest = project(nearest, found, expert)
    return (nearest, kept, least), (margin, distance)

  start = (random, jnp.zeros_like(expert), jnp.float32(jnp.inf))
  keys = jax.random.split(key, num_rounds)
  (_, weights, _), (margins, distances) = jax.lax.scan(turn, start, keys)
  return Mirror(weights, weights @ random, weights @ expert, margins, distances)


def learn(
  space: Space,
  strategy: Strategy,
  features: Features,
  expert: Arch,
  num_rounds: int = 20,
  num_steps: int = 100,
  num_random: int = 256,
  seed: int = 0,
) -> Mirror:
  """Learn a mirror from one expert, with a strategy as the agent.

  Args:
    space: the space; its samples are the random policy.
    strategy: trained from its start on every reward; what it proposes last is
      taken for its policy.
    features: `(arch) -> f32[F]`, see `spaces.topology`.
    expert: an architecture.
    num_rounds: R.
    num_steps: proposals that a training has.
    num_random: samples that mu_0 is estimated from.
    seed: of all random numbers.

  Returns:
    What was learned.

  Raises:
    ValueError: if the expert is no better than a random policy: its features
      are theirs.
  """

  def count(archs):
    return jnp.mean(jax.vmap(features)(archs), axis=0)

  def respond(key, weights):
    def step(state, key):
      ask_key, tell_key = jax.random.split(key)
      proposal, state = strategy.ask(ask_key, state)
      values = jax.vmap(features)(proposal.archs) @ weights
      state, _ = strategy.tell(tell_key, state, proposal, values)
      return state, None

    init_key, last_key, key = jax.random.split(key, 3)
    keys = jax.random.split(key, num_steps)
    state, _ = jax.lax.scan(step, strategy.init(init_key), keys)
    return count(strategy.ask(last_key, state)[0].archs)

  @jax.jit
  def run(key):
    sample_key, key = jax.random.split(key)
    keys = jax.random.split(sample_key, num_random)
    random = count(jax.vmap(space.sample)(keys))
    return apprenticeship(key, features(expert), random, respond, num_rounds)

  found = run(jax.random.key(seed))
  if not found.one > found.zero:
    raise ValueError('The features of the expert are those of a random policy.')
  return found


def stimulus(mirror: Mirror, features: Features) -> Features:
  """Return the mirror stimuli function: 1 at the expert, 0 at random.

  `F = (w . mu - zero) / (one - zero)`. As mu is a sum over vertices, so is F: a
  reward for every layer would have the same sum.

  Args:
    mirror: from `learn`.
    features: those that it was learned on.

  Returns:
    `(arch) -> f32[]`.
  """
  span = mirror.one - mirror.zero
  return lambda arch: (features(arch) @ mirror.weights - mirror.zero) / span
