"""Rank statistics: how well one score orders what another one measures.

Equations
  tau_b = (concordant - discordant) / sqrt((n0 - ties_a) (n0 - ties_b))
  (Kendall, The treatment of ties in ranking problems, 1945)

All but `expected_maximum` are pure functions of arrays that work inside `jit`
and `vmap`. Their memory is O(N^2): above a few thousand items, and outside
`jit`, `scipy.stats` is the better tool.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import special


def finite_or_worst(values: jax.Array) -> jax.Array:
  """Return the values with those that are not finite replaced by -inf."""
  return jnp.where(jnp.isfinite(values), values, -jnp.inf)


def _order(values):
  """Return the sign of every difference, `i32[N, N]`, 0 for ties."""
  values = finite_or_worst(values)
  above = values[:, None] > values[None, :]
  return above.astype(jnp.int32) - above.T.astype(jnp.int32)


def kendall_tau(a: jax.Array, b: jax.Array) -> jax.Array:
  """Return Kendall's rank correlation, the tau-b that corrects for ties.

  Args:
    a: one score of N items, `[N]`. Values that are not finite share the last
      place.
    b: another score of the same items, `[N]`.

  Returns:
    `f32[]` in [-1, 1]; NaN where one of the two is constant.

  References:
    Kendall, The treatment of ties in ranking problems, Biometrika 1945.
  """
  chex.assert_equal_shape([a, b])
  a, b = _order(a), _order(b)
  # Floats, because the product of two counts of pairs overflows int32.
  pairs = [jnp.sum(jnp.abs(sign)).astype(jnp.float32) for sign in (a, b)]
  return jnp.sum(a * b) / (jnp.sqrt(pairs[0]) * jnp.sqrt(pairs[1]))


def pairwise_accuracy(a: jax.Array, b: jax.Array) -> jax.Array:
  """Return the fraction of pairs that both scores order alike.

  Pairs that are tied in one of the scores are left out; without ties
  `tau = 2 accuracy - 1`.

  Args:
    a: one score of N items, `[N]`.
    b: another score of the same items, `[N]`.

  Returns:
    `f32[]` in [0, 1].
  """
  chex.assert_equal_shape([a, b])
  agreement = _order(a) * _order(b)
  return jnp.sum(agreement > 0) / jnp.sum(agreement != 0)


def ranks(values: jax.Array) -> jax.Array:
  """Return ranks from 1 (lowest) to N, `f32[N]`; ties share their mean."""
  order = _order(values)
  below = jnp.sum(order > 0, axis=1)
  ties = jnp.sum(order == 0, axis=1)
  return below + (ties + 1) / 2


def spearman(a: jax.Array, b: jax.Array) -> jax.Array:
  """Return Spearman's rank correlation: Pearson's of the ranks.

  Args:
    a: one score of N items, `[N]`.
    b: another score of the same items, `[N]`.

  Returns:
    `f32[]` in [-1, 1]; NaN where one of the two is constant.
  """
  chex.assert_equal_shape([a, b])
  return jnp.corrcoef(ranks(a), ranks(b))[0, 1]


def assembled(scores: jax.Array) -> jax.Array:
  """Return one score made of several: the sum of the logarithms of their ranks.

  `sum_k log(rank_k / N)`, so that a low rank in one of them weighs more than
  high ranks in others.

  Args:
    scores: M scores of N items, `[M, N]`, higher is better.

  Returns:
    `f32[N]`, 0 for an item that is best in all.

  References:
    Lee and Ham, AZ-NAS, 2024, https://arxiv.org/abs/2403.19232.
  """
  places = jax.vmap(ranks)(scores) / scores.shape[1]
  return jnp.sum(jnp.log(places), axis=0)


def precision_at_k(scores: jax.Array, values: jax.Array, k: int) -> jax.Array:
  """Return the fraction of the k best by score that are among the k best.

  Args:
    scores: the score to judge, `[N]`.
    values: the truth, `[N]`.
    k: size of both top lists; ties go to the item that comes first.

  Returns:
    `f32[]` in [0, 1].
  """
  chex.assert_equal_shape([scores, values])
  _, predicted = jax.lax.top_k(finite_or_worst(scores), k)
  _, actual = jax.lax.top_k(finite_or_worst(values), k)
  return jnp.mean(jnp.any(predicted[:, None] == actual[None, :], axis=1))


def expected_maximum(
  values: np.ndarray, num_draws: int, replace: bool = False
) -> float:
  """Return the exact expected result of random search over a table.

  With the values sorted, `v_(1) <= ... <= v_(N)`, and n draws,
  `E[max] = sum_k v_(k) (F(k) - F(k - 1))` where
  `F(k) = C(k, n) / C(N, n)` without and `(k / N)^n` with replacement.

  Args:
    values: the N values of the table, `[N]`, on the host.
    num_draws: n, the number of architectures that are drawn.
    replace: whether an architecture may be drawn twice.

  Returns:
    The expected maximum.

  Raises:
    ValueError: if more distinct items are drawn than there are.
  """
  values = np.sort(np.asarray(values, np.float64))
  size = len(values)
  if not 0 < num_draws or (not replace and num_draws > size):
    raise ValueError(
      f'num_draws must lie between 1 and the {size} values, got {num_draws}.'
    )
  rank = np.arange(size + 1)
  if replace:
    below = (rank / size) ** num_draws
  else:
    # log C(k, n) by log-gamma; fewer than n items cannot hold the maximum.
    usable = np.maximum(rank, num_draws)
    log_choose = (
      special.gammaln(usable + 1)
      - special.gammaln(num_draws + 1)
      - special.gammaln(usable - num_draws + 1)
    )
    below = np.where(rank < num_draws, 0.0, np.exp(log_choose - log_choose[-1]))
  return float(np.sum(values * np.diff(below)))
