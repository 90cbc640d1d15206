"""The space of all combinations of independent choices.

Most spaces of the literature are this one with named leaves: the edges of a
NAS-Bench-201 cell, the kernel, width and depth of the blocks of a mobile
network. A subspace is a mask, and the intersection of subspaces the AND of
their masks, as in few-shot splitting or pruning of operations.
"""

from collections.abc import Callable
import math
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.spaces import decisions
from nasjax.types import Arch, Key, Mask, Space

_MAX_INDEX = 2**31 - 1  # an architecture's number is an int32


def _is_shape(node: Any) -> bool:
  return (
    isinstance(node, tuple)
    and len(node) == 2
    and all(isinstance(size, int) for size in node)
  )


def check_mask(mask: Mask) -> Mask:
  """Return a mask as a pytree of numpy bools in which no decision is empty.

  Args:
    mask: pytree of `bool[D, K]`; a pair `(D, K)` stands for a leaf of D
      decisions with all of their K choices allowed.

  Returns:
    The same pytree with leaves `np.bool_[D, K]`.

  Raises:
    ValueError: if a leaf is not boolean, has no axis of choices, or leaves a
      decision without any.
  """

  def check(path, leaf):
    name = jax.tree_util.keystr(path) or 'The mask'
    leaf = np.ones(leaf, bool) if _is_shape(leaf) else np.asarray(leaf)
    if leaf.dtype != bool or leaf.ndim < 2:
      raise ValueError(
        f'{name}: a mask is bool[D, K], got {leaf.dtype}{leaf.shape}.'
      )
    empty = np.argwhere(~leaf.any(-1))
    if empty.size:
      raise ValueError(
        f'{name}: no choice is left for decision(s) {empty.tolist()} of a '
        f'mask of shape {leaf.shape}.'
      )
    return leaf

  return jax.tree_util.tree_map_with_path(check, mask, is_leaf=_is_shape)


def intersect(mask: Mask, other: Mask) -> Mask:
  """Return the choices that both masks allow.

  Args:
    mask: pytree of `bool[D, K]`.
    other: pytree of the same structure and shapes.

  Returns:
    Pytree of `np.bool_[D, K]`.

  Raises:
    ValueError: if structures or shapes differ, or if a decision has no choice
      left.
  """
  shapes = jax.tree.map(np.shape, mask)
  other_shapes = jax.tree.map(np.shape, other)
  if shapes != other_shapes:
    raise ValueError(
      f'The mask must have the shapes {shapes}, got {other_shapes}.'
    )
  return check_mask(jax.tree.map(np.logical_and, mask, other))


def encode(arch: Arch, mask: Mask) -> jax.Array:
  """Return the concatenated one-hot choices of an architecture.

  Args:
    arch: an architecture in any form; a relaxed one is differentiated through.
    mask: pytree of `bool[D, K]`, used for its shapes only, so that a space and
      its subspaces share one encoding.

  Returns:
    `f32[F]` with `F = sum_leaves D K`.
  """
  leaves = jax.tree.leaves(choice.one_hot(arch, mask))
  return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def contains(arch: Arch, mask: Mask) -> jax.Array:
  """Return whether an index architecture uses allowed choices only.

  Args:
    arch: pytree of `int32[D]`.
    mask: pytree of `bool[D, K]`.

  Returns:
    `bool[]`.
  """
  allowed = jax.tree.map(
    lambda allowed, leaf: jnp.all(
      jnp.any(choice.one_hot(leaf, allowed).astype(bool) & allowed, -1)
    ),
    mask,
    arch,
  )
  return jnp.all(jnp.stack(jax.tree.leaves(allowed)))


def numbering(mask: Mask) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> i32[]`, the number of an architecture in a space.

  It is the inverse of the space's `index`: the row of a table of the space.

  Args:
    mask: pytree of `bool[D, K]`, the allowed choices.

  Returns:
    The function; for architectures with choices that are not allowed it gives
    -1.

  Raises:
    ValueError: if there are more than an int32 can number.
  """
  mask = check_mask(mask)
  joined = decisions.join_masks(mask)
  size = decisions.num_combinations(mask)
  if size > _MAX_INDEX:
    raise ValueError(
      f'A space of {size} architectures cannot be numbered by an int32.'
    )
  counts = joined.sum(-1).tolist()
  places = [math.prod(counts[d + 1 :]) for d in range(len(counts))]
  # Of every choice: its rank among the allowed ones, times its place.
  terms = (np.cumsum(joined, -1) - 1) * np.array(places)[:, None]
  terms = terms.astype(np.int32)

  def number(arch: Arch) -> jax.Array:
    rows = jnp.take_along_axis(
      jnp.asarray(terms), decisions.join(arch)[:, None], axis=-1
    )
    return jnp.where(contains(arch, mask), jnp.sum(rows), -1)

  return number


def categorical(mask: Mask) -> Space:
  """Return the space of all combinations of the allowed choices.

  `mutate` draws a decision uniformly among those with at least two allowed
  choices, then one of its other choices uniformly. `index` counts in mixed
  radix over the allowed choices, the last decision of the last leaf fastest;
  it is None for spaces of more than 2**31 - 1 architectures, which an int32
  cannot number.

  Example:
    >>> space = categorical({'kernel': (5, 3), 'width': (5, 2)})
    >>> space.size
    7776
    >>> arch = space.sample(jax.random.key(0))

  Args:
    mask: pytree of `bool[D, K]`, or of pairs `(D, K)` meaning that all choices
      are allowed. Any number of axes may take the place of D.

  Returns:
    The space.

  Raises:
    ValueError: if a decision has no choice, or on `mutate` if no decision has
      two.
  """
  mask = check_mask(mask)
  joined = decisions.join_masks(mask)
  counts = joined.sum(-1)
  # Allowed choices first, in order: [d, rank] -> choice, [d, choice] -> rank.
  choices = np.argsort(~joined, axis=-1, kind='stable').astype(np.int32)
  ranks = np.argsort(choices, axis=-1).astype(np.int32)
  open_decisions = np.flatnonzero(counts > 1)
  size = decisions.num_combinations(mask)
  places = [math.prod(counts[d + 1 :].tolist()) for d in range(len(counts))]

  def from_ranks(drawn):
    vector = jnp.take_along_axis(jnp.asarray(choices), drawn[:, None], axis=1)
    return decisions.split(vector[:, 0], mask)

  def sample(key: Key) -> Arch:
    return from_ranks(jax.random.randint(key, counts.shape, 0, counts))

  def mutate(key: Key, arch: Arch) -> Arch:
    if not open_decisions.size:
      raise ValueError('A space of one architecture has no mutations.')
    chex.assert_trees_all_equal_structs(mask, arch)
    vector = decisions.join(arch)
    # Two numbers in one draw, for whole searches are made of mutations.
    which, how_far = jax.random.uniform(key, (2,))
    decision = jnp.asarray(open_decisions)[
      jnp.int32(which * len(open_decisions))
    ]
    count = jnp.asarray(counts, jnp.int32)[decision]
    step = 1 + jnp.int32(how_far * (count - 1))
    rank = jnp.asarray(ranks)[decision, vector[decision]]
    other = jnp.asarray(choices)[decision, (rank + step) % count]
    return decisions.split(vector.at[decision].set(other), mask)

  def encode_arch(arch: Arch) -> jax.Array:
    return encode(arch, mask)

  def index(i: jax.Array) -> Arch:
    return from_ranks(
      jnp.asarray(i, jnp.int32)
      // np.asarray(places, np.int32)
      % counts.astype(np.int32)
    )

  def restrict(other: Mask) -> Space:
    return categorical(intersect(mask, other))

  return Space(
    sample,
    mutate,
    encode_arch,
    index if size <= _MAX_INDEX else None,
    size,
    mask,
    restrict,
  )
