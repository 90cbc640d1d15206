"""Several supernets, each with a part of the space, from one with all of it.

Y. Zhao, L. Wang, Y. Tian, R. Fonseca and T. Guo, Few-shot Neural Architecture
Search, ICML 2021, https://arxiv.org/abs/2006.06863: a supernet is trained on
the whole space; every part gets a copy of its weights, not of its optimiser,
and is trained on its own architectures; an architecture is scored by the
supernet of the part that it is in.

All supernets are stacked, and an update picks one: one program trains and
scores them all. Copies hold slots of operations that are not in their part;
these never get a gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax.spaces import subspaces
from nasjax.types import Arch, Batch, Estimator, Key, Metrics, Search, Space

# (space, updates of this turn i32[]) -> what is trained; its state has weights
Method = Callable[[Space, jax.Array], Estimator | Search]


class State(NamedTuple):
  """All supernets, and whose turn it is."""

  step: jax.Array  # i32[] updates done
  nets: Any  # [1 + S, ...] states: that of the whole space, of part 0, ...


class Turns(NamedTuple):
  """The training of all supernets, one after the other.

  Attributes:
    init: `(key) -> State`.
    update: `(key, State, batch) -> (State, metrics)`. Behind `num_updates` the
      last part goes on.
    of_part: `(State, s) -> state` of part s; until that has begun, of the whole
      space.
    num_updates: of all turns.
  """

  init: Callable[[Key], State]
  update: Callable[[Key, State, Batch], tuple[State, Metrics]]
  of_part: Callable[[State, jax.Array], Any]
  num_updates: int


def budget(num_updates: int, num_parts: int, share: float) -> tuple[int, int]:
  """Return how many updates the whole and each part get of a total.

  Args:
    num_updates: of all together: what a single supernet would get.
    num_parts: S.
    share: of the supernet of the whole space; what does not divide among the
      parts is added to it.

  Returns:
    `num_shared` and `num_each`, with `num_shared + S num_each = num_updates`.

  Raises:
    ValueError: if a part would have no update.
  """
  # 600 of 2,100 is 2/7: rounding must not take an update from a part.
  num_each = int((1 - share) * num_updates / num_parts + 1e-6)
  if not 0 <= share < 1 or num_each < 1:
    raise ValueError(
      f'{num_updates} updates with a share of {share} leave none to each of '
      f'{num_parts} parts.'
    )
  return num_updates - num_parts * num_each, num_each


def _inherit(state: Any, shared: Any) -> Any:
  """Return a state that has not begun with the weights of another."""
  return state._replace(weights=shared.weights)


def _at(nets, slot):
  return jax.tree.map(lambda leaf: leaf[slot], nets)


def in_turn(
  method: Method,
  space: Space,
  split: subspaces.Split,
  num_shared: int,
  num_each: int,
) -> Turns:
  """Return the training in the whole space and then in each part.

  Args:
    method: `(space, length) -> estimator or search`, what is done in a space
      for `length` updates; its state has a field `weights`.
    space: the whole.
    split: its parts.
    num_shared: updates in the whole space; with 0 of them parts start from the
      same first weights.
    num_each: updates in each part.

  Returns:
    The turns.

  Raises:
    ValueError: if a number of updates is out of range.
  """
  if num_shared < 0 or num_each < 1:
    raise ValueError(
      'num_shared must be at least 0 and num_each at least 1, got '
      f'{num_shared} and {num_each}.'
    )
  num_parts = subspaces.num_parts(split)
  masks = jax.tree.map(
    lambda whole, parts: jnp.concatenate([whole[None], parts]),
    space.mask,
    split.masks,
  )

  def init(key):
    first = method(space, num_shared).init(key)
    repeat = lambda leaf: jnp.repeat(leaf[None], 1 + num_parts, axis=0)
    return State(jnp.zeros((), jnp.int32), jax.tree.map(repeat, first))

  def update(key, state, batch):
    done = state.step - num_shared
    part = jnp.clip(done // num_each, 0, num_parts - 1)
    slot = jnp.where(done < 0, 0, 1 + part)
    begins = (done >= 0) & (done == part * num_each)
    old = _at(state.nets, slot)
    net = jax.tree.map(
      lambda a, b: jnp.where(begins, a, b),
      _inherit(old, _at(state.nets, 0)),
      old,
    )
    net, metrics = method(
      subspaces.within(space, _at(masks, slot)),
      jnp.where(done < 0, num_shared, num_each),
    ).update(key, net, batch)
    nets = jax.tree.map(
      lambda leaf, new: leaf.at[slot].set(new), state.nets, net
    )
    return State(state.step + 1, nets), metrics

  def of_part(state, part):
    has_begun = state.step > num_shared + part * num_each
    return _at(state.nets, jnp.where(has_begun, 1 + part, 0))

  return Turns(init, update, of_part, num_shared + num_parts * num_each)


def few_shot(
  space: Space,
  supernet: Method,
  split: subspaces.Split,
  num_shared: int,
  num_each: int,
) -> Estimator:
  """Return the estimator of the supernets of a split space.

  Args:
    space: of independent choices.
    supernet: `(space, length) -> one_shot` or another estimator with shared
      weights, for a space that is known while tracing or not.
    split: the parts of the space.
    num_shared: updates of the supernet of the whole space.
    num_each: updates of the supernet of each part.

  Returns:
    The estimator, to be updated `num_shared + S num_each` times.

  Raises:
    ValueError: as `in_turn`.

  References:
    Zhao et al., 2021, https://arxiv.org/abs/2006.06863.
  """
  turns = in_turn(supernet, space, split, num_shared, num_each)
  whole = supernet(space, turns.num_updates)

  def score(key: Key, state: State, arch: Arch) -> jax.Array:
    return whole.score(key, turns.of_part(state, split.owner(arch)), arch)

  return Estimator(turns.init, turns.update, score)
