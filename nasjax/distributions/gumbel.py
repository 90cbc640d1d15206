"""Concrete (Gumbel-softmax) choices, the relaxation of SNAS.

S. Xie, H. Zheng, C. Liu and L. Lin, SNAS: Stochastic Neural Architecture
Search, ICLR 2019, https://arxiv.org/abs/1812.09926, equation 5.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


class GumbelParams(NamedTuple):
  """Params of the Gumbel relaxations."""

  logits: Params  # pytree of f32[D, K]
  temperature: jax.Array  # f32[], annealed by the search, has no gradient


def anneal(
  temperature: optax.Schedule,
) -> Callable[[GumbelParams, jax.Array], GumbelParams]:
  """Return what searches take to anneal the temperature.

  Args:
    temperature: `(updates done) -> tau`.

  Returns:
    `(params, updates done) -> params`.
  """

  def set_temperature(params, step):
    return params._replace(
      temperature=jnp.asarray(temperature(step), params.temperature.dtype)
    )

  return set_temperature


def gumbel(
  space: Space,
  temperature: float = 1.0,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return the relaxation `softmax((alpha + G) / tau)`, G standard Gumbel.

  The smaller tau, the closer a sample is to one-hot; its largest entry is k
  with probability `softmax(alpha)_k` whatever tau. The search may anneal
  `params.temperature`, of which the gradient is zero.

  Args:
    space: the space; choices that its mask forbids have weight zero.
    temperature: the first tau.
    init_scale: standard deviation of the first logits.
    derive: `(weights) -> arch`, the rule of `mode`, given `softmax(alpha)`; by
      default the largest weight of each decision.

  Returns:
    The distribution, with params `GumbelParams(logits, temperature)`;
    `log_prob` is that of the index architecture under `softmax(alpha)`.

  References:
    SNAS, https://arxiv.org/abs/1812.09926, equation 5.
  """

  def masked(params):
    return logits_lib.apply_mask(params.logits, space.mask)

  def init(key: Key) -> GumbelParams:
    return GumbelParams(
      logits=logits_lib.normal(key, space.mask, init_scale),
      temperature=jnp.asarray(temperature, jnp.float32),
    )

  def sample(key: Key, params: GumbelParams) -> Arch:
    return logits_lib.gumbel_softmax(
      key, masked(params), lax.stop_gradient(params.temperature)
    )

  def log_prob(params: GumbelParams, arch: Arch) -> jax.Array:
    return logits_lib.log_prob(masked(params), arch)

  def mode(params: GumbelParams) -> Arch:
    logits = masked(params)
    return logits_lib.decide(
      logits, jax.tree.map(jax.nn.softmax, logits), derive
    )

  return Distribution(init, sample, log_prob, mode)
