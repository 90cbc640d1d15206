"""Generations of mutants and crossings of the best, none evaluated twice.

Z. Guo et al., Single Path One-Shot Neural Architecture Search with Uniform
Sampling, ECCV 2020, https://arxiv.org/abs/1904.00420, algorithm 1: of all
architectures evaluated so far the best k are parents; a generation holds so
many mutants, in which every decision is drawn again with a small probability,
so many crossings, of which every decision is that of one of two parents, and
random architectures for the rest. All of them satisfy the constraint.

Deviations
  * Candidates are drawn in a fixed number, ten for each place of a generation.
    Where a small space has too few new ones among them, known ones are proposed
    again; where none satisfies the constraint, any.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.spaces import decisions
from nasjax.strategies import nsga2
from nasjax.types import Arch, Proposal, Space, Strategy

_TRIES = 10  # candidates for a place


class State(NamedTuple):
  """What has been evaluated."""

  parents: archive.Archive  # the best k
  told: archive.Archive  # all, or the latest, not to be proposed again


def _check(space, sizes):
  population, num_parents, num_mutants, num_crossings = sizes
  enough = min(population, num_parents) >= 1 and min(sizes) >= 0
  if not enough or num_mutants + num_crossings > population:
    raise ValueError(
      'A generation of population >= 1, of num_parents >= 1, holds '
      f'num_mutants + num_crossings <= population, got population={population},'
      f' num_parents={num_parents}, num_mutants={num_mutants}, '
      f'num_crossings={num_crossings}.'
    )
  num_combinations = decisions.num_combinations(space.mask)
  if space.size != num_combinations:
    raise ValueError(
      'Crossing needs a space of independent choices: the mask of this one has '
      f'{num_combinations} combinations, but its size is {space.size}.'
    )


def _pick(good, quota):
  """Return which are the first `quota` of the good ones, `bool[N]`."""
  return good & (jnp.cumsum(good) <= quota)


def genetic(
  space: Space,
  population: int = 50,
  num_parents: int = 10,
  num_mutants: int = 25,
  num_crossings: int = 25,
  mutation_rate: float = 0.1,
  feasible: Callable[[Arch], jax.Array] | None = None,
  capacity: int = 1000,
) -> Strategy:
  """Evolve generations of the children of the best.

  Args:
    space: of independent choices.
    population: P, architectures of a generation (authors' program: 50).
    num_parents: k (authors' program: 10).
    num_mutants: of a generation behind the first (authors' program: 25).
    num_crossings: likewise (authors' program: 25).
    mutation_rate: probability that a decision of a mutant is drawn again
      (authors' program: 0.1).
    feasible: `(arch) -> bool[]`, what every architecture must satisfy.
    capacity: architectures that are not proposed again, at least P.

  Returns:
    The strategy.

  Raises:
    ValueError: if sizes do not fit, or choices depend on each other.

  References:
    Guo et al., 2020, https://arxiv.org/abs/1904.00420, algorithm 1.
  """
  _check(space, (population, num_parents, num_mutants, num_crossings))
  if capacity < population:
    raise ValueError(f'capacity: at least {population}, got {capacity}.')
  satisfies = feasible or (lambda arch: jnp.bool_(True))

  def init(key):
    example = space.sample(key)
    return State(
      archive.create(example, num_parents), archive.create(example, capacity)
    )

  def parent(key, state):
    alive = jnp.isfinite(state.parents.values)
    logits = jnp.where(alive, 0.0, -jnp.inf)
    return archive.select(state.parents, jax.random.categorical(key, logits))

  def sample(key, state):
    del state
    return space.sample(key)

  def mutate(key, state):
    parent_key, sample_key, key = jax.random.split(key, 3)
    drawn = space.sample(sample_key)
    leaves, structure = jax.tree.flatten(drawn)
    keys = structure.unflatten(list(jax.random.split(key, len(leaves))))
    return jax.tree.map(
      lambda key, old, new: jnp.where(
        jax.random.bernoulli(key, mutation_rate, old.shape), new, old
      ),
      keys,
      parent(parent_key, state),
      drawn,
    )

  def cross(key, state):
    keys = jax.random.split(key, 3)
    return nsga2.uniform_crossover(
      keys[0], parent(keys[1], state), parent(keys[2], state)
    )

  def ask(key, state):
    has_parents = jnp.any(jnp.isfinite(state.parents.values))
    sources = ((mutate, num_mutants), (cross, num_crossings))
    sources += ((sample, population),)
    groups = [
      jax.vmap(make, (0, None))(jax.random.split(k, _TRIES * num), state)
      for k, (make, num) in zip(jax.random.split(key, 3), sources)
      if num
    ]
    quotas = [num for _, num in sources if num]
    sizes = [_TRIES * num for num in quotas]
    archs = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *groups)
    allowed = jax.vmap(satisfies)(archs)
    # Without parents, children are not wanted.
    wanted = has_parents | (jnp.arange(sum(sizes)) >= sum(sizes[:-1]))
    good = allowed & wanted & ~archive.contains(state.told, archs)
    # An equal one that is not wanted must not stand in the way of one that is.
    order = jnp.argsort(~wanted)
    first = archive.first_of_equals(jax.tree.map(lambda x: x[order], archs))
    good &= jnp.zeros_like(first).at[order].set(first)
    chosen, start, left = [], 0, population
    for size, quota in zip(sizes, quotas):
      picked = _pick(good[start : start + size], jnp.minimum(quota, left))
      chosen.append(picked)
      start, left = start + size, left - jnp.sum(picked)
    preference = jnp.where(
      jnp.concatenate(chosen), 0, jnp.where(allowed & wanted, 1, 2)
    )
    best = jnp.argsort(preference)[:population]
    archs = jax.tree.map(lambda leaf: leaf[best], archs)
    return Proposal(archs, jnp.ones(population)), state

  def tell(key, state, proposal, values):
    del key
    parents = archive.keep_best(state.parents, proposal.archs, values)
    told = archive.add(state.told, proposal.archs, values)
    return State(parents, told), {'parents_best': parents.values[0]}

  return Strategy(init, ask, tell)
