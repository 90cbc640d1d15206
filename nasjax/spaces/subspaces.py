"""Parts of a space: its split by some decisions, and parts given as arrays.

Y. Zhao, L. Wang, Y. Tian, R. Fonseca and T. Guo, Few-shot Neural Architecture
Search, ICML 2021, https://arxiv.org/abs/2006.06863: fixing the operation of one
compound edge splits a space into disjoint parts, one an operation; fixing those
of several, into one part a combination.

`space.restrict(mask)` makes a subspace when things are built. `within` makes
one of a mask that is an array of a jitted program, so that one program may go
from one part to the next.
"""

from collections.abc import Callable, Sequence
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import decisions
from nasjax.types import Arch, Mask, Space


class Split(NamedTuple):
  """Disjoint parts that make up a space.

  Attributes:
    masks: pytree of `np.bool_[S, D, K]`, the choices of each part.
    owner: `(arch) -> i32[]`, the one part that an architecture is in.
  """

  masks: Mask
  owner: Callable[[Arch], jax.Array]


def num_parts(split: Split) -> int:
  """Return S, the number of parts."""
  return len(jax.tree.leaves(split.masks)[0])


def _check_groups(groups, options, decision):
  """Raise unless every option is in one group."""
  if sorted(itertools.chain(*groups)) != options or not all(map(len, groups)):
    raise ValueError(
      f'Groups must hold each option of decision {decision}, {options}, once, '
      f'got {[list(group) for group in groups]}.'
    )


def split(
  space: Space,
  which: Sequence[int] = (0,),
  groups: Sequence[Sequence[int]] | None = None,
) -> Split:
  """Return the parts into which some decisions split a space.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> num_parts(split(nasbench201.nasbench201()))
    5

  Args:
    space: of independent choices.
    which: numbers of the decisions, in the order of the leaves of the mask
      (names sorted), row by row. The authors' program splits NAS-Bench-201 at
      its first edge.
    groups: options that stay together, the same for all these decisions; by
      default each option is a group of its own.

  Returns:
    The split, one part a combination of groups, the last decision fastest.

  Raises:
    ValueError: if there is no such decision, or if groups do not hold every
      option once.

  References:
    Zhao et al., 2021, https://arxiv.org/abs/2006.06863.
  """
  joined = decisions.join_masks(space.mask)
  if len(set(which)) != len(which) or not set(which) <= set(range(len(joined))):
    raise ValueError(
      f'Distinct decisions from 0 to {len(joined) - 1} are needed, got '
      f'{tuple(which)}.'
    )
  groups_of = []
  for decision in which:
    options = np.flatnonzero(joined[decision]).tolist()
    found = [[k] for k in options] if groups is None else groups
    _check_groups(found, options, decision)
    groups_of.append(found)

  parts = list(itertools.product(*groups_of))
  rows = np.repeat(joined[None], len(parts), axis=0)
  for s, part in enumerate(parts):
    for decision, group in zip(which, part):
      rows[s, decision] = np.isin(np.arange(joined.shape[-1]), group)
  # Of every option of a split decision: its group's number, times its place.
  terms = np.zeros((len(which), joined.shape[-1]), np.int32)
  for i, found in enumerate(groups_of):
    place = math.prod(map(len, groups_of[i + 1 :]))
    for number, group in enumerate(found):
      terms[i, list(group)] = number * place

  def owner(arch: Arch) -> jax.Array:
    chosen = decisions.join(arch)[np.array(which, int)]
    return jnp.sum(jnp.asarray(terms)[np.arange(len(which)), chosen])

  return Split(decisions.split_rows(rows, space.mask), owner)


def within(space: Space, mask: Mask) -> Space:
  """Return the subspace of a mask that need not be known while tracing.

  Args:
    space: of independent choices.
    mask: pytree of `bool[D, K]`, arrays of a jitted program; every decision
      must have a choice that the space allows too.

  Returns:
    The subspace, which has no size and no enumeration. Where no decision is
    open, `mutate` returns what it was given.

  Raises:
    ValueError: if choices of the space depend on each other.
  """
  whole = decisions.join_masks(space.mask)
  if space.size is not None and isinstance(whole, np.ndarray):
    if space.size != decisions.num_combinations(space.mask):
      raise ValueError(
        'A part of a space that is not known while tracing needs independent '
        f'choices: this space has {space.size} architectures of '
        f'{decisions.num_combinations(space.mask)} combinations.'
      )
  both = jax.tree.map(lambda a, b: jnp.asarray(a) & b, space.mask, mask)
  allowed = decisions.join_masks(both)

  def draw(key, allowed):
    return jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf))

  def sample(key):
    return decisions.split(draw(key, allowed).astype(jnp.int32), both)

  def mutate(key, arch):
    which_key, other_key = jax.random.split(key)
    vector = decisions.join(arch)
    open_decisions = allowed.sum(-1) > 1
    which = draw(which_key, open_decisions)
    others = allowed[which] & (jnp.arange(allowed.shape[-1]) != vector[which])
    other = jnp.where(
      open_decisions[which], draw(other_key, others), vector[which]
    )
    return decisions.split(vector.at[which].set(other), both)

  return Space(
    sample,
    mutate,
    space.encode,
    None,
    None,
    both,
    lambda other: within(space, jax.tree.map(jnp.logical_and, both, other)),
  )
