"""How much an evaluation promises, given what a model believes.

A belief about N candidates is a mean and a standard deviation each. Higher is
better throughout; `best` is the value to improve on.

  J. Mockus, V. Tiesis and A. Zilinskas, The Application of Bayesian Methods for
  Seeking the Extremum, 1978 (expected improvement)
  H. J. Kushner, A New Method of Locating the Maximum Point of an Arbitrary
  Multipeak Curve in the Presence of Noise, 1964 (probability of improvement)
  N. Srinivas et al., Gaussian Process Optimization in the Bandit Setting, 2010,
  https://arxiv.org/abs/0912.3995 (upper confidence bound)
  W. R. Thompson, On the Likelihood that One Unknown Probability Exceeds Another
  in View of the Evidence of Two Samples, 1933
  C. White, W. Neiswanger and Y. Savani, BANANAS: Bayesian Optimization with
  Neural Architectures for Neural Architecture Search, 2021,
  https://arxiv.org/abs/1910.11858 (independent Thompson sampling)
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy import stats

from nasjax.types import Key

Acquisition = Callable[[Key, jax.Array, jax.Array, jax.Array], jax.Array]


def expected_improvement(
  key: Key, mean: jax.Array, std: jax.Array, best: jax.Array
) -> jax.Array:
  """Return `E[max(f - best, 0)] = s (z Phi(z) + phi(z)), z = (m - best) / s`.

  Args:
    key: not used.
    mean: m, `f32[N]`.
    std: s, `f32[N]`; where it is zero the improvement is that of the mean.
    best: the value to improve on, `f32[]`.

  Returns:
    `f32[N]`.
  """
  del key
  gain = mean - best
  safe = jnp.where(std > 0, std, 1.0)
  z = gain / safe
  expected = safe * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
  return jnp.where(std > 0, expected, jnp.maximum(gain, 0.0))


def probability_of_improvement(
  key: Key, mean: jax.Array, std: jax.Array, best: jax.Array
) -> jax.Array:
  """Return `P(f > best) = Phi((m - best) / s)`.

  Args:
    key: not used.
    mean: m, `f32[N]`.
    std: s, `f32[N]`; where it is zero the probability is 0 or 1.
    best: the value to improve on, `f32[]`.

  Returns:
    `f32[N]`.
  """
  del key
  gain = mean - best
  probability = stats.norm.cdf(gain / jnp.where(std > 0, std, 1.0))
  return jnp.where(std > 0, probability, (gain > 0).astype(mean.dtype))


def upper_confidence_bound(weight: float = 0.5) -> Acquisition:
  """Return the acquisition `m + weight s`.

  Args:
    weight: how much a standard deviation is worth (BANANAS: 0.5); 0 is the
      mean, a ranking by the prediction alone.

  Returns:
    `(key, mean, std, best) -> f32[N]`, without randomness.
  """

  def bound(key, mean, std, best):
    del key, best
    return mean + weight * std

  return bound


def thompson_sampling(
  key: Key, mean: jax.Array, covariance: jax.Array, best: jax.Array
) -> jax.Array:
  """Return one draw of all values from their joint distribution.

  Args:
    key: random key.
    mean: m, `f32[N]`.
    covariance: of the N values, `f32[N, N]`, positive semi-definite.
    best: not used.

  Returns:
    `f32[N]`, a sample of `N(m, covariance)`.
  """
  del best
  # This root exists where candidates are equal; that of Cholesky does not.
  return jax.random.multivariate_normal(key, mean, covariance, method='svd')


def independent_thompson_sampling(
  key: Key, mean: jax.Array, std: jax.Array, best: jax.Array
) -> jax.Array:
  """Return a draw of each value from its own `N(m, s^2)`.

  Args:
    key: random key.
    mean: m, `f32[N]`.
    std: s, `f32[N]`.
    best: not used.

  Returns:
    `f32[N]`.

  References:
    White, Neiswanger and Savani, BANANAS, 2021, section 4.
  """
  del best
  return mean + std * jax.random.normal(key, mean.shape, mean.dtype)
