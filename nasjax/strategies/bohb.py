"""BOHB: Hyperband whose new architectures come from a model of the old ones.

S. Falkner, A. Klein and F. Hutter, BOHB: Robust and Efficient Hyperparameter
Optimization at Scale, ICML 2018, https://arxiv.org/abs/1807.01774, algorithm 2:
a fraction rho of what starts in a bracket is random; the rest maximises the
ratio of the densities of good and bad architectures, both at the largest
fidelity of which there are at least N_min + 2 results.

Deviations
  * The brackets are Hyperband's: n = ceil((s_max + 1) / (s + 1) eta^s). The
    authors' code takes floor((s_max + 1) / (s + 1)) eta^s.
  * The authors' code fits no model before it has 2 N_min results, which leaves
    the two sets of architectures disjoint.
  * Results that are not finite are left out of the model.
  * Those of `estimators.parzen` and `strategies.tpe`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from nasjax.estimators import parzen
from nasjax.strategies import hyperband, tpe
from nasjax.types import Space, Strategy


def bohb(
  space: Space,
  fidelities: Sequence[float] = (1 / 27, 1 / 9, 1 / 3, 1),
  eta: float = 3,
  brackets: Sequence[int] | None = None,
  batch_size: int = 1,
  capacity: int = 1024,
  top: float = 0.15,
  min_bandwidth: float = 0.3,
  num_candidates: int = 64,
  bandwidth_factor: float = 1.0,
  random_fraction: float = 1 / 3,
  contains: tpe.Contains | None = None,
) -> Strategy:
  """Start the brackets of Hyperband with what a model expects to be good.

  Args:
    space: the space.
    fidelities: L budgets as fractions of the full one.
    eta: the best 1 / eta of a rung are promoted.
    brackets: see `hyperband.hyperband`.
    batch_size: B; the architectures of a proposal are of one rung.
    capacity: results of any fidelity that the model sees, the last ones.
    top: q, the fraction of good ones.
    min_bandwidth: h_min.
    num_candidates: architectures drawn from the density of good ones.
    bandwidth_factor: see `tpe.proposer`.
    random_fraction: rho.
    contains: see `tpe.proposer`.

  Returns:
    The strategy. Under `vmap` it fits in every `ask`, also in those that
    promote, so run its seeds one after another.

  Raises:
    ValueError: if arguments of Hyperband or of TPE cannot be.

  References:
    Falkner, Klein and Hutter, BOHB, ICML 2018, algorithm 2.
  """
  propose = tpe.proposer(
    space, num_candidates, bandwidth_factor, random_fraction, contains
  )
  fewest = parzen.min_points(space.mask) + 2

  def sample(key, told):
    has_enough = jnp.sum(jnp.isfinite(told.values), axis=0) >= fewest
    # The largest: the first from the end.
    level = has_enough.size - 1 - jnp.argmax(has_enough[::-1])
    at_level = told._replace(values=told.values[:, level])

    def from_model(key):
      model = parzen.fit(at_level, space.mask, top, min_bandwidth)
      return propose(key, model, told)

    return jax.lax.cond(jnp.any(has_enough), from_model, space.sample, key)

  return hyperband.hyperband(
    space, fidelities, eta, brackets, batch_size, sample, capacity
  )
