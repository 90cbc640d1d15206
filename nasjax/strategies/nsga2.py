"""NSGA-II: evolution towards the Pareto front of several objectives.

K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, A Fast and Elitist
Multiobjective Genetic Algorithm: NSGA-II, IEEE Transactions on Evolutionary
Computation 2002, https://doi.org/10.1109/4235.996017, section III: parents win
binary tournaments by front, then by crowding distance; their children are
crossed and mutated; the next population is the best P of parents and children,
in the same order.

Deviations
  * An architecture is in the population once: copies would crowd out a small
    discrete space. Its newest values count.
  * Of two that are equal in a tournament, the older wins rather than a coin.
  * Decisions are categories: crossover takes each from either parent with equal
    probability, and mutation changes one, which is the mean of the paper's rate
    of 1 / D a decision.
  * Fewer than P children at a time may be asked for, and may come late and out
    of order.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive, pareto
from nasjax.spaces import decisions
from nasjax.types import Arch, Key, Proposal, Space, Strategy

Crossover = Callable[[Key, Arch, Arch], Arch]


class State(NamedTuple):
  """The population, sorted, and how many architectures have been asked for."""

  population: archive.Archive  # by front, then crowding; values f32[P, M]
  num_asked: jax.Array  # i32[]


def uniform_crossover(key: Key, arch: Arch, other: Arch) -> Arch:
  """Return a child with each decision from either parent, by a fair coin.

  Args:
    key: random key.
    arch: pytree of `int32[D]`.
    other: another one.

  Returns:
    Pytree of `int32[D]`.
  """
  leaves, structure = jax.tree.flatten(arch)
  keys = jax.random.split(key, len(leaves))
  return structure.unflatten(
    [
      jnp.where(jax.random.bernoulli(k, shape=leaf.shape), leaf, row)
      for k, leaf, row in zip(keys, leaves, structure.flatten_up_to(other))
    ]
  )


def _choose(condition, arch, other):
  return jax.tree.map(lambda a, b: jnp.where(condition, a, b), arch, other)


def _check(space, sizes, crossover):
  num_objectives, population, batch_size = sizes
  if num_objectives < 1 or not 1 <= batch_size <= population:
    raise ValueError(
      'NSGA-II needs num_objectives >= 1 and 1 <= batch_size <= population, '
      f'got num_objectives={num_objectives}, batch_size={batch_size}, '
      f'population={population}.'
    )
  num_combinations = decisions.num_combinations(space.mask)
  if crossover is uniform_crossover and space.size != num_combinations:
    raise ValueError(
      'uniform_crossover needs a space of independent choices: the mask of '
      f'this one has {num_combinations} combinations, but its size is '
      f'{space.size}. Give a crossover whose children are in the space, or '
      'None.'
    )


def nsga2(
  space: Space,
  num_objectives: int = 2,
  population: int = 100,
  batch_size: int | None = None,
  crossover: Crossover | None = uniform_crossover,
  crossover_rate: float = 0.9,
  mutation_rate: float = 1.0,
) -> Strategy:
  """Evolve a population towards the Pareto front.

  The first P proposals are random samples. Values that are told are `[B, M]`,
  all to be maximised; an architecture with one that is not finite has failed.

  Args:
    space: the space; its `mutate` changes one decision.
    num_objectives: M.
    population: P (paper: 100).
    batch_size: B, children of one generation, by default P.
    crossover: `(key, arch, arch) -> arch`, or None for children of one parent.
    crossover_rate: probability of crossover (paper: 0.9).
    mutation_rate: probability that a child is mutated.

  Returns:
    The strategy. `state.population` is sorted by front, then by falling
    crowding distance; `pareto.non_dominated(state.population.values)` is its
    front.

  Raises:
    ValueError: if a size is not positive, if B exceeds P, or if the choices of
      the space are not independent and no other crossover is given.

  References:
    Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II,
    2002, section III.
  """
  batch_size = population if batch_size is None else batch_size
  _check(space, (num_objectives, population, batch_size), crossover)

  def init(key):
    example = space.sample(key)
    return State(
      archive.create(example, population, num_objectives), jnp.int32(0)
    )

  def select(key, members, num_alive):
    # Slots are sorted, so the winner of two is the lower one.
    slots = jax.random.randint(key, (2,), 0, jnp.maximum(num_alive, 1))
    return archive.select(members, jnp.min(slots))

  def conceive(key, members, num_alive):
    keys = jax.random.split(key, 6)
    child = select(keys[0], members, num_alive)
    if crossover is not None:
      crossed = crossover(keys[2], child, select(keys[1], members, num_alive))
      child = _choose(
        jax.random.bernoulli(keys[3], crossover_rate), crossed, child
      )
    return _choose(
      jax.random.bernoulli(keys[4], mutation_rate),
      space.mutate(keys[5], child),
      child,
    )

  def ask(key, state):
    # What is in flight fills the population too.
    position = jnp.maximum(state.num_asked, state.population.count)
    alive = jnp.all(jnp.isfinite(state.population.values), axis=-1)
    num_alive = jnp.sum(alive)

    def propose(key, position):
      sample_key, child_key = jax.random.split(key)
      is_new = (num_alive == 0) | (position < population)
      child = conceive(child_key, state.population, num_alive)
      return _choose(is_new, space.sample(sample_key), child)

    archs = jax.vmap(propose)(
      jax.random.split(key, batch_size), position + jnp.arange(batch_size)
    )
    state = state._replace(num_asked=state.num_asked + batch_size)
    return Proposal(archs, jnp.ones(batch_size)), state

  def tell(key, state, proposal, values):
    del key
    members = archive.keep_fronts(state.population, proposal.archs, values)
    front = pareto.non_dominated(members.values)
    best = jnp.max(members.values, axis=0)
    metrics = {'front_size': jnp.sum(front)}
    metrics |= {f'best_{m}': best[m] for m in range(num_objectives)}
    return state._replace(population=members), metrics

  return Strategy(init, ask, tell)
