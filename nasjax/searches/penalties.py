"""Terms added to the validation loss in the architecture step.

Each factory returns `penalty(arch_params, arch, step) -> f32[]` of the
distribution's parameters, of the relaxed architecture sampled from them and of
the number of the step. A weight may be a number or a schedule of the step.

References:
  Chu, Zhou, Zhang, Li, Fair DARTS: Eliminating Unfair Advantages in
  Differentiable Architecture Search, 2020, https://arxiv.org/abs/1911.12126,
  zero-one loss.
  Cai, Zhu, Han, ProxylessNAS: Direct Neural Architecture Search on Target Task
  and Hardware, 2019, https://arxiv.org/abs/1812.00332, expected latency.
  Maile, Lecarpentier, Luga, Wilson, DARTS-PRIME: Regularization and Scheduling
  Improve Constrained Optimization in Differentiable NAS, 2021,
  https://arxiv.org/abs/2106.11655, proximity.
"""

from collections.abc import Callable
import math

import jax
from jax import flatten_util, lax
import jax.numpy as jnp
import optax

from nasjax.types import Arch, Mask, Params

Penalty = Callable[[Params, Arch, jax.Array], jax.Array]
Weight = float | jax.Array | optax.Schedule


def _at(weight, step):
  return weight(step) if callable(weight) else weight


def _entries(tree):
  return flatten_util.ravel_pytree(tree)[0]


def expected_cost(
  cost: Callable[[Arch], jax.Array], weight: Weight, target: float = 1.0
) -> Penalty:
  """Penalise what an architecture is expected to cost.

    weight * (cost(arch) - target) / target

  The offset moves no gradient: the penalty is zero at the target.

  Args:
    cost: differentiable function of a relaxed architecture, such as the sum of
      `choice.select(choice, table)` or a learned latency.
    weight: factor of the penalty.
    target: cost in the unit of `cost` that counts as 1.

  Returns:
    A penalty.
  """

  def penalty(arch_params, arch, step):
    del arch_params
    return _at(weight, step) * (cost(arch) / target - 1)

  return penalty


def entropy(weight: Weight) -> Penalty:
  """Penalise undecided choices by their mean entropy, in nats.

    weight * mean_d sum_k -p_dk log p_dk

  Args:
    weight: factor of the penalty; negative values reward exploration.

  Returns:
    A penalty for relaxed architectures whose rows are distributions.
  """

  def penalty(arch_params, arch, step):
    del arch_params
    rows = jax.tree.map(lambda c: jax.scipy.special.entr(c).sum(-1), arch)
    return _at(weight, step) * jnp.mean(_entries(rows))

  return penalty


def l2(weight: Weight) -> Penalty:
  """Penalise large parameters: `weight / 2 * sum a^2`.

  Under plain gradient descent this is the same as weight decay.

  Args:
    weight: factor of the penalty.

  Returns:
    A penalty.
  """

  def penalty(arch_params, arch, step):
    del arch
    return _at(weight, step) / 2 * optax.tree.norm(arch_params, squared=True)

  return penalty


def zero_one(weight: Weight = 10.0, mask: Mask | None = None) -> Penalty:
  """Reward independent choices for being far from a half.

    -weight * mean (c - 1/2)^2

  Args:
    weight: factor of the penalty (FairDARTS: 10).
    mask: pytree of `bool[D, K]`, the choices that the mean is over; None for
      all.

  Returns:
    A penalty for relaxed architectures with entries in `[0, 1]`, as from a
    sigmoid; its gradient vanishes at a half.
  """

  def penalty(arch_params, arch, step):
    del arch_params
    rows = arch if mask is None else jax.tree.map(lambda c, m: c[m], arch, mask)
    return -_at(weight, step) * jnp.mean((_entries(rows) - 0.5) ** 2)

  return penalty


def derived_matrix(
  arch: Arch,
  derive: Callable[[Arch], Arch] | None = None,
  none: int | None = 0,
) -> Arch:
  """Return the 0/1 matrices of the architecture that relaxed choices stand for.

  Args:
    arch: pytree of `f32[D, K]`.
    derive: `(arch) -> arch`, the rule of the space, such as
      `darts_cell.derive`; by default the largest weight of each decision.
    none: the choice of no connection, whose rows are zero; None where there is
      none.

  Returns:
    Pytree of `f32[D, K]`, a constant for gradients.
  """
  chosen = (
    jax.tree.map(lambda leaf: jnp.argmax(leaf, axis=-1), arch)
    if derive is None
    else derive(arch)
  )

  def matrix(leaf, index):
    rows = jax.nn.one_hot(index, leaf.shape[-1], dtype=leaf.dtype)
    return rows if none is None else rows.at[..., none].set(0)

  return lax.stop_gradient(jax.tree.map(matrix, arch, chosen))


def length(tree: Params, squared: bool = False) -> jax.Array:
  """Return the sum over leaves of their norms, which is smooth enough at zero.

  Args:
    tree: pytree of float arrays.
    squared: whether norms are squared.

  Returns:
    `f32[]`, whose gradient at a leaf of zeros is zero, not NaN.
  """
  norm = lambda flat: optax.safe_norm(flat, 0.0)
  of_leaf = (lambda flat: jnp.sum(flat**2)) if squared else norm
  return sum(of_leaf(jnp.ravel(leaf)) for leaf in jax.tree.leaves(tree))


def proximity(
  weight: Weight,
  derive: Callable[[Arch], Arch] | None = None,
  none: int | None = 0,
  squared: bool = False,
) -> Penalty:
  """Penalise the distance to the derived architecture, each leaf by its norm.

    weight / 2 * sum_leaves |arch - derived(arch)|

  Args:
    weight: factor of the penalty; `rho t / T` in the paper, so
      `optax.linear_schedule(0, rho, T)` (authors' program: rho 0.1).
    derive: as in `derived_matrix`; so is `none`.
    none: the choice of no connection, or None.
    squared: whether norms are squared; not in the authors' program.

  Returns:
    A penalty.

  References:
    DARTS-PRIME, https://arxiv.org/abs/2106.11655.
  """

  def penalty(arch_params, arch, step):
    del arch_params
    gap = optax.tree.sub(arch, derived_matrix(arch, derive, none))
    return _at(weight, step) / 2 * length(gap, squared)

  return penalty


def adjusted_proximity(
  weight: Weight,
  progress: optax.Schedule,
  derive: Callable[[Arch], Arch] | None = None,
  none: int | None = 0,
) -> Penalty:
  """Penalise the distance, at first only of weights that have taken a side.

    weight / 2 * sum_leaves |(arch - derived(arch)) ((1 - p) q + p)|
    q = 4 (arch^(log 2 / log O) - 1/2)^2

  of O operations: q is 0 at the undecided weight 1 / O and 1 at 0 and 1. Below
  1e-4, where its slope has no bound, q does not change.

  Args:
    weight: factor of the penalty.
    progress: p from 0 to 1 by the step.
    derive: as in `derived_matrix`; so is `none`.
    none: the choice of no connection, or None; it counts as no operation.

  Returns:
    A penalty for weights in `[0, 1]`.
  """

  def penalty(arch_params, arch, step):
    del arch_params
    p = progress(step)

    def adjusted(leaf, derived):
      power = math.log(2) / math.log(leaf.shape[-1] - (none is not None))
      q = 4 * (jnp.maximum(leaf, 1e-4) ** power - 0.5) ** 2
      return (leaf - derived) * ((1 - p) * q + p)

    gap = jax.tree.map(adjusted, arch, derived_matrix(arch, derive, none))
    return _at(weight, step) / 2 * length(gap)

  return penalty
