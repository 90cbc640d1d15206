"""Local search: first improvement among all one-decision edits, with restarts.

C. White, S. Nolen and Y. Savani, Exploring the Loss Landscape in Neural
Architecture Search, 2021, https://arxiv.org/abs/2005.02960; T. Den Ottelander
et al., Local Search is a Remarkably Strong Baseline for Neural Architecture
Search, 2021, https://arxiv.org/abs/2004.08996.

From a random start the neighbours are asked for in random order; the first
that is better is the next centre; where none is left, a new random start.
Architectures asked for once are not neighbours any more.

Deviations
  * What has been asked for is remembered in a bitmap of at most `memory`
    slots. It is exact for spaces up to that size; in larger ones two
    architectures may share a slot, and a neighbour then be left out.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import ranking
from nasjax.spaces import decisions
from nasjax.types import Arch, Mask, Proposal, Space, Strategy


class State(NamedTuple):
  """The centre of the neighbourhood and the architectures seen."""

  centre: Arch
  value: jax.Array  # f32[] of the centre, -inf before a start is evaluated
  asked: jax.Array  # bool[slots] architectures asked for, by their slot


def _codes(mask: Mask, memory: int) -> tuple[Mask, int]:
  """Return a code of every choice, `u32[..., K]`, and the number of slots.

  The slot of an architecture is the sum of its choices' codes modulo the number
  of slots: its mixed-radix number where the space is small enough, else the
  random codes of Zobrist hashing.
  """
  leaves, structure = jax.tree.flatten(mask)
  radices = [
    leaf.shape[-1] for leaf in leaves for _ in range(leaf[..., 0].size)
  ]
  if math.prod(radices) <= memory:
    places = np.cumprod([1, *radices[:-1]])
    sizes = np.cumsum([leaf[..., 0].size for leaf in leaves])[:-1]
    codes = [
      place[:, None] * np.arange(leaf.shape[-1])
      for place, leaf in zip(np.split(places, sizes), leaves)
    ]
    num_slots = math.prod(radices)
  else:
    rng = np.random.default_rng(0)
    codes = [rng.integers(2**32, size=leaf.shape) for leaf in leaves]
    num_slots = memory
  codes = [
    code.reshape(leaf.shape).astype(np.uint32)
    for code, leaf in zip(codes, leaves)
  ]
  return structure.unflatten(codes), num_slots


def _slots(arch, codes, num_slots):
  """Return the slot of an architecture, and those of its F edits, `u32[F]`."""
  rows = jax.tree.map(
    lambda code, leaf: jnp.take_along_axis(
      jnp.asarray(code), leaf[..., None], axis=-1
    ),
    codes,
    arch,
  )
  total = sum(jnp.sum(row, dtype=jnp.uint32) for row in jax.tree.leaves(rows))
  edits = jax.tree.map(
    lambda code, row: jnp.ravel(total - row + code), codes, rows
  )
  return total % num_slots, jnp.concatenate(jax.tree.leaves(edits)) % num_slots


def edit(arch: Arch, mask: Mask, number: jax.Array) -> Arch:
  """Return an architecture after one of its F edits: one decision, set.

  Args:
    arch: the architecture, index choices.
    mask: that of its space, for its shapes.
    number: of the edit, `i32[]` below F, which counts all choices of all
      decisions in the order of the raveled leaves. Edits that set what is set
      change nothing.

  Returns:
    The architecture.
  """
  leaves, structure = jax.tree.flatten(mask)
  edited, first = [], 0
  for leaf, row in zip(leaves, structure.flatten_up_to(arch)):
    chosen = first + jnp.arange(leaf.size).reshape(leaf.shape) == number
    edited.append(
      jnp.where(
        jnp.any(chosen, -1), jnp.argmax(chosen, -1).astype(row.dtype), row
      )
    )
    first += leaf.size
  return structure.unflatten(edited)


def local_search(
  space: Space, batch_size: int = 1, memory: int = 2**16
) -> Strategy:
  """Climb to a local optimum by single edits, then restart at random.

  Results may come late and out of order: the centre moves to whatever is told
  and better. If fewer than B neighbours are left, random samples fill the
  proposal; if none is left, all of it are starts, and the best is taken.

  Args:
    space: a space of independent choices, `spaces.categorical` and what is
      built from it: the neighbours are enumerated from its mask.
    batch_size: B, neighbours asked for at once; 1 is first improvement, the
      size of the neighbourhood steepest ascent.
    memory: slots of the bitmap of architectures asked for.

  Returns:
    The strategy.

  Raises:
    ValueError: if the choices of the space are not independent, or if B exceeds
      the number of neighbours.

  References:
    White, Nolen and Savani, Exploring the Loss Landscape in Neural Architecture
    Search, 2021; Den Ottelander et al., Local Search is a Remarkably Strong
    Baseline for Neural Architecture Search, 2021.
  """
  num_combinations = decisions.num_combinations(space.mask)
  if space.size != num_combinations:
    raise ValueError(
      'local_search edits one decision at a time and needs a space of '
      f'independent choices: its mask has {num_combinations} combinations, '
      f'but the size of the space is {space.size}. Use '
      'evolution.regularized_evolution.'
    )
  num_neighbours = int((decisions.join_masks(space.mask).sum(-1) - 1).sum())
  if not 1 <= batch_size <= num_neighbours:
    raise ValueError(
      f'batch_size must lie between 1 and the {num_neighbours} neighbours of '
      f'an architecture, got {batch_size}.'
    )
  codes, num_slots = _codes(space.mask, memory)

  allowed = np.concatenate(
    [leaf.ravel() for leaf in jax.tree.leaves(space.mask)]
  )

  def init(key):
    return State(
      space.sample(key), jnp.float32(-jnp.inf), jnp.zeros(num_slots, bool)
    )

  def ask(key, state):
    order_key, sample_key = jax.random.split(key)
    # The centre has been asked for itself, so it is none of its neighbours.
    _, slots = _slots(state.centre, codes, num_slots)
    is_new = allowed & ~state.asked[slots] & (state.value > -jnp.inf)
    order = jax.random.uniform(order_key, is_new.shape)
    order, edits = jax.lax.top_k(jnp.where(is_new, order, -1.0), batch_size)
    neighbours = jax.vmap(edit, (None, None, 0))(
      state.centre, space.mask, edits
    )
    samples = jax.vmap(space.sample)(jax.random.split(sample_key, batch_size))
    is_neighbour = order >= 0
    archs = jax.tree.map(
      lambda near, far: jnp.where(
        is_neighbour.reshape((-1,) + (1,) * (near.ndim - 1)), near, far
      ),
      neighbours,
      samples,
    )
    slots = jax.vmap(lambda arch: _slots(arch, codes, num_slots)[0])(archs)
    return Proposal(archs, jnp.ones(batch_size)), state._replace(
      value=jnp.where(jnp.any(is_new), state.value, -jnp.inf),
      asked=state.asked.at[slots].set(True),
    )

  def tell(key, state, proposal, values):
    del key
    values = ranking.finite_or_worst(values)
    best = jnp.argmax(values)
    improved = values[best] > state.value
    centre = jax.tree.map(
      lambda new, old: jnp.where(improved, new[best], old),
      proposal.archs,
      state.centre,
    )
    value = jnp.where(improved, values[best], state.value)
    return state._replace(centre=centre, value=value), {'centre': value}

  return Strategy(init, ask, tell)
