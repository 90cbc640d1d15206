"""Alternating directions towards a discrete architecture, for any optimiser.

  min_a L(a)  s.t.  a discrete:   L(a) + rho / 2 |a - Z + U|^2

`a` are the relaxed weights of the operations, `Z` is the 0/1 matrix that is
derived from `a + U`, and `U` adds up what is left between them.

Maile, Lecarpentier, Luga, Wilson, On Constrained Optimization in Differentiable
Neural Architecture Search, 2021, https://arxiv.org/abs/2106.11655v1.

Deviations from the authors' program:
  The distance is squared, as the method asks; `squared=False` is theirs.
  Z and U are both of relaxed weights; theirs takes U of the parameters.
  Z and U are renewed every 10th architecture step; theirs counts 9.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax.searches import penalties
from nasjax.types import Arch, Params


class AdmmState(NamedTuple):
  """State of the transformation."""

  count: jax.Array  # i32[] architecture steps done
  target: Arch  # Z, pytree of f32[D, K]
  dual: Arch  # U, pytree of f32[D, K]


def admm(
  relax: Callable[[Params], Arch],
  rho: float = 0.1,
  period: int = 10,
  decay: float = 1.0,
  derive: Callable[[Arch], Arch] | None = None,
  none: int | None = 0,
  squared: bool = True,
) -> optax.GradientTransformation:
  """Add the gradient of the augmented Lagrangian to that of the loss.

  Being the first link of the architecture's optimiser it sees every
  architecture step and no other, whatever the schedule:
  `optax.chain(admm(...), optax.adam(3e-4))`. Every `period` steps

    Z <- derived matrix of a + U,    U <- decay U + a - Z.

  Choices of weight zero, pruned or forbidden, are left out.

  Args:
    relax: `(arch_params) -> arch`, the relaxed weights: `sample` of a
      distribution that is not random.
    rho: weight of the penalty (authors' program: 0.1).
    period: architecture steps between two renewals (authors' program: 10).
    decay: kappa, what is kept of U (ADMM: 1; authors' program: 0.2).
    derive: `(weights) -> arch`, the rule of the space; by default the largest
      weight of each decision.
    none: the choice of no connection, which is a row of zeros; None where there
      is none.
    squared: whether the distance of each leaf is squared.

  Returns:
    The transformation; its updates need the parameters.

  Raises:
    ValueError: if the period is not positive.

  References:
    Maile et al., 2021, https://arxiv.org/abs/2106.11655v1.
  """
  if period < 1:
    raise ValueError(f'period must be at least 1, got {period}.')

  def init(params):
    weights = relax(params)
    return AdmmState(
      jnp.zeros((), jnp.int32), weights, optax.tree.zeros_like(weights)
    )

  def renew(weights, dual):
    target = penalties.derived_matrix(
      optax.tree.add(weights, dual), derive, none
    )
    dual = jax.tree.map(
      lambda a, z, u: jnp.where(a != 0, decay * u + a - z, 0.0),
      weights,
      target,
      dual,
    )
    return target, dual

  def update(updates, state, params=None):
    if params is None:
      raise ValueError('admm needs the parameters that it updates.')
    is_due = (state.count > 0) & (state.count % period == 0)
    target, dual = jax.tree.map(
      lambda new, old: jnp.where(is_due, new, old),
      renew(relax(params), state.dual),
      (state.target, state.dual),
    )

    def penalty(params):
      gap = jax.tree.map(
        lambda a, z, u: jnp.where(a != 0, a - z + u, 0.0),
        relax(params),
        target,
        dual,
      )
      return rho / 2 * penalties.length(gap, squared)

    updates = optax.tree.add(updates, jax.grad(penalty)(params))
    return updates, AdmmState(state.count + 1, target, dual)

  return optax.GradientTransformation(init, update)
