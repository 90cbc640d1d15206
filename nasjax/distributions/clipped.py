"""Weights without competition that can die, the activation of DARTS-PRIME.

K. Maile, E. Lecarpentier, H. Luga and D. G. Wilson, DARTS-PRIME: Regularization
and Scheduling Improve Constrained Optimization in Differentiable NAS, 2021,
https://arxiv.org/abs/2106.11655: the clipped activation and its pruning. The
batch norm after every node belongs to the network (`node_norm`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import choice
from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


class ClippedParams(NamedTuple):
  """Params of the clipped relaxation."""

  alphas: Params  # pytree of f32[D, K]
  alive: Params  # pytree of f32[D, K], 1 or 0; has no gradient


def prune(
  params: ClippedParams, step: jax.Array | None = None
) -> ClippedParams:
  """Kill the choices whose alpha is not positive; the dead stay dead.

  It is the `anneal` of a search: nothing else sets `alive`. Weight decay, which
  treats `alive` like all params, moves it by about a learning rate in an
  update, and that is rounded off here.

  Args:
    params: after an update.
    step: not used.

  Returns:
    The params, with `alive` 0 or 1 and alphas of dead choices 0.
  """
  del step
  alive = jax.tree.map(
    lambda alpha, was: ((was > 0.5) & (alpha > 0)).astype(alpha.dtype),
    params.alphas,
    params.alive,
  )
  alphas = jax.tree.map(
    lambda alpha, is_alive: jnp.where(is_alive > 0, alpha, 0.0),
    params.alphas,
    alive,
  )
  return ClippedParams(alphas, alive)


def clipped(
  space: Space,
  init_scale: float = 1e-4,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return the relaxation `alive * clip(alpha, 0, 1)`.

  Choices do not compete, and are comparable between decisions. Alphas start at
  `1 / K + init_scale N(0, 1)` for K allowed choices. The paper has no zero
  operation: restrict the space accordingly (`decisions.without`). Pass `prune`
  to the search as its `anneal`: without it a choice can come back.

  Args:
    space: the space; choices that its mask forbids have weight zero.
    init_scale: standard deviation of the first alphas (authors' program: 1e-4).
    derive: `(weights) -> arch`, the rule of `mode`; by default the largest
      weight of each decision. Where all choices are dead it is the first one.

  Returns:
    The distribution, with params `ClippedParams(alphas, alive)`; `sample` is
    not random. `log_prob` of an index architecture is that of exactly its
    choices being on, each with its weight as probability, as in `sigmoid`.

  References:
    DARTS-PRIME, https://arxiv.org/abs/2106.11655.
  """

  def weigh(params):
    return jax.tree.map(
      lambda alpha, alive, allowed: jnp.where(
        (alive > 0.5) & allowed, jnp.clip(alpha, 0, 1), 0.0
      ),
      params.alphas,
      params.alive,
      space.mask,
    )

  def init(key: Key) -> ClippedParams:
    noise = logits_lib.normal(key, space.mask, init_scale)
    return ClippedParams(
      alphas=jax.tree.map(
        lambda allowed, leaf: 1 / allowed.sum(-1, keepdims=True) + leaf,
        space.mask,
        noise,
      ),
      alive=jax.tree.map(
        lambda allowed, leaf: jnp.asarray(allowed, leaf.dtype),
        space.mask,
        noise,
      ),
    )

  def sample(key: Key, params: ClippedParams) -> Arch:
    del key  # not random
    return weigh(params)

  def log_prob(params: ClippedParams, arch: Arch) -> jax.Array:
    on = choice.one_hot(logits_lib.indices(arch, space.mask), space.mask)
    terms = jax.tree.map(
      lambda weight, is_on: jnp.sum(
        jnp.log(jnp.where(is_on > 0, weight, 1 - weight))
      ),
      weigh(params),
      on,
    )
    return sum(jax.tree.leaves(terms))

  def mode(params: ClippedParams) -> Arch:
    weights = weigh(params)
    logits = jax.tree.map(
      lambda weight: jnp.where(weight > 0, weight, -jnp.inf), weights
    )
    return logits_lib.decide(logits, weights, derive)

  return Distribution(init, sample, log_prob, mode)
