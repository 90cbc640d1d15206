"""A policy over architectures and the supernet that rewards it, in turns.

What ENAS does (Pham et al., 2018, https://arxiv.org/abs/1802.03268),
for any supernet, policy, and strategy that moves the policy.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax import batching, ranking
from nasjax.estimators import one_shot, samplers
from nasjax.searches import descent, phases
from nasjax.types import Distribution, Estimator, Params, Search, Strategy


class State(NamedTuple):
  """The supernet and the policy in training."""

  step: jax.Array  # i32[] updates done, of both
  weights: Params
  optimizer_state: optax.OptState
  strategy: NamedTuple  # has the `params` of the policy


def _net(state):
  return one_shot.State(state.step, state.weights, state.optimizer_state)


def policy_of_supernet(
  policy: Distribution,
  supernet: Callable[[samplers.Sampler], Estimator],
  strategy: Strategy,
  loss: one_shot.Loss,
  weight_steps: int,
  policy_steps: int,
  num_candidates: int,
  batch_size: int | None = None,
) -> Search:
  """Return the search that trains weights and policy in alternation.

  Args:
    policy: with index samples.
    supernet: `(sampler) -> one_shot`, all its other arguments bound.
    strategy: `reinforce` or `ppo` of the policy: its state has its `params`.
    loss: that of the supernet; its metric 'accuracy', on one validation batch,
      is the reward.
    weight_steps: updates of the weights, each on one draw of the policy.
    policy_steps: updates of the policy behind them, and so on.
    num_candidates: draws in the end, of which the one with the highest score
      is the answer.
    batch_size: architectures scored at once, see `batching.map_archs`.

  Returns:
    The search, with batches `dict(train=..., valid=...)` of which an update
    sees one part.

  Raises:
    ValueError: if a number is not positive.
  """
  if min(weight_steps, policy_steps, num_candidates) < 1:
    raise ValueError(
      'weight_steps, policy_steps and num_candidates must be at least 1, got '
      f'{weight_steps}, {policy_steps} and {num_candidates}.'
    )

  def drawn(state, num_archs=1):
    return samplers.from_policy(policy, state.params, num_archs)

  def score_all(score, archs, net):
    return batching.map_archs(
      lambda arch, net: score(net, arch), archs, batch_size, (net,)
    )

  def init(key):
    net_key, policy_key = jax.random.split(key)
    told = strategy.init(policy_key)
    net = supernet(drawn(told)).init(net_key)
    state = State(net.step, net.weights, net.optimizer_state, told)
    num_archs = len(jax.eval_shape(strategy.ask, key, told)[0].fidelity)
    return batching.place(state, num_archs, batch_size)

  def train_weights(key, state, batch):
    net, metrics = supernet(drawn(state.strategy)).update(
      key, _net(state), batch
    )
    return State(
      net.step, net.weights, net.optimizer_state, state.strategy
    ), metrics

  def train_policy(key, state, batch):
    ask_key, loss_key, tell_key = jax.random.split(key, 3)
    proposal, told = strategy.ask(ask_key, state.strategy)
    rewards = score_all(
      lambda net, arch: loss(net.weights, arch, loss_key, batch)[1]['accuracy'],
      proposal.archs,
      _net(state),
    )
    told, metrics = strategy.tell(tell_key, told, proposal, rewards)
    return state._replace(step=state.step + 1, strategy=told), metrics

  def update(key, state, batch):
    descent.check(batch, 'train', 'valid')
    position = state.step % (weight_steps + policy_steps)
    return phases.either(
      position < weight_steps,
      lambda: train_weights(key, state, batch['train']),
      lambda: train_policy(key, state, batch['valid']),
    )

  def best(key, state):
    archs = drawn(state.strategy, num_candidates)(key)
    score = supernet(drawn(state.strategy)).score
    scores = score_all(
      lambda net, arch: score(key, net, arch), archs, _net(state)
    )
    winner = jnp.argmax(ranking.finite_or_worst(scores))
    return jax.tree.map(lambda leaf: leaf[winner], archs)

  return Search(init, update, best)
