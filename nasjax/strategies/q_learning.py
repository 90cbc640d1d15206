"""Tabular Q-learning over the decisions of an architecture, with replay.

Z. Zhong, J. Yan, W. Wu, J. Shao and C.-L. Liu, Practical Block-wise Neural
Network Architecture Generation (BlockQNN), CVPR 2018,
https://arxiv.org/abs/1708.05552, whose agent IRLAS has. The settings are
recalled, not read:

  Q(s_t, a) <- (1 - alpha) Q(s_t, a) + alpha (r_t + gamma max_a' Q(s_(t+1), a'))

with alpha = 0.01, gamma = 1, r_t = r_T / T for every decision of a block of T,
64 blocks an iteration and as many replayed from the last 128, and
epsilon-greedy choices, epsilon by `STAIRS`: 178 iterations.

A state is which decision is to be taken and what the one before was, as a layer
of a block chooses the next. Rewards that depend on more are averaged over.

Deviations
  * Decisions are those of a space of independent choices, in the order of the
    leaves of its mask.
  * Of actions of equal value one is drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive
from nasjax.spaces import decisions
from nasjax.types import Proposal, Space, Strategy

# Epsilon and for how many iterations.
STAIRS = (
  (1.0, 95),
  *((epsilon, 7) for epsilon in (0.9, 0.8, 0.7)),
  *((epsilon, 10) for epsilon in (0.6, 0.5, 0.4, 0.3, 0.2)),
  (0.1, 12),
)


class State(NamedTuple):
  """The values, and what has been seen last."""

  table: jax.Array  # f32[D, 1 + K, K] of choices, by the one before; 0: none
  memory: archive.Archive  # the N architectures told last
  num_asked: jax.Array  # i32[] iterations


def _epsilons(stairs, num_iterations):
  """Epsilon of every iteration, the stairs stretched to their number."""
  steps = np.repeat(*zip(*stairs))
  places = np.arange(num_iterations) * len(steps) // num_iterations
  return np.asarray(steps, np.float32)[places]


def q_learning(
  space: Space,
  batch_size: int = 64,
  learning_rate: float = 0.01,
  discount: float = 1.0,
  capacity: int = 128,
  num_replays: int = 64,
  num_iterations: int = 178,
  stairs: Sequence[tuple[float, int]] = STAIRS,
  shared: bool = True,
) -> Strategy:
  """Learn the value of every decision from whole architectures.

  Args:
    space: a space of independent choices.
    batch_size: B, architectures of an iteration.
    learning_rate: alpha.
    discount: gamma.
    capacity: N, architectures that are remembered.
    num_replays: architectures learned from after every iteration, drawn from
      the memory with replacement, decisions last to first.
    num_iterations: that the stairs are stretched to; their end is kept.
    stairs: pairs of epsilon and a number of iterations.
    shared: whether a T-th of the value is the reward of each of T decisions;
      otherwise the last decision has it all.

  Returns:
    The strategy. Values that are not finite teach nothing.

  Raises:
    ValueError: if a size is not positive, or B exceeds N.

  References:
    Zhong et al., Practical Block-wise Neural Network Architecture Generation,
    2018.
  """
  if min(num_replays, num_iterations, batch_size) < 1 or batch_size > capacity:
    raise ValueError(
      'Q-learning needs sizes >= 1 and batch_size <= capacity, got '
      f'batch_size={batch_size}, capacity={capacity}, '
      f'num_replays={num_replays}, num_iterations={num_iterations}.'
    )
  allowed = decisions.join_masks(space.mask)
  size, width = allowed.shape
  epsilons = _epsilons(stairs, num_iterations)

  def init(key):
    memory = archive.create(space.sample(key), capacity)
    return State(jnp.zeros((size, 1 + width, width)), memory, jnp.int32(0))

  def choose(key, table, epsilon):
    def step(before, inputs):
      values, allowed, noise, is_random = inputs
      values = jnp.where(allowed, values[before], -jnp.inf)
      best = allowed & ((values == jnp.max(values)) | is_random)
      choice = jnp.argmax(jnp.where(best, noise, -1.0))
      return choice + 1, choice

    noise_key, coin_key = jax.random.split(key)
    noise = jax.random.uniform(noise_key, allowed.shape)
    is_random = jax.random.uniform(coin_key, (size,)) < epsilon
    inputs = (table, jnp.asarray(allowed), noise, is_random)
    _, choices = jax.lax.scan(step, jnp.int32(0), inputs)
    return decisions.split(choices, space.mask)

  def ask(key, state):
    last = len(epsilons) - 1
    epsilon = jnp.asarray(epsilons)[jnp.minimum(state.num_asked, last)]
    keys = jax.random.split(key, batch_size)
    archs = jax.vmap(choose, (0, None, None))(keys, state.table, epsilon)
    state = state._replace(num_asked=state.num_asked + 1)
    return Proposal(archs, jnp.ones(batch_size)), state

  def learn(table, episode):
    choices, value = episode
    known = jnp.isfinite(value)
    value = jnp.where(known, value, 0.0)
    before = jnp.concatenate([jnp.zeros(1, jnp.int32), choices[:-1] + 1])

    def step(i, table):
      d = size - 1 - i
      is_last = i == 0
      # Where there is no next decision, any will do: it does not count.
      following = jnp.minimum(d + 1, size - 1)
      options = table[following, choices[d] + 1]
      best = jnp.max(
        jnp.where(jnp.asarray(allowed)[following], options, -jnp.inf)
      )
      reward = value / size if shared else jnp.where(is_last, value, 0.0)
      target = reward + discount * jnp.where(is_last, 0.0, best)
      place = (d, before[d], choices[d])
      change = learning_rate * (target - table[place])
      return table.at[place].add(jnp.where(known, change, 0.0))

    return jax.lax.fori_loop(0, size, step, table), None

  def tell(key, state, proposal, values):
    memory = archive.add(state.memory, proposal.archs, values)
    filled = archive.num_filled(memory)
    slots = jax.random.randint(key, (num_replays,), 0, filled)
    archs = archive.select(memory, slots)
    episodes = (jax.vmap(decisions.join)(archs), memory.values[slots])
    table, _ = jax.lax.scan(learn, state.table, episodes)
    start = jnp.where(jnp.asarray(allowed)[0], table[0, 0], -jnp.inf)
    metrics = {'value_of_start': jnp.max(start)}
    return state._replace(table=table, memory=memory), metrics

  return Strategy(init, ask, tell)
