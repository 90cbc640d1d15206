"""ParEGO: Bayesian optimisation of several objectives by one at a time.

J. Knowles, ParEGO: A Hybrid Algorithm with On-line Landscape Approximation for
Expensive Multiobjective Optimization Problems, IEEE Transactions on
Evolutionary Computation 2006, https://doi.org/10.1109/TEVC.2005.851274,
sections III-A and III-B. Every proposal draws weights w of the M objectives,
puts each objective on [0, 1] by the lowest and the highest value told, and
maximises the expected improvement of

  s = -(max_m w_m g_m + rho sum_m w_m g_m),  g_m = 1 - normalised objective m,

the augmented Tchebyshev norm of the distance from the best of all.

Deviations
  * Objectives are to be maximised, and weights uniform on the simplex; the
    paper draws them from a grid of it.
  * The process has noise, and improvement is on the best of its means: values
    of one architecture differ where it is a generator, or trained from
    different weights. Its kernel has one length for all features.
  * Candidates are mutants and random architectures, not a genetic search.
"""

from collections.abc import Callable, Sequence
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.estimators import gaussian_process, graph_kernels
from nasjax.strategies import bayes_opt, model_based
from nasjax.types import Arch, Estimator, Space, Strategy
from nasjax.types import State as Pytree

RHO = 0.05


class State(NamedTuple):
  """The model of one combination of the objectives."""

  model: Pytree
  weights: jax.Array  # f32[M], by which it combines them


def scalarise(
  values: jax.Array, weights: jax.Array, rho: float = RHO
) -> jax.Array:
  """Return the augmented Tchebyshev scores of N items, higher is better.

  Args:
    values: M objectives, `[N, M]`; an item one of whose values is not finite
      has failed.
    weights: of the objectives, `[M]`, adding up to 1.
    rho: of the sum (paper: 0.05).

  Returns:
    `f32[N]`, 0 for an item that is best in everything, -inf where it failed.
  """
  known = jnp.all(jnp.isfinite(values), axis=1)
  rows = known[:, None]
  low = jnp.min(jnp.where(rows, values, jnp.inf), axis=0)
  high = jnp.max(jnp.where(rows, values, -jnp.inf), axis=0)
  span = jnp.where(high > low, high - low, 1.0)
  worse = (high[None] - jnp.where(rows, values, high[None])) / span[None]
  worse *= weights[None]
  scores = -(jnp.max(worse, axis=1) + rho * jnp.sum(worse, axis=1))
  return jnp.where(known, scores, -jnp.inf)


def parego(
  space: Space,
  features: Callable[[Arch], jax.Array],
  num_objectives: int = 2,
  num_initial: int = 16,
  batch_size: int = 1,
  capacity: int = 200,
  lengthscales: Sequence[float] = (0.1, 0.3, 1.0, 3.0, 10.0),
  noises: Sequence[float] = (1e-3, 1e-2, 0.1, 0.3, 1.0),
  num_mutants: int = 100,
  num_parents: int = 10,
  num_random: int = 200,
) -> Strategy:
  """Propose what promises most by weights that are drawn for every proposal.

  Args:
    space: the space.
    features: `(arch) -> f32[F]`, by whose distances architectures are alike.
    num_objectives: M; values that are told are `[B, M]`.
    num_initial: random architectures before the first fit (paper: 11 F - 1).
    batch_size: architectures of one proposal, all by the same weights (1).
    capacity: architectures that can be told before the oldest are forgotten.
    lengthscales: of the kernel, to choose among, in squares of distances.
    noises: variances to choose among, for scores of variance one.
    num_mutants: in the pool of candidates.
    num_parents: of the mutants, the best by the same weights.
    num_random: random architectures in the pool.

  Returns:
    The strategy; see `model_based`. The front is that of all that was told,
    `searches.multi_objective` keeps it.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    Knowles, ParEGO, 2006.
  """
  kernel = graph_kernels.squared_exponential(features, lengthscales)
  process = gaussian_process.gaussian_process(space, kernel, capacity, noises)
  predict = functools.partial(gaussian_process.predict, kernel)
  pool = bayes_opt.joined(
    bayes_opt.mutants(space, num_mutants, num_parents),
    bayes_opt.random_pool(space, num_random),
  )
  propose_one = bayes_opt.bayes_opt(
    space,
    predict,
    pool,
    batch_size,
    incumbent=bayes_opt.best_mean(predict),
  )

  def combined(told, weights):
    return told._replace(values=scalarise(told.values, weights))

  def init(key):
    uniform = jnp.full(num_objectives, 1 / num_objectives, jnp.float32)
    return State(process.init(key), uniform)

  def update(key, state, told):
    fit_key, weight_key = jax.random.split(key)
    weights = jax.random.dirichlet(weight_key, jnp.ones(num_objectives))
    fitted, metrics = process.update(
      fit_key, state.model, combined(told, weights)
    )
    return State(fitted, weights), metrics

  def score(key, state, arch):
    return process.score(key, state.model, arch)

  def propose(key, state, told: archive.Archive):
    return propose_one(key, state.model, combined(told, state.weights))

  return model_based.model_based(
    space,
    Estimator(init, update, score),
    propose,
    num_initial,
    batch_size,
    capacity,
    num_objectives,
  )
