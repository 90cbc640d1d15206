"""Pruning of a supernet by ranks: which options may go, and which do.

Chen et al., TE-NAS, 2021, https://arxiv.org/abs/2102.11535, section 3.3, and
its authors' program: options of edges that have several go first; then, in
groups of edges, whole edges. A supernet is a mask of options, `bool[E, K]`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

Groups = Sequence[tuple[int, int]]


def dense_ranks(values: jax.Array, eligible: jax.Array) -> jax.Array:
  """Return ranks from 0, the lowest value first; equal values share a rank.

  Args:
    values: `[E, K]`.
    eligible: `bool[E, K]`, what is ranked.

  Returns:
    `f32[E, K]`, infinite where nothing is ranked.
  """
  values = jnp.where(eligible, values, jnp.inf).ravel()
  order = jnp.sort(values)
  is_new = jnp.concatenate([jnp.zeros(1, bool), order[1:] != order[:-1]])
  ranks = jnp.cumsum(is_new)[jnp.searchsorted(order, values)]
  return jnp.where(eligible, ranks.reshape(eligible.shape), jnp.inf)


def may_go(left: jax.Array, groups: Groups, num_kept: int) -> jax.Array:
  """Return the options whose pruning is to be measured.

  Args:
    left: `bool[E, K]`, what is left.
    groups: `(start, stop)` of edges.
    num_kept: edges that a group keeps.

  Returns:
    `bool[E, K]`: the options of edges that have several; when none has, those
    of the first group with too many edges.
  """
  crowded = jnp.sum(left, axis=1) > 1
  edges, chosen = np.arange(len(left)), jnp.zeros_like(crowded)
  for start, stop in reversed(groups):
    is_full = jnp.sum(jnp.any(left[start:stop], axis=1)) > num_kept
    chosen = jnp.where(is_full, (edges >= start) & (edges < stop), chosen)
  return left & jnp.where(jnp.any(crowded), crowded, chosen)[:, None]


def prune(
  left: jax.Array,
  sums: jax.Array,
  prune_number: int,
  groups: Groups,
  num_kept: int,
) -> jax.Array:
  """Take away the options with the lowest sums of ranks.

  Args:
    left: `bool[E, K]`, what is left.
    sums: `f32[E, K]`, infinite for options that may not go.
    prune_number: options that go from every edge; one stays.
    groups: `(start, stop)` of edges.
    num_kept: edges that a group keeps, once every edge has one option.

  Returns:
    `bool[E, K]`; of equal sums the first option goes.
  """
  counts = jnp.sum(left, axis=1, keepdims=True)
  number = jnp.minimum(prune_number, counts - 1)
  pruned = left & ~(jnp.isfinite(sums) & (_places(sums) < number))
  edges = jnp.where(jnp.any(counts > 1), jnp.inf, jnp.min(sums, axis=1))
  for start, stop in groups:
    group = edges[start:stop]
    excess = jnp.sum(jnp.any(left[start:stop], axis=1)) - num_kept
    goes = jnp.isfinite(group) & (_places(group) < excess)
    pruned = pruned.at[start:stop].set(pruned[start:stop] & ~goes[:, None])
  return pruned


def _places(values):
  """The place of every number in the order of its row."""
  return jnp.argsort(jnp.argsort(values, axis=-1), axis=-1)
