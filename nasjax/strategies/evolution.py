"""Regularised (aging) evolution: tournaments among the youngest.

E. Real, A. Aggarwal, Y. Huang and Q. V. Le, Regularized Evolution for Image
Classifier Architecture Search, 2019, https://arxiv.org/abs/1802.01548,
algorithm 1: fill the population at random; then draw S members with
replacement, mutate the best of them, add the child, drop the oldest.

Deviations
  * Age is counted from when a value is told, so that slow evaluations may
    overlap: with one at a time this is algorithm 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.types import Arch, Key, Proposal, Space, Strategy


class State(NamedTuple):
  """The living, and how many have been conceived."""

  population: archive.Archive  # the P told last, a ring buffer
  num_asked: jax.Array  # i32[] architectures proposed so far
  first: Arch  # [P, ...] what is proposed first


def _winner(key, population, tournament):
  """Return the best of `tournament` members, drawn with replacement."""
  # An empty population has no members: slot 0 holds some architecture.
  filled = jnp.maximum(archive.num_filled(population), 1)
  slots = jnp.int32(jax.random.uniform(key, (tournament,)) * filled)
  winner = slots[jnp.argmax(population.values[slots])]
  return archive.select(population, winner)


def regularized_evolution(
  space: Space,
  population: int = 100,
  tournament: int = 10,
  batch_size: int = 1,
  first: Callable[[Key], Arch] | None = None,
) -> Strategy:
  """Mutate tournament winners and let the oldest die.

  The first P proposals are random samples, unless architectures are told
  first: those are the initial population then, as in evolution assisted by a
  cheap score. Results may come late and out of order.

  Args:
    space: the space; its `mutate` makes the children.
    population: P. The defaults are those of common NAS-Bench-101 scripts;
      P = 10 and S = 3 are NATS-Bench's for NAS-Bench-201.
    tournament: S, members of a tournament; 1 is a random walk.
    batch_size: B, children of one generation; 1 in the paper.
    first: `(key) -> archs [P, ...]`, the first P proposals; random by default.

  Returns:
    The strategy.

  Raises:
    ValueError: if a size is not positive or B exceeds P.

  References:
    Real et al., Regularized Evolution for Image Classifier Architecture
    Search, 2019, algorithm 1.
  """
  if tournament < 1 or not 1 <= batch_size <= population:
    raise ValueError(
      'Evolution needs tournament >= 1 and 1 <= batch_size <= population, '
      f'got tournament={tournament}, batch_size={batch_size}, '
      f'population={population}.'
    )

  def init(key):
    keys = jax.random.split(key, population)
    archs = first(key) if first else jax.vmap(space.sample)(keys)
    example = jax.tree.map(lambda leaf: leaf[0], archs)
    return State(archive.create(example, population), jnp.int32(0), archs)

  def ask(key, state):
    # What is in flight fills the population too; nobody can be a parent
    # before the first result.
    position = jnp.maximum(state.num_asked, state.population.count)
    childless = state.population.count == 0

    def propose(key, position):
      tournament_key, mutate_key = jax.random.split(key)
      parent = _winner(tournament_key, state.population, tournament)
      child = space.mutate(mutate_key, parent)
      is_first = childless | (position < population)
      return jax.tree.map(
        lambda old, new: jnp.where(is_first, old[position % population], new),
        state.first,
        child,
      )

    keys = key[None] if batch_size == 1 else jax.random.split(key, batch_size)
    archs = jax.vmap(propose)(keys, position + jnp.arange(batch_size))
    state = state._replace(num_asked=state.num_asked + batch_size)
    return Proposal(archs, jnp.ones(batch_size)), state

  def tell(key, state, proposal, values):
    del key
    members = archive.add(state.population, proposal.archs, values)
    metrics = {'population_best': jnp.max(members.values)}
    return state._replace(population=members), metrics

  return Strategy(init, ask, tell)
