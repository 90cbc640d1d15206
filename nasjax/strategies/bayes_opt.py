"""Bayesian optimisation: proposals of the highest acquisition in a pool.

What `model_based` proposes once its model is fitted: a pool of candidates, of
which none is known and none comes twice, is scored by an acquisition of the
model's belief, and the B best are proposed. Methods differ in their pools.

C. White, W. Neiswanger and Y. Savani, BANANAS: Bayesian Optimization with
Neural Architectures for Neural Architecture Search, 2021,
https://arxiv.org/abs/1910.11858; B. Ru et al., Interpretable Neural
Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels
(NAS-BOWL), ICLR 2021, https://arxiv.org/abs/2006.07556; L. Dudziak et al.,
BRP-NAS: Prediction-based NAS using GCNs, 2020,
https://arxiv.org/abs/2007.08668, section 4.3 (half of a batch at random).

Deviations
  * Candidates are told apart as encodings; the authors tell isomorphic cells
    apart from others where their benchmark can.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive, ranking
from nasjax.strategies import acquisition, local_search, model_based
from nasjax.types import Arch, Key, Space, State

Pool = Callable[[Key, archive.Archive], Arch]
Predict = Callable[[State, Arch], tuple[jax.Array, jax.Array]]
Incumbent = Callable[[State, archive.Archive], jax.Array]


def random_pool(space: Space, size: int) -> Pool:
  """Return the pool of random architectures.

  Args:
    space: the space.
    size: how many.

  Returns:
    `(key, told) -> archs [size, ...]`.
  """

  def draw(key, told):
    del told
    return jax.vmap(space.sample)(jax.random.split(key, size))

  return draw


def mutants(space: Space, size: int, num_parents: int = 1) -> Pool:
  """Return the pool of single mutations of the best architectures told.

  Args:
    space: the space; its `mutate` makes the candidates.
    size: how many, as many of each parent, those of the best first.
    num_parents: of how many parents; of those that failed or are not told yet
      none is taken.

  Returns:
    `(key, told) -> archs [size, ...]`.

  Raises:
    ValueError: if the size is no multiple of the number of parents.
  """
  if num_parents < 1 or size % num_parents:
    raise ValueError(
      'A pool of mutants needs a size that is a multiple of num_parents, got '
      f'size={size}, num_parents={num_parents}.'
    )

  def draw(key, told):
    parents, values = archive.top(
      told, min(num_parents, archive.capacity(told))
    )
    # The best stands in for parents that there are not.
    slots = jnp.arange(num_parents)
    slots = jnp.where(slots < jnp.sum(jnp.isfinite(values)), slots, 0)
    slots = jnp.repeat(slots, size // num_parents)
    parents = jax.tree.map(lambda leaf: leaf[slots], parents)
    return jax.vmap(space.mutate)(jax.random.split(key, size), parents)

  return draw


def neighbours(space: Space, num_parents: int = 1) -> Pool:
  """Return the pool of all single edits of the best architectures told.

  Args:
    space: a space of independent choices, see `local_search`.
    num_parents: of how many parents.

  Returns:
    `(key, told) -> archs`, those of the best first. An edit that changes
    nothing is among them: it is known, so it is not proposed.
  """
  allowed = [np.ravel(leaf) for leaf in jax.tree.leaves(space.mask)]
  edits = np.flatnonzero(np.concatenate(allowed))

  def draw(key, told):
    del key
    parents, _ = archive.top(told, num_parents)
    edit = lambda arch, i: local_search.edit(arch, space.mask, i)
    grid = jax.vmap(jax.vmap(edit, (None, 0)), (0, None))
    archs = grid(parents, jnp.asarray(edits))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), archs)

  return draw


def everything(space: Space) -> Pool:
  """Return the pool of all architectures of a space.

  Args:
    space: one that can be enumerated.

  Returns:
    `(key, told) -> archs [size of the space, ...]`.

  Raises:
    ValueError: if it cannot be.
  """
  if space.index is None or space.size is None:
    raise ValueError(
      f'The space cannot be enumerated (size {space.size}): take a pool of '
      'mutants, of neighbours or a random one.'
    )

  def draw(key, told):
    del key, told
    return jax.vmap(space.index)(jnp.arange(space.size))

  return draw


def joined(*pools: Pool) -> Pool:
  """Return the pool of the candidates of several, in their order."""

  def draw(key, told):
    keys = jax.random.split(key, len(pools))
    parts = [pool(k, told) for pool, k in zip(pools, keys)]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)

  return draw


def best_told(state: State, told: archive.Archive) -> jax.Array:
  """Return the best value told: the incumbent where evaluations are exact."""
  del state
  return jnp.max(ranking.finite_or_worst(told.values))


def best_mean(predict: Predict) -> Incumbent:
  """Return the best mean that a model gives to what is known.

  The incumbent where evaluations are noisy, or where a model predicts a
  transformed value.

  Args:
    predict: `(model state, archs) -> (mean, std)`.

  Returns:
    `(model state, told) -> f32[]`.
  """

  def best(state, told):
    mean, _ = predict(state, told.archs)
    return jnp.max(jnp.where(jnp.isfinite(told.values), mean, -jnp.inf))

  return best


def bayes_opt(
  space: Space,
  predict: Predict,
  pool: Pool,
  batch_size: int,
  acquire: acquisition.Acquisition = acquisition.expected_improvement,
  incumbent: Incumbent = best_told,
  num_candidates: int | None = None,
  num_random: int = 0,
) -> model_based.Propose:
  """Return the proposals of highest acquisition, for `model_based`.

  Where a pool has fewer than B new candidates, random architectures take the
  free places.

  Args:
    space: the space.
    predict: `(model state, archs [N]) -> (mean [N], spread)`; the spread is
      what the acquisition takes, the standard deviation `[N]` for most.
    pool: `(key, told) -> archs`, the candidates, one of this module or
      `joined` ones.
    batch_size: B.
    acquire: `(key, mean, spread, best) -> f32[N]`.
    incumbent: `(model state, told) -> f32[]`, what is to be improved on.
    num_candidates: take only so many new candidates, the first of the pool:
      mutants of the second best then come where the best has few new ones.
    num_random: how many of the B are drawn at random instead, to teach the
      model about the rest of the space (BRP-NAS: half of them).

  Returns:
    `(key, model state, told) -> archs [B, ...]`.

  Raises:
    ValueError: if more than B are to be random.

  References:
    White et al., 2021, algorithm 1; Ru et al., 2021, algorithm 1.
  """
  num_chosen = batch_size - num_random
  if not 0 <= num_random <= batch_size:
    raise ValueError(
      f'num_random must lie between 0 and the batch of {batch_size}, got '
      f'{num_random}.'
    )

  def propose(key, state, told):
    pool_key, acquire_key, sample_key = jax.random.split(key, 3)
    archs = pool(pool_key, told)
    is_new = archive.first_of_equals(archs) & ~archive.contains(told, archs)
    if num_candidates is not None:
      is_new &= jnp.cumsum(is_new) <= num_candidates
    mean, spread = predict(state, archs)
    values = acquire(acquire_key, mean, spread, incumbent(state, told))
    # A new candidate without promise still comes before one that is known.
    lowest = jnp.finfo(values.dtype).min
    values = jnp.maximum(ranking.finite_or_worst(values), lowest)
    values = jnp.where(is_new, values, -jnp.inf)
    values, slots = jax.lax.top_k(values, num_chosen)
    samples = jax.vmap(space.sample)(jax.random.split(sample_key, batch_size))
    chosen = jax.tree.map(
      lambda leaf, sample: jnp.concatenate([leaf[slots], sample[num_chosen:]]),
      archs,
      samples,
    )
    taken = jnp.pad(values > -jnp.inf, (0, num_random))
    return archive.fill(taken, chosen, samples)

  return propose
