"""Ensembles: the same estimator learned several times, with other keys.

B. Lakshminarayanan, A. Pritzel and C. Blundell, Simple and Scalable Predictive
Uncertainty Estimation using Deep Ensembles, 2017,
https://arxiv.org/abs/1612.01474, without the likelihood: the deviation is that
of the members' scores, as in C. White, W. Neiswanger and Y. Savani, BANANAS,
2021, https://arxiv.org/abs/1910.11858.
"""

import jax
import jax.numpy as jnp

from nasjax.types import Arch, Estimator, Key, State


def predict(
  member: Estimator, key: Key, state: State, archs: Arch
) -> tuple[jax.Array, jax.Array]:
  """Return mean and deviation of the members' scores: of use to acquisition.

  Args:
    member: the estimator that was given to `ensemble`.
    key: of the scores; of no effect where those draw nothing.
    state: of the ensemble.
    archs: B architectures.

  Returns:
    The mean `f32[B]` and the standard deviation `f32[B]`, that of a population.
  """
  num_archs = jax.tree.leaves(archs)[0].shape[0]
  num_members = jax.tree.leaves(state)[0].shape[0]
  keys = jax.random.split(key, (num_members, num_archs))
  over_archs = jax.vmap(member.score, (0, None, 0))
  scores = jax.vmap(over_archs, (0, 0, None))(keys, state, archs)
  return jnp.mean(scores, axis=0), jnp.std(scores, axis=0)


def ensemble(
  member: Estimator, num_members: int, parallel: bool = False
) -> Estimator:
  """Return the mean of members that learn the same with keys of their own.

  Args:
    member: the estimator.
    num_members: M.
    parallel: whether members learn side by side, by `vmap`: what accelerators
      want. One after another is two to five times faster on a CPU.

  Returns:
    The estimator; its state is that of all members, with a leading axis M.
    Metrics are their means.

  Raises:
    ValueError: if there is no member.
  """
  if num_members < 1:
    raise ValueError(
      f'An ensemble needs at least one member, got num_members={num_members}.'
    )

  def init(key):
    return jax.vmap(member.init)(jax.random.split(key, num_members))

  def update(key, state, batch):
    learn = lambda pair: member.update(*pair, batch)
    pairs = (jax.random.split(key, num_members), state)
    states, metrics = (jax.vmap if parallel else _in_turn)(learn)(pairs)
    mean = lambda leaf: jnp.mean(leaf.astype(jnp.float32), axis=0)
    return states, jax.tree.map(mean, metrics)

  def score(key, state, arch):
    keys = jax.random.split(key, num_members)
    return jnp.mean(jax.vmap(member.score, (0, 0, None))(keys, state, arch))

  return Estimator(init, update, score)


def _in_turn(f):
  return lambda xs: jax.lax.map(f, xs)
