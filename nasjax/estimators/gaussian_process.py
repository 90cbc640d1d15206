"""Exact Gaussian process regression of what an archive knows.

C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning,
2006, https://gaussianprocess.org/gpml, algorithm 2.1: with K the Gram matrix of
the n architectures and y their values less the mean over the deviation,

  L L^T = K + noise I,  alpha = (K + noise I)^-1 y
  log p(y) = -y^T alpha / 2 - sum_i log L_ii - n log(2 pi) / 2
  mean(x) = k(x)^T alpha,  variance(x) = k(x, x) - |L^-1 k(x)|^2

The setting of the kernel and the noise are those of highest log p(y) on a grid.
As a model of Bayesian optimisation: B. Ru et al., Interpretable Neural
Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels
(NAS-BOWL), ICLR 2021, https://arxiv.org/abs/2006.07556.

The archive has N slots of which n are filled. Empty slots, and values that are
not finite, are rows of the identity, which all of the above leaves as it is.

Deviations
  * NAS-BOWL takes 20 steps of Adam on the noise, up to 0.01, for the depth that
    was best with the first noise; here all pairs are compared.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import linalg
import numpy as np

from nasjax import archive
from nasjax.estimators import graph_kernels
from nasjax.types import Arch, Estimator, Space


class State(NamedTuple):
  """The process given what is known."""

  features: Any  # [N, ...] of the architectures of the archive
  known: jax.Array  # bool[N] slots with a finite value
  cholesky: jax.Array  # f32[N, N] L, the identity where nothing is known
  weights: jax.Array  # f32[N] alpha, zero where nothing is known
  setting: Any  # of the kernel
  noise: jax.Array  # f32[] variance, for targets of variance one
  mean: jax.Array  # f32[] of the targets
  scale: jax.Array  # f32[] their standard deviation


def negative_log_error(ceiling: float) -> Callable[[jax.Array], jax.Array]:
  """Return `-log(ceiling - value)`, which spreads out the best values.

  Args:
    ceiling: the value without error: 1 for accuracies, 100 in percent.

  Returns:
    The transformation; increasing, finite below the ceiling.
  """
  return lambda values: -jnp.log(ceiling - values)


def condition(
  gram: jax.Array, targets: jax.Array, known: jax.Array, noise: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Return the process given n targets, and how likely they are.

  Args:
    gram: K, `[N, N]`; only rows and columns of what is known are read.
    targets: y, `[N]`.
    known: which of the N there are, `bool[N]`.
    noise: variance of the noise.

  Returns:
    `L [N, N]`, `alpha [N]` and the logarithm of the marginal likelihood.

  References:
    Rasmussen and Williams, 2006, algorithm 2.1.
  """
  gram = jnp.where(known[:, None] & known[None, :], gram, 0)
  targets = jnp.where(known, targets, 0)
  cholesky = jnp.linalg.cholesky(gram + jnp.diag(jnp.where(known, noise, 1)))
  weights = linalg.cho_solve((cholesky, True), targets)
  likelihood = (
    -targets @ weights / 2
    - jnp.sum(jnp.log(jnp.diag(cholesky)))
    - jnp.sum(known) * np.log(2 * np.pi) / 2
  )
  return cholesky, weights, likelihood


def posterior(
  cholesky: jax.Array,
  weights: jax.Array,
  known: jax.Array,
  cross: jax.Array,
  prior: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Return mean and variance at M points.

  Args:
    cholesky: L, `[N, N]`, of `condition`.
    weights: alpha, `[N]`.
    known: `bool[N]`.
    cross: kernel of the points and the N, `[M, N]`.
    prior: variance before anything is known, `[M]`.

  Returns:
    Both `[M]`; the variance is that of the function, without noise.

  References:
    Rasmussen and Williams, 2006, algorithm 2.1.
  """
  cross = jnp.where(known[None, :], cross, 0)
  solved = linalg.solve_triangular(cholesky, cross.T, lower=True)
  variance = prior - jnp.sum(solved**2, axis=0)
  return cross @ weights, jnp.maximum(variance, 0)


def _standardise(values, known):
  """Targets of mean 0 and deviation 1 over what is known, and both."""
  count = jnp.maximum(jnp.sum(known), 1)
  values = jnp.where(known, values, 0)
  mean = jnp.sum(values) / count
  centred = jnp.where(known, values - mean, 0)
  scale = jnp.sqrt(jnp.sum(centred**2) / count)
  # Values that are all equal are a constant, not a division by zero.
  scale = jnp.where(scale > 0, scale, 1)
  return centred / scale, mean, scale


def predict(
  kernel: graph_kernels.Kernel, state: State, archs: Arch
) -> tuple[jax.Array, jax.Array]:
  """Return what the process believes of M architectures.

  Args:
    kernel: that of the estimator.
    state: of the estimator.
    archs: pytree of `[M, ...]`.

  Returns:
    Mean and standard deviation, `f32[M]`, in the unit of the (transformed)
    values.
  """
  features = jax.vmap(kernel.features)(archs)
  cross = kernel.gram(state.setting, features, state.features)
  mean, variance = posterior(
    state.cholesky,
    state.weights,
    state.known,
    cross,
    jnp.ones(cross.shape[0], cross.dtype),
  )
  return state.mean + state.scale * mean, state.scale * jnp.sqrt(variance)


def gaussian_process(
  space: Space,
  kernel: graph_kernels.Kernel,
  capacity: int,
  noises: Sequence[float] = (1e-4, 1e-3, 1e-2),
  transform: Callable[[jax.Array], jax.Array] | None = None,
) -> Estimator:
  """Return the score that a Gaussian process expects.

  `update` takes an `archive.Archive` and conditions the process on all of its
  finite values, of which it keeps nothing but what it needs to predict.

  Metrics: `log_likelihood` and `noise`, the ones chosen.

  Args:
    space: the space.
    kernel: see `graph_kernels`; its settings are chosen among.
    capacity: N, that of the archive; time grows with its cube, so no more than
      about 500.
    noises: variances to choose among, for values of variance one. In 32 bits
      less than about 1e-5 is nothing where two architectures are alike.
    transform: increasing function of the values that is modelled instead, for
      example `negative_log_error(100)`; scores are in its unit then.

  Returns:
    The estimator; `predict` gives its standard deviation as well.

  Raises:
    ValueError: if there is no noise, or if a batch has another capacity.

  References:
    Rasmussen and Williams, 2006, algorithm 2.1; Ru et al., 2021, section 3.
  """
  if not noises or min(noises) <= 0:
    raise ValueError(f'noises are positive variances, got {tuple(noises)}.')
  noises = jnp.asarray(noises, jnp.float32)

  def fit(told):
    features = jax.vmap(kernel.features)(told.archs)
    values = told.values if transform is None else transform(told.values)
    known = jnp.isfinite(told.values) & jnp.isfinite(values)
    targets, mean, scale = _standardise(values, known)

    def likelihood(setting):
      gram = kernel.gram(setting, features, features)
      at = lambda noise: condition(gram, targets, known, noise)[2]
      return jax.vmap(at)(noises)

    # A Cholesky that failed is no candidate.
    table = jax.lax.map(likelihood, kernel.settings)
    table = jnp.where(jnp.isfinite(table), table, -jnp.inf)
    chosen = jnp.argmax(table)
    setting = jax.tree.map(
      lambda leaf: leaf[chosen // len(noises)], kernel.settings
    )
    noise = noises[chosen % len(noises)]
    gram = kernel.gram(setting, features, features)
    cholesky, weights, log_likelihood = condition(gram, targets, known, noise)
    state = State(
      features, known, cholesky, weights, setting, noise, mean, scale
    )
    return state, {'log_likelihood': log_likelihood, 'noise': noise}

  def init(key):
    return fit(archive.create(space.sample(key), capacity))[0]

  def update(key, state, told):
    del key, state
    if archive.capacity(told) != capacity:
      raise ValueError(
        f'The process was made for an archive of {capacity} slots, got one of '
        f'{archive.capacity(told)}.'
      )
    return fit(told)

  def score(key, state, arch):
    del key
    one = jax.tree.map(lambda leaf: leaf[None], arch)
    return predict(kernel, state, one)[0][0]

  return Estimator(init, update, score)
