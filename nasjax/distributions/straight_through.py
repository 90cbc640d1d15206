"""One-hot Gumbel choices with a soft gradient, the relaxation of GDAS.

X. Dong and Y. Yang, Searching for a Robust Neural Architecture in Four GPU
Hours (GDAS), CVPR 2019, https://arxiv.org/abs/1910.04465, equations 3 to 5.

Deviations
  * The authors' NAS-Bench-201 code adds the (zero) weights of the operations
    that were not drawn to the feature map, which gives their logits a gradient
    without meaning. Here that gradient is either the operations' own (all are
    computed) or zero (`drawn_only`).
"""

import jax
import jax.numpy as jnp

from nasjax.distributions import gumbel
from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Space


def straight_through(
  space: Space,
  temperature: float = 10.0,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
  drawn_only: bool = False,
) -> Distribution:
  """Return one-hot samples whose gradient is that of the Gumbel softmax.

  With `y = softmax((alpha + G) / tau)` the sample is `one_hot(argmax y)`
  exactly, and `d sample / d alpha = d y / d alpha`.

  Args:
    space: the space; choices that its mask forbids are never drawn.
    temperature: the first tau (paper: 10, annealed linearly to 0.1).
    init_scale: standard deviation of the first logits (paper: 1e-3).
    derive: `(weights) -> arch`, the rule of `mode`, given `softmax(alpha)`; by
      default the largest weight of each decision.
    drawn_only: let gradients through the weight of the drawn choice only, as a
      network that computes nothing but the drawn operation would (GDAS).

  Returns:
    The distribution, with params `gumbel.GumbelParams(logits, temperature)`.

  References:
    GDAS, https://arxiv.org/abs/1910.04465, equations 3 to 5.
  """
  relaxation = gumbel.gumbel(space, temperature, init_scale, derive)

  def harden(soft):
    hard = jax.nn.one_hot(jnp.argmax(soft, axis=-1), soft.shape[-1])
    if drawn_only:
      return hard * logits_lib.straight_through(jnp.ones_like(soft), soft)
    return logits_lib.straight_through(hard, soft)

  def sample(key: Key, params: gumbel.GumbelParams) -> Arch:
    return jax.tree.map(harden, relaxation.sample(key, params))

  return Distribution(
    relaxation.init, sample, relaxation.log_prob, relaxation.mode
  )
