"""Independent weights of the operations, the relaxation of Fair DARTS.

X. Chu, T. Zhou, B. Zhang and J. Li, Fair DARTS: Eliminating Unfair Advantages
in Differentiable Architecture Search, ECCV 2020, https://arxiv.org/abs/1911.12126.
"""

import jax
import jax.numpy as jnp

from nasjax import choice
from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


def sigmoid(
  space: Space,
  init_scale: float = 0.0,
  derive: logits_lib.Derive | None = None,
  threshold: float = 0.0,
  none: int = 0,
) -> Distribution:
  """Return the relaxation `sigmoid(alpha)`: choices that do not compete.

  Each choice of a decision is on with its own probability. The paper has no
  zero operation: restrict the space's mask accordingly.

  Args:
    space: the space; choices that its mask forbids have weight zero.
    init_scale: standard deviation of the first logits (paper: 0, weights 0.5).
    derive: `(weights) -> arch`, the rule of `mode`, which for DARTS cells keeps
      two edges a node; by default the largest weight of each decision.
    threshold: decisions of `mode` whose choice weighs less become `none`
      (paper: 0.85); such cells may have fewer inputs than the space's.
    none: the choice that `threshold` falls back to.

  Returns:
    The distribution, whose params are logits `f32[D, K]`. `log_prob` of an
    index architecture is that of exactly its choices being on:
    `sum_d [log s(l_da) + sum_{k != a} log(1 - s(l_dk))]`; it does not sum to
    one over index architectures.

  References:
    Fair DARTS, https://arxiv.org/abs/1911.12126, section 4.
  """

  def masked(params):
    return logits_lib.apply_mask(params, space.mask)

  def init(key: Key) -> Params:
    return logits_lib.normal(key, space.mask, init_scale)

  def sample(key: Key, params: Params) -> Arch:
    del key  # not random
    return jax.tree.map(jax.nn.sigmoid, masked(params))

  def log_prob(params: Params, arch: Arch) -> jax.Array:
    logits = masked(params)
    on = choice.one_hot(arch, space.mask)
    terms = jax.tree.map(
      lambda leaf, is_on: jnp.sum(
        jax.nn.log_sigmoid(jnp.where(is_on > 0, leaf, -leaf))
      ),
      logits,
      on,
    )
    return sum(jax.tree.leaves(terms))

  def mode(params: Params) -> Arch:
    logits = masked(params)
    weights = jax.tree.map(jax.nn.sigmoid, logits)
    arch = logits_lib.decide(logits, weights, derive)

    def drop_weak(weight, leaf):
      chosen = jnp.take_along_axis(weight, leaf[..., None], axis=-1)[..., 0]
      return jnp.where(chosen < threshold, none, leaf)

    return jax.tree.map(drop_weak, weights, arch)

  return Distribution(init, sample, log_prob, mode)
