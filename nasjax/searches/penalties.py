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
"""

from collections.abc import Callable

import jax
from jax import flatten_util
import jax.numpy as jnp
import optax

from nasjax.types import Arch, Params

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


def zero_one(weight: Weight = 10.0) -> Penalty:
  """Reward independent choices for being far from a half.

    -weight * mean (c - 1/2)^2

  Args:
    weight: factor of the penalty (FairDARTS: 10).

  Returns:
    A penalty for relaxed architectures with entries in `[0, 1]`, as from a
    sigmoid; its gradient vanishes at a half.
  """

  def penalty(arch_params, arch, step):
    del arch_params
    return -_at(weight, step) * jnp.mean((_entries(arch) - 0.5) ** 2)

  return penalty
