"""All decisions of an architecture in a row, and back.

Pytrees of named groups are what people and networks read; a controller that
takes one decision after another, a mutation that draws one of all, the number
of an architecture want them as one vector, leaf by leaf.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Arch, Mask


def join_masks(mask: Mask) -> np.ndarray | jax.Array:
  """Return the mask of all decisions in a row, short ones padded with False.

  Args:
    mask: pytree of `bool[D, K]`, of numpy, or of arrays that may be traced.

  Returns:
    `bool[D, K]` for all D decisions, leaf by leaf, and the largest K; of numpy
    if the mask is.
  """
  rows = [leaf.reshape(-1, leaf.shape[-1]) for leaf in jax.tree.leaves(mask)]
  lib = jnp if any(isinstance(leaf, jax.Array) for leaf in rows) else np
  width = max(leaf.shape[-1] for leaf in rows)
  return lib.concatenate(
    [lib.pad(leaf, ((0, 0), (0, width - leaf.shape[-1]))) for leaf in rows]
  )


def split_rows(rows: Any, mask: Mask) -> Any:
  """Return what all decisions have of every option, leaf by leaf.

  The inverse of `join_masks`, also for logits.

  Args:
    rows: `[..., D, K]`.
    mask: pytree of `bool[D, K]`, for its shapes.

  Returns:
    Pytree of `[..., D, K]`.
  """
  leaves, structure = jax.tree.flatten(mask)
  ends = np.cumsum([leaf[..., 0].size for leaf in leaves])
  parts = [
    rows[..., end - leaf[..., 0].size : end, : leaf.shape[-1]]
    for end, leaf in zip(ends, leaves)
  ]
  return structure.unflatten(
    [
      part.reshape(*rows.shape[:-2], *leaf.shape)
      for part, leaf in zip(parts, leaves)
    ]
  )


def num_combinations(mask: Mask) -> int:
  """Return the number of combinations of the choices that a mask allows.

  A space of another size has choices that depend on each other.
  """
  return math.prod(join_masks(mask).sum(-1).tolist())


def join(arch: Arch) -> jax.Array:
  """Return all decisions of an index architecture, leaf by leaf: `int32[D]`."""
  return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(arch)])


def split(vector: jax.Array, mask: Mask) -> Arch:
  """Return the architecture whose decisions are in a row, as `join` puts them.

  Args:
    vector: `int32[D]`.
    mask: pytree of `bool[D, K]`, for its shapes.

  Returns:
    Pytree of `int32[D]`.
  """
  leaves, structure = jax.tree.flatten(mask)
  sizes = [leaf[..., 0].size for leaf in leaves]
  parts = jnp.split(vector, np.cumsum(sizes)[:-1])
  return structure.unflatten(
    [part.reshape(leaf.shape[:-1]) for part, leaf in zip(parts, leaves)]
  )


def without(mask: Mask, choice: int = 0) -> Mask:
  """Return the mask that forbids one choice to all decisions.

  `space.restrict(without(space.mask))` is a space of cells without the zero
  operation, for relaxations that do without it.

  Args:
    mask: pytree of `bool[D, K]`.
    choice: what is forbidden; by default the first choice, `none` in the cell
      spaces.

  Returns:
    Pytree of `np.bool_[D, K]`.
  """

  def forbid(leaf):
    return np.asarray(leaf) & (np.arange(leaf.shape[-1]) != choice)

  return jax.tree.map(forbid, mask)
