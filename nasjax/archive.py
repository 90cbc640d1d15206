"""A store of evaluated architectures with a fixed capacity.

`add` keeps the newest entries (a ring buffer: the population of aging
evolution, the training set of a predictor), `keep_best` the best distinct ones
(the result of a search), `keep_fronts` those of several objectives. All have
static shapes, so all work inside `jit`, `scan` and `vmap`.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from nasjax import pareto, ranking
from nasjax.types import Arch


class Archive(NamedTuple):
  """Architectures and their values; higher is better."""

  archs: Arch  # [N, ...] empty slots hold the architecture given to `create`
  values: jax.Array  # f32[N] or f32[N, M], -inf in empty slots
  count: jax.Array  # i32[] architectures ever added, not capped at N


def create(
  arch: Arch, capacity: int, num_objectives: int | None = None
) -> Archive:
  """Return an empty archive.

  Args:
    arch: any architecture of the space; it fills the empty slots.
    capacity: N, the number of slots.
    num_objectives: M for values `[N, M]`, None for values `[N]`.

  Returns:
    The archive.

  Raises:
    ValueError: if the capacity is not positive.
  """
  if capacity < 1:
    raise ValueError(f'An archive needs at least one slot, got {capacity}.')
  shape = (capacity,) if num_objectives is None else (capacity, num_objectives)
  archs = jax.tree.map(
    lambda leaf: jnp.broadcast_to(leaf, (capacity, *jnp.shape(leaf))), arch
  )
  return Archive(archs, jnp.full(shape, -jnp.inf, jnp.float32), jnp.int32(0))


def capacity(archive: Archive) -> int:
  """Return N, the number of slots."""
  return archive.values.shape[0]


def num_filled(archive: Archive) -> jax.Array:
  """Return the number of slots that hold an evaluated architecture, `i32[]`."""
  return jnp.minimum(archive.count, capacity(archive))


def select(archive: Archive, slots: jax.Array) -> Arch:
  """Return the architectures of some slots, or of one."""
  return jax.tree.map(lambda leaf: leaf[slots], archive.archs)


def add(archive: Archive, archs: Arch, values: jax.Array) -> Archive:
  """Add architectures; once the archive is full, the oldest make room.

  Args:
    archive: the archive.
    archs: B architectures, pytree of `[B, ...]`.
    values: their values, `[B]` or `[B, M]`; -inf is stored where one is not
      finite.

  Returns:
    The archive.

  Raises:
    ValueError: if more architectures come than there are slots.
  """
  chex.assert_shape(values, (None, *archive.values.shape[1:]))
  num_new = values.shape[0]
  if num_new > capacity(archive):
    raise ValueError(
      f'{num_new} architectures do not fit into the {capacity(archive)} '
      'slots of the archive.'
    )
  slots = (archive.count + jnp.arange(num_new)) % capacity(archive)
  return Archive(
    jax.tree.map(lambda old, new: old.at[slots].set(new), archive.archs, archs),
    archive.values.at[slots].set(ranking.finite_or_worst(values)),
    archive.count + num_new,
  )


def keep_best(archive: Archive, archs: Arch, values: jax.Array) -> Archive:
  """Merge architectures into an archive that keeps the N best distinct ones.

  The newest value of an architecture replaces its older ones: where scores are
  learned it is the one to trust, and where they are noisy the highest of many
  would be too good. Slots are sorted by value; among equals the older is first.

  Args:
    archive: an archive that is only changed by this function, values `[N]`.
    archs: B architectures, pytree of `[B, ...]`.
    values: their values, `[B]`.

  Returns:
    The archive.
  """
  chex.assert_rank([archive.values, values], 1)
  merged, merged_values = _merge(archive, archs, values)
  merged_values, slots = jax.lax.top_k(merged_values, capacity(archive))
  return Archive(
    jax.tree.map(lambda leaf: leaf[slots], merged),
    merged_values,
    archive.count + values.shape[0],
  )


def keep_fronts(archive: Archive, archs: Arch, values: jax.Array) -> Archive:
  """Merge architectures into an archive that keeps the N best distinct ones.

  As `keep_best`, for several objectives: slots are sorted by the front that
  they are on, those of one front by falling crowding distance, and among equals
  the older is first. This is the survival of NSGA-II.

  Args:
    archive: an archive that is only changed by this function, values `[N, M]`.
    archs: B architectures, pytree of `[B, ...]`.
    values: their values, `[B, M]`; one that is not finite fails them all.

  Returns:
    The archive.

  References:
    Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II,
    2002, section III-C.
  """
  chex.assert_rank([archive.values, values], 2)
  failed = ~jnp.all(jnp.isfinite(values), axis=-1, keepdims=True)
  values = jnp.where(failed, -jnp.inf, values)
  merged, merged_values = _merge(archive, archs, values)
  fronts = pareto.non_dominated_ranks(merged_values)
  crowding = pareto.crowding_distance(merged_values, fronts)
  slots = jnp.lexsort((-crowding, fronts))[: capacity(archive)]
  return Archive(
    jax.tree.map(lambda leaf: leaf[slots], merged),
    merged_values[slots],
    archive.count + values.shape[0],
  )


def _merge(archive, archs, values):
  """Return old and new architectures, and values: -inf where outdated."""
  num_old, num_new = capacity(archive), values.shape[0]
  merged = jax.tree.map(
    lambda old, new: jnp.concatenate([old, new]), archive.archs, archs
  )
  values = ranking.finite_or_worst(values).astype(archive.values.dtype)
  values = jnp.concatenate([archive.values, values])
  # An entry is outdated if any later one among the new is the same arch.
  later = (
    jnp.arange(num_old + num_new)[:, None]
    < num_old + jnp.arange(num_new)[None, :]
  )
  outdated = jnp.any(later & equal(merged, archs), axis=1)
  outdated = outdated.reshape((-1,) + (1,) * (values.ndim - 1))
  return merged, jnp.where(outdated, -jnp.inf, values)


def equal(archs: Arch, others: Arch) -> jax.Array:
  """Return which of the A architectures equal which of the B, `bool[A, B]`."""

  def same_leaf(leaf, other):
    same = jnp.expand_dims(leaf, 1) == jnp.expand_dims(other, 0)
    return jnp.all(same, axis=tuple(range(2, same.ndim)))

  same = jax.tree.leaves(jax.tree.map(same_leaf, archs, others))
  return jnp.all(jnp.stack(same), axis=0)


def contains(archive: Archive, archs: Arch) -> jax.Array:
  """Return which of B architectures are in the archive, `bool[B]`."""
  filled = jnp.arange(capacity(archive)) < num_filled(archive)
  return jnp.any(filled[:, None] & equal(archive.archs, archs), axis=0)


def first_of_equals(archs: Arch) -> jax.Array:
  """Return which of B architectures do not repeat an earlier one, `bool[B]`."""
  rows = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(archs)]
  columns = [column for leaf in rows for column in leaf.T]
  # A stable sort brings equal ones together in their order.
  order = jnp.lexsort(columns)
  differs = [jnp.diff(column[order]) != 0 for column in columns]
  is_first = jnp.any(jnp.stack(differs), axis=0)
  is_first = jnp.concatenate([jnp.ones(1, bool), is_first])
  return jnp.zeros_like(is_first).at[order].set(is_first)


def fill(taken: jax.Array, archs: Arch, samples: Arch) -> Arch:
  """Return architectures, with samples in the places that are not taken.

  Args:
    taken: `bool[B]`.
    archs: B architectures, pytree of `[B, ...]`.
    samples: B others.
  """

  def choose(leaf, sample):
    return jnp.where(taken.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, sample)

  return jax.tree.map(choose, archs, samples)


def join(*archives: Archive) -> Archive:
  """Return one archive that holds the slots of several, one after another.

  What was empty stays so by its value, -inf, but counts as filled: ask the
  parts what they contain.
  """
  concatenate = lambda *leaves: jnp.concatenate(leaves)
  archs = jax.tree.map(concatenate, *(part.archs for part in archives))
  values = jnp.concatenate([part.values for part in archives])
  return Archive(archs, values, jnp.int32(len(values)))


def top(archive: Archive, k: int) -> tuple[Arch, jax.Array]:
  """Return the k best architectures, best first; among equals the first slot.

  Args:
    archive: an archive with values `[N]`; one that `keep_fronts` has changed
      is sorted.
    k: how many, at most N.

  Returns:
    The architectures, pytree of `[k, ...]`, and their values `[k]`: -inf where
    fewer than k have been added or a value was not finite.
  """
  chex.assert_rank(archive.values, 1)
  values, slots = jax.lax.top_k(ranking.finite_or_worst(archive.values), k)
  return select(archive, slots), values


def best(archive: Archive) -> Arch:
  """Return the architecture with the highest value."""
  chex.assert_rank(archive.values, 1)
  return select(archive, jnp.argmax(ranking.finite_or_worst(archive.values)))
