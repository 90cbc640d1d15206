"""One-hot samples whose gradient is that of DSNAS or of ProxylessNAS.

A sample Z ~ Cat(p), p = softmax(alpha), is an architecture in relaxed form, so
the gradient c = dL / dZ of a loss is the cost of every operation where the
drawn one, s, is used. What reaches the logits of its decision is

  score    c_s (1[k = s] - p_k) = c_s d log p_s / d alpha_k           DSNAS
  softmax  sum_m c_m p_m (1[k = m] - p_k) = p_k (c_k - p . c)  ProxylessNAS

For costs that do not depend on Z the mean of the first is the second, which is
also what the mixture of DARTS gives. Of costs that do, both are unbiased for
E[sum_d c_ds d log p_ds], not for the gradient of E[L(Z)]: the loss is replaced
by its linear part at Z.

S. Hu, S. Xie, H. Zheng, C. Liu, J. Shi, X. Liu and D. Lin, DSNAS: Direct Neural
Architecture Search without Parameter Retraining, CVPR 2020,
https://arxiv.org/abs/2002.09128; H. Cai, L. Zhu and S. Han, ProxylessNAS, ICLR
2019, https://arxiv.org/abs/1812.00332, equation 4.

Deviations
  * ProxylessNAS's code drops the gradient where the drawn operation is the zero
    operation; here it is like any other.
  * A program of the wiring study adds the probabilities of all drawn operations
    before it takes the logarithm; here it is the sum of the logarithms.
"""

import jax
import jax.numpy as jnp

from nasjax import choice
from nasjax.distributions import categorical
from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


def _score(drawn, logits):
  """Only the cost of the drawn operation enters: others are times zero."""
  log_p = jnp.sum(
    jnp.where(drawn > 0, jax.nn.log_softmax(logits), 0), -1, keepdims=True
  )
  return drawn * logits_lib.straight_through(jnp.ones_like(log_p), log_p)


def _softmax(drawn, logits):
  return logits_lib.straight_through(drawn, jax.nn.softmax(logits))


def _clip_cotangent(x, limit):

  @jax.custom_vjp
  def identity(x):
    return x

  identity.defvjp(
    lambda x: (x, None), lambda _, ct: (jnp.clip(ct, -limit, limit),)
  )
  return identity(x)


def one_hot(
  space: Space,
  gradient: str = 'score',
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
  max_cost: float | None = None,
) -> Distribution:
  """Return one-hot samples of `softmax(alpha)` with an estimated gradient.

  The params are the logits alpha, `f32[D, K]` for each leaf of `space.mask`.

  Args:
    space: the space; choices that its mask forbids are never drawn.
    gradient: 'score' (DSNAS) or 'softmax' (ProxylessNAS, all operations).
    init_scale: standard deviation of the first logits.
    derive: `(weights) -> arch`, the rule of `mode`; by default the largest
      weight of each decision.
    max_cost: costs are clipped to `[-max_cost, max_cost]`, those of cells that
      share a choice after they are added; None for no clipping.

  Returns:
    The distribution.

  Raises:
    ValueError: for another gradient.

  References:
    DSNAS, https://arxiv.org/abs/2002.09128, section 3.3; ProxylessNAS,
    https://arxiv.org/abs/1812.00332, equation 4.
  """
  ties = {'score': _score, 'softmax': _softmax}
  if gradient not in ties:
    raise ValueError(
      f'Unknown gradient {gradient!r}. Known: {", ".join(ties)}.'
    )
  policy = categorical.categorical(space, init_scale, derive)

  def sample(key: Key, params: Params) -> Arch:
    drawn = choice.one_hot(policy.sample(key, params), space.mask)
    logits = logits_lib.apply_mask(params, space.mask)
    arch = jax.tree.map(ties[gradient], drawn, logits)
    if max_cost is None:
      return arch
    return jax.tree.map(lambda leaf: _clip_cotangent(leaf, max_cost), arch)

  return policy._replace(sample=sample)
