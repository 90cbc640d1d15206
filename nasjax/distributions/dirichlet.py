"""Mixtures drawn from a Dirichlet distribution, the relaxation of DrNAS.

X. Chen, R. Wang, M. Cheng, X. Tang and C.-J. Hsieh, DrNAS: Dirichlet Neural
Architecture Search, ICLR 2021, https://arxiv.org/abs/2006.10355, sections 3.1
and 3.2.
"""

import jax
from jax import scipy
import jax.numpy as jnp

from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


def concentration(logits: Params) -> Params:
  """Return `elu(alpha) + 1`; zero for masked options.

  Args:
    logits: pytree of `f32[D, K]`, alpha; -inf where masked.
  """
  return jax.tree.map(
    lambda leaf: jnp.where(leaf > -jnp.inf, jax.nn.elu(leaf) + 1, 0.0), logits
  )


def _mean(logits):
  return jax.tree.map(
    lambda c: c / jnp.sum(c, -1, keepdims=True), concentration(logits)
  )


def divergence(logits: Params) -> jax.Array:
  """Return the divergence of the mixtures from uniform ones, in nats.

    sum_d KL(Dir(c_d) || Dir(1)) = sum_d [ log G(C_d) - log G(K_d)
      - sum_k log G(c_dk) + sum_k (c_dk - 1) (psi(c_dk) - psi(C_d)) ]

  with `C = sum_k c_k` and K the number of options that are allowed.

  Args:
    logits: pytree of `f32[D, K]`, alpha; -inf where masked.

  Returns:
    `f32[]`.

  References:
    DrNAS, https://arxiv.org/abs/2006.10355, section 3.2, equation 5.
  """

  def of_leaf(c):
    allowed = c > 0
    c = jnp.where(allowed, c, 1.0)  # contributes nothing
    total = jnp.sum(jnp.where(allowed, c, 0.0), -1)
    spread = scipy.special.digamma(c) - scipy.special.digamma(total)[..., None]
    terms = (c - 1) * spread - scipy.special.gammaln(c)
    count = jnp.sum(allowed, -1, dtype=c.dtype)
    constant = scipy.special.gammaln(total) - scipy.special.gammaln(count)
    return jnp.sum(constant) + jnp.sum(jnp.where(allowed, terms, 0.0))

  return sum(map(of_leaf, jax.tree.leaves(concentration(logits))))


def dirichlet(
  space: Space,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return mixtures drawn from `Dir(elu(alpha) + 1)`, with their gradients.

  Gradients are pathwise: those of the gamma variables that are normalised, by
  implicit differentiation of their distribution function.

  Args:
    space: the space; options that its mask forbids have weight zero.
    init_scale: standard deviation of the first alpha (authors' program: 1e-3).
    derive: `(weights) -> arch`, the rule of `mode`, given the mean
      `c_k / sum c`; by default the largest weight of each decision.

  Returns:
    The distribution, whose params are alpha, `f32[D, K]` for each leaf;
    `log_prob` is that of the index architecture under the mean.

  References:
    DrNAS, https://arxiv.org/abs/2006.10355, sections 3.1 and 3.2.
  """

  def masked(params):
    return logits_lib.apply_mask(params, space.mask)

  def init(key: Key) -> Params:
    return logits_lib.normal(key, space.mask, init_scale)

  def sample(key: Key, params: Params) -> Arch:
    leaves, structure = jax.tree.flatten(concentration(masked(params)))
    keys = jax.random.split(key, len(leaves))
    # In logarithms: small gamma variables underflow.
    logs = [
      jnp.where(c > 0, jax.random.loggamma(k, jnp.where(c > 0, c, 1)), -jnp.inf)
      for k, c in zip(keys, leaves)
    ]
    return structure.unflatten([jax.nn.softmax(leaf) for leaf in logs])

  def log_prob(params: Params, arch: Arch) -> jax.Array:
    # Masked options have mean zero, whose logarithm has no gradient.
    log = lambda p: jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1)), -jnp.inf)
    return logits_lib.log_prob(jax.tree.map(log, _mean(masked(params))), arch)

  def mode(params: Params) -> Arch:
    logits = masked(params)
    return logits_lib.decide(logits, _mean(logits), derive)

  return Distribution(init, sample, log_prob, mode)
