"""Policy learning against a comparator: who beats the best so far?

Y. Chen et al., Contrastive Neural Architecture Search with Neural Architecture
Comparators (CTNAS), CVPR 2021, https://arxiv.org/abs/2103.05471, algorithm 1
and section 3.3. With p(a, b) the probability that a beats b, a policy pi and a
baseline beta:

  repeat: draw a ~ pi, ascend E[p(a, beta)] + coefficient * entropy(pi)
  every T steps: draw 10 from pi; of them and beta, the new beta is the one
    with the most wins, argmax_i sum_{j != i} p(a_i, a_j)
  every E steps: data exploration, see `pseudo_pairs`

Once the policy beats a fixed baseline, every reward is near one and teaches
nothing; the baseline that moves is a curriculum.

Deviations
  * Official code takes the baseline from the new architectures alone and keeps
    the best of history beside it; here they are one, so that the baseline does
    not fall back by the luck of ten draws.
  * The gradient of the entropy is the unbiased one of the score function,
    -E[log pi(a) grad log pi(a)].
  * Official code clips gradients before there are any; here they are not
    clipped.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax import archive
from nasjax.estimators.comparator import Comparator
from nasjax.strategies import pseudo_pairs
from nasjax.types import Arch, Distribution, Key, Params, State


class Outcome(NamedTuple):
  """A learned policy, and how it got there."""

  best: Arch  # of history, by wins
  params: Params  # of the policy
  comparator: State
  drawn: Arch  # [T, M, ...] architectures of each step
  rewards: jax.Array  # f32[T] mean of p(a, beta)
  baselines: Arch  # [T, ...] beta after each step


class _Learner(NamedTuple):
  """All that moves."""

  params: Params
  optimizer: Any
  explored: Any  # comparator, and what exploration needs
  baseline: Arch
  best: Arch


Learn = Callable[[Key, State, archive.Archive], Outcome]


def _one(arch):
  return jax.tree.map(lambda leaf: leaf[None], arch)


def wins(comparator: Comparator, state: State, archs: Arch) -> jax.Array:
  """Return how many of the others each architecture beats, in expectation.

  `sum_{j != i} p(a_i, a_j)`.

  Args:
    comparator: the comparator.
    state: of it.
    archs: B architectures.

  Returns:
    `f32[B]`.
  """
  matrix = comparator.compare(state, archs, archs)
  return jnp.sum(matrix, axis=1) - jnp.diag(matrix)


def policy_learning(
  controller: Distribution,
  comparator: Comparator,
  optimizer: optax.GradientTransformation,
  num_steps: int = 10_000,
  num_samples: int = 1,
  entropy: float = 5e-4,
  control: float = 0.0,
  update_every: int = 500,
  num_drawn: int = 10,
  curriculum: bool = True,
  explorer: pseudo_pairs.Explorer | None = None,
  explore_every: int = 100,
) -> Learn:
  """Return the learning of a policy against a comparator, one `lax.scan`.

  Args:
    controller: the policy; its samples are index choices.
    comparator: see `estimators.comparator`.
    optimizer: of the policy. The official one is Adam with learning rate 2e-4,
      decays 0.5 and 0.999, and L2 of 5e-4, for a recurrent controller.
    num_steps: of the policy (10,000).
    num_samples: M, architectures of one step (1).
    entropy: coefficient (5e-4).
    control: subtracted from the reward to lower the variance of its gradient,
      for example 0.5, that of the baseline itself; 0 in official code.
    update_every: T, steps between updates of the baseline (500).
    num_drawn: architectures drawn for an update (10).
    curriculum: whether the baseline is updated; if not it stays the first
      architecture drawn, and the best of history is tracked all the same.
    explorer: data exploration; None for none.
    explore_every: E, steps between explorations (100).

  Returns:
    `(key, comparator state, told) -> outcome`.

  Raises:
    ValueError: if a size is not positive.

  References:
    Chen et al., 2021, algorithm 1.
  """
  sizes = (num_steps, num_samples, update_every, num_drawn, explore_every)
  if min(sizes) < 1:
    raise ValueError(
      'Policy learning needs positive num_steps, num_samples, update_every, '
      f'num_drawn and explore_every, got {sizes}.'
    )

  def draw(key, params, number):
    keys = jax.random.split(key, number)
    return jax.vmap(controller.sample, (0, None))(keys, params)

  def state_of(learner):
    return learner.explored.comparator if explorer else learner.explored

  def reinforce(key, learner):
    archs = draw(key, learner.params, num_samples)
    p = comparator.compare(state_of(learner), archs, _one(learner.baseline))
    p = p[:, 0]

    def loss(params):
      log_p = jax.vmap(controller.log_prob, (None, 0))(params, archs)
      weight = p - control - entropy * log_p
      return -jnp.mean(log_p * jax.lax.stop_gradient(weight))

    updates, state = optimizer.update(
      jax.grad(loss)(learner.params), learner.optimizer, learner.params
    )
    params = optax.apply_updates(learner.params, updates)
    learner = learner._replace(params=params, optimizer=state)
    return learner, archs, jnp.mean(p)

  def advance(key, learner):
    # The best comes first: it stays where nobody wins more often.
    archs = jax.tree.map(
      lambda best, drawn: jnp.concatenate([best[None], drawn]),
      learner.best,
      draw(key, learner.params, num_drawn),
    )
    winner = jnp.argmax(wins(comparator, state_of(learner), archs))
    best = jax.tree.map(lambda leaf: leaf[winner], archs)
    baseline = best if curriculum else learner.baseline
    return learner._replace(best=best, baseline=baseline)

  def learn(key, comparator_state, told):
    init_key, first_key, step_key = jax.random.split(key, 3)
    params = controller.init(init_key)
    first = controller.sample(first_key, params)
    explored = comparator_state
    if explorer:
      explored = explorer.init(comparator_state, first)
    learner = _Learner(params, optimizer.init(params), explored, first, first)

    def step(learner, t):
      explore_key, policy_key, advance_key = jax.random.split(
        jax.random.fold_in(step_key, t), 3
      )
      if explorer:
        explored = jax.lax.cond(
          t % explore_every == 0,
          lambda: explorer.explore(
            explore_key, learner.params, learner.explored, told
          ),
          lambda: learner.explored,
        )
        learner = learner._replace(explored=explored)
      learner, archs, reward = reinforce(policy_key, learner)
      learner = jax.lax.cond(
        t % update_every == 0,
        lambda learner: advance(advance_key, learner),
        lambda learner: learner,
        learner,
      )
      return learner, (archs, reward, learner.baseline)

    learner, trace = jax.lax.scan(step, learner, jnp.arange(num_steps))
    return Outcome(learner.best, learner.params, state_of(learner), *trace)

  return learn
