"""What a relaxed architecture costs, and how that enters its loss.

A cost that was learned from discrete architectures has not seen mixtures, so
there are several ways to ask it about the probabilities p of a search:

  soft      cost(p)
  derived   cost(one_hot(derive(p))), with the gradient of p (straight through)
  sampled   the mean of cost(one_hot(z)) over samples z of p, likewise

Each is `(key, arch) -> f32[]`. A cost is added to the loss by `penalty`, or
multiplied with it by `scaled`, the two losses of the program of ProxylessNAS:

  add#linear   L + lambda (E - T) / T
  mul#log      L alpha (log E / log T)^beta

H. Cai, L. Zhu and S. Han, ProxylessNAS, 2019, https://arxiv.org/abs/1812.00332.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax.distributions import logits as logits_lib
from nasjax.searches import descent, penalties
from nasjax.types import Arch, Key

Cost = Callable[[Arch], jax.Array]
Expected = Callable[[Key, Arch], jax.Array]


def soft(cost: Cost) -> Expected:
  """Return the cost of the mixture itself."""
  return lambda key, arch: cost(arch)


def derived(
  cost: Cost, derive: Callable[[Arch], Arch] | None = None
) -> Expected:
  """Return the cost of the derived architecture, straight through.

  Args:
    cost: differentiable function of relaxed architectures.
    derive: `(arch) -> arch`, the rule of the space; None for the largest weight
      of every decision.

  Returns:
    `(key, arch) -> f32[]`, exactly the cost of the derived architecture.
  """

  def of(key, arch):
    del key
    # Options that are dropped count too: their entry in a code is `none`.
    hard = penalties.derived_matrix(arch, derive, none=None)
    return cost(jax.tree.map(logits_lib.straight_through, hard, arch))

  return of


def sampled(cost: Cost, num_samples: int = 4) -> Expected:
  """Return the mean cost of architectures that are drawn, straight through.

  A sample is the largest entry of `y = softmax(log p + G)`, its gradient that
  of y.

  Args:
    cost: differentiable function of relaxed architectures.
    num_samples: S.

  Returns:
    `(key, arch) -> f32[]`.
  """
  tiny = jnp.finfo(jnp.float32).tiny

  def draw(key, logits):
    samples = logits_lib.gumbel_softmax(key, logits, 1.0)
    return jax.tree.map(
      lambda y: logits_lib.straight_through(
        jax.nn.one_hot(jnp.argmax(y, -1), y.shape[-1]), y
      ),
      samples,
    )

  def of(key, arch):
    # A masked option has weight zero; it is not drawn and has no gradient.
    logits = jax.tree.map(
      lambda p: jnp.where(p > 0, jnp.log(jnp.maximum(p, tiny)), -jnp.inf), arch
    )
    keys = jax.random.split(key, num_samples)
    return jnp.mean(jax.vmap(lambda key: cost(draw(key, logits)))(keys))

  return of


def penalty(
  expected: Expected, weight: penalties.Weight, target: float = 1.0
) -> penalties.Penalty:
  """Return `weight (expected - target) / target`, to be added to a loss.

  Args:
    expected: from above; its key depends on the number of the step alone.
    weight: lambda, a number or a schedule.
    target: T, the cost that counts as 1.

  Returns:
    A penalty.
  """

  def of(arch_params, arch, step):
    key = jax.random.fold_in(jax.random.key(0), step)
    cost = lambda arch: expected(key, arch)
    return penalties.expected_cost(cost, weight, target)(
      arch_params, arch, step
    )

  return of


def scaled(
  loss: descent.Loss,
  expected: Expected,
  target: float,
  scale: float = 1.0,
  exponent: float = 0.6,
) -> descent.Loss:
  """Return the loss times `scale (log expected / log target)^exponent`.

  Args:
    loss: of weights and a relaxed architecture.
    expected: from above, in a unit in which costs are larger than 1 (ms); what
      is less counts as 1 and has no gradient.
    target: T, in the same unit.
    scale: alpha (program of ProxylessNAS: 1, its example 0.2).
    exponent: beta (program of ProxylessNAS: 0.6, its example 0.3).

  Returns:
    The loss, with the metric 'cost'.

  Raises:
    ValueError: if the target has no positive logarithm.
  """
  if target <= 1:
    raise ValueError(
      f'A cost enters by log E / log T with T > 1, got T = {target}: use '
      'another unit.'
    )

  def of(weights, arch, key, batch):
    loss_key, cost_key = jax.random.split(key)
    value, metrics = loss(weights, arch, loss_key, batch)
    cost = expected(cost_key, arch)
    # A power has no gradient at zero, so costs stop a bit above 1.
    ratio = jnp.log(jnp.maximum(cost, 1 + 1e-6)) / jnp.log(target)
    return value * scale * ratio**exponent, dict(metrics, cost=cost)

  return of
