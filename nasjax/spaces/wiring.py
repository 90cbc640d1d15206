"""How a relaxed cell is wired: what is connected, how deep and how wide.

S. Xie, S. Hu, X. Wang, C. Liu, J. Shi, X. Liu and D. Lin, Understanding the
wiring evolution in differentiable neural architecture search, AISTATS 2021,
https://arxiv.org/abs/2009.01272: edges are followed by the weight of `none`,
and those that leave an input of the cell apart from intermediate ones.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import genotypes


class WiringStats(NamedTuple):
  """What a cell's weights say of its edges.

  An edge is active by `1 - p_none`; in the cell of the strongest choices it is
  there or not. `depth` and `width` are those of that cell.
  """

  none: jax.Array  # f32[E] p_none
  entropy: jax.Array  # f32[E] of the choices, in nats
  active_mass: jax.Array  # f32[] expected number of active edges
  input_mass: jax.Array  # f32[] the part of edges that leave an input
  intermediate_mass: jax.Array  # f32[] the part of all others
  depth: jax.Array  # i32[] edges on the longest path that starts at an input
  width: jax.Array  # i32[] nodes with an edge from an input


def _depth(active, edges, num_inputs):
  """Return the length of the longest path; -1 marks what no input reaches."""
  start, never = jnp.zeros((), jnp.int32), -jnp.ones((), jnp.int32)
  longest = [start] * num_inputs
  longest += [never] * (1 + max(edges[1]) - num_inputs)
  for is_active, source, target in zip(active, *edges):
    reached = is_active & (longest[source] >= 0)
    longest[target] = jnp.where(
      reached,
      jnp.maximum(longest[target], longest[source] + 1),
      longest[target],
    )
  return jnp.max(jnp.stack(longest))


def wiring_stats(
  weights: jax.Array,
  edges: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
  num_inputs: int = 2,
  none: int = 0,
) -> WiringStats:
  """Return how a cell is wired.

  Args:
    weights: `f32[E, K]`, the distribution of every edge over its choices.
    edges: source and target of every edge, in topological order; by default
      those of a DARTS cell with E edges.
    num_inputs: how many of the first nodes are inputs.
    none: the choice that drops an edge.

  Returns:
    The numbers.

  References:
    Xie et al., 2021.
  """
  chex.assert_rank(weights, 2)
  if edges is None:
    edges = genotypes.edges(genotypes.num_nodes_of(len(weights)))
  source, target = map(np.asarray, edges)
  from_input = source < num_inputs
  mass = 1 - weights[:, none]
  active = jnp.argmax(weights, axis=-1) != none
  fed = jnp.zeros(1 + target.max(), bool).at[target].max(active & from_input)
  return WiringStats(
    none=weights[:, none],
    entropy=jax.scipy.special.entr(weights).sum(-1),
    active_mass=jnp.sum(mass),
    input_mass=jnp.sum(mass * from_input),
    intermediate_mass=jnp.sum(mass * ~from_input),
    depth=_depth(active, edges, num_inputs),
    width=jnp.sum(fed, dtype=jnp.int32),
  )
