"""Several objectives at once: dominance, fronts, crowding and hypervolume.

K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, A Fast and Elitist
Multiobjective Genetic Algorithm: NSGA-II, IEEE Transactions on Evolutionary
Computation 2002, https://doi.org/10.1109/4235.996017, sections III-A and III-B.
All objectives are to be maximised. An item one of whose values is not finite
failed: it is dominated by every item that did not.
"""

import chex
import jax
import jax.numpy as jnp


def _finite_or_worst(values):
  finite = jnp.all(jnp.isfinite(values), axis=-1, keepdims=True)
  return jnp.where(finite, values, -jnp.inf)


def dominates(values: jax.Array) -> jax.Array:
  """Return `bool[N, N]`: is row i as good everywhere and better somewhere?

  Args:
    values: M objectives of N items, `[N, M]`, all to be maximised.

  Returns:
    Matrix whose entry (i, j) says that i dominates j.
  """
  values = _finite_or_worst(values)
  as_good = jnp.all(values[:, None] >= values[None, :], axis=-1)
  return as_good & ~as_good.T


def non_dominated_ranks(values: jax.Array) -> jax.Array:
  """Return the front of every item: 0 for the Pareto set, then peel it off.

  Args:
    values: M objectives of N items, `[N, M]`, all to be maximised.

  Returns:
    `i32[N]`.

  References:
    Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II,
    2002.
  """
  better = dominates(values)

  def peel(state):
    front, ranks_so_far, left = state
    free = left & ~jnp.any(better & left[:, None], axis=0)
    return front + 1, jnp.where(free, front, ranks_so_far), left & ~free

  num_items = values.shape[0]
  start = (
    jnp.int32(0),
    jnp.zeros(num_items, jnp.int32),
    jnp.ones(num_items, bool),
  )
  return jax.lax.while_loop(lambda state: jnp.any(state[2]), peel, start)[1]


def crowding_distance(values: jax.Array, fronts: jax.Array) -> jax.Array:
  """Return how far the neighbours of every item on its front are apart.

  Per objective: the gap between the next lower and the next higher value on
  the same front over the front's range; summed over objectives, infinite at
  both ends.

  Args:
    values: M objectives of N items, `[N, M]`.
    fronts: the front of every item, `i32[N]`, see `non_dominated_ranks`.

  Returns:
    `f32[N]`, 0 for items that failed.

  References:
    Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II,
    2002.
  """
  finite = jnp.all(jnp.isfinite(values), axis=-1)
  same = fronts[:, None] == fronts[None, :]

  def along(column):
    # Ties are ordered by position, as a stable sort would.
    place = jnp.argsort(jnp.argsort(column))
    higher = same & (place[None, :] > place[:, None])
    lower = same & (place[None, :] < place[:, None])
    above = jnp.min(jnp.where(higher, column[None, :], jnp.inf), axis=1)
    below = jnp.max(jnp.where(lower, column[None, :], -jnp.inf), axis=1)
    span = jnp.max(
      jnp.where(same, column[None, :], -jnp.inf), axis=1
    ) - jnp.min(jnp.where(same, column[None, :], jnp.inf), axis=1)
    return (above - below) / jnp.where(span > 0, span, 1.0)

  distances = jnp.sum(jax.vmap(along, in_axes=1)(values), axis=0)
  return jnp.where(finite, distances, 0.0)


def non_dominated(values: jax.Array) -> jax.Array:
  """Return which items are on the Pareto front, those that failed never are.

  Args:
    values: M objectives of N items, `[N, M]`, all to be maximised.

  Returns:
    `bool[N]`; of equal items all or none.
  """
  finite = jnp.all(jnp.isfinite(values), axis=-1)
  return finite & ~jnp.any(dominates(values), axis=0)


def hypervolume(values: jax.Array, reference: jax.Array) -> jax.Array:
  """Return the area that some items dominate, above a point of reference.

  With the items by falling first objective, `x_1 >= ... >= x_N`, it is
  `sum_i (x_i - x_(i + 1)) max_(j <= i) y_j`, both counted from the reference.

  Args:
    values: two objectives of N items, `[N, 2]`, both to be maximised.
    reference: the point that is as bad as nothing, `[2]`; items that are not
      better in both objectives do not count.

  Returns:
    `f32[]`.

  References:
    Zitzler and Thiele, Multiobjective Evolutionary Algorithms: A Comparative
    Case Study and the Strength Pareto Approach, 1999.
  """
  chex.assert_shape(values, (None, 2))
  above = _finite_or_worst(values) - jnp.asarray(reference)[None]
  # Without this an item outside would still widen the steps of the others.
  above = jnp.where(jnp.all(above > 0, axis=-1, keepdims=True), above, 0.0)
  above = above[jnp.argsort(-above[:, 0])]
  widths = above[:, 0] - jnp.append(above[1:, 0], 0.0)
  return jnp.sum(widths * jax.lax.cummax(above[:, 1]))
