"""Mixtures of all operations, the relaxation of DARTS.

H. Liu, K. Simonyan and Y. Yang, DARTS: Differentiable Architecture Search, ICLR
2019, https://arxiv.org/abs/1806.09055, equation 2.
"""

import jax

from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


def softmax(
  space: Space,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return the relaxation `softmax(alpha)` of every decision.

  `sample` ignores its key: the relaxed architecture is the distribution itself.
  The params are the logits alpha, `f32[D, K]` for each leaf of `space.mask`.

  Args:
    space: the space; choices that its mask forbids have weight zero.
    init_scale: standard deviation of the first logits (paper: 1e-3).
    derive: `(weights) -> arch`, the rule of `mode`, for example
      `darts_cell.derive`; by default the largest weight of each decision.

  Returns:
    The distribution.

  References:
    DARTS, https://arxiv.org/abs/1806.09055, equation 2 and section 2.4.
  """

  def masked(params):
    return logits_lib.apply_mask(params, space.mask)

  def init(key: Key) -> Params:
    return logits_lib.normal(key, space.mask, init_scale)

  def sample(key: Key, params: Params) -> Arch:
    del key  # not random
    return jax.tree.map(jax.nn.softmax, masked(params))

  def log_prob(params: Params, arch: Arch) -> jax.Array:
    return logits_lib.log_prob(masked(params), arch)

  def mode(params: Params) -> Arch:
    logits = masked(params)
    return logits_lib.decide(
      logits, jax.tree.map(jax.nn.softmax, logits), derive
    )

  return Distribution(init, sample, log_prob, mode)
