"""Operations weighted by their edge as well, the relaxation of PC-DARTS.

Y. Xu, L. Xie, X. Zhang, X. Chen, G.-J. Qi, Q. Tian and H. Xiong, PC-DARTS:
Partial Channel Connections for Memory-Efficient Architecture Search, ICLR 2020,
https://arxiv.org/abs/1907.05737, section 3.3. Partial channels are a matter of
the network.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
from jax import nn
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Params, Space


class EdgeParams(NamedTuple):
  """Params of the edge-normalised relaxation."""

  operations: Params  # pytree of f32[..., E, K], alpha
  edges: Params  # pytree of f32[..., E], beta


def edge_weights(logits: jax.Array, targets: Sequence[int]) -> jax.Array:
  """Return the softmax of edge logits over the edges that enter a node.

  Args:
    logits: `f32[..., E]`.
    targets: the node that each edge enters, E ints.

  Returns:
    `f32[..., E]`, which sums to one over the edges of each node.
  """
  target = np.asarray(targets)
  same_node = np.broadcast_to(
    target[:, None] == target, logits.shape + target.shape
  )
  rows = jnp.where(same_node, logits[..., None, :], -jnp.inf)
  return jnp.exp(logits - nn.logsumexp(rows, axis=-1))


def edge_normalised(
  space: Space,
  targets: Sequence[int],
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return the relaxation `softmax_k(alpha_e) softmax_{e -> node}(beta)`.

  Args:
    space: the space; choices that its mask forbids have weight zero.
    targets: the node that each edge enters, for example
      `darts_cell.edges(4)[1]`, the same for all leaves.
    init_scale: standard deviation of the first logits (paper: 1e-3).
    derive: `(weights) -> arch`, the rule of `mode`, given the product of both
      weights; by default the largest weight of each decision.

  Returns:
    The distribution, with params `EdgeParams(operations, edges)`; `sample` is
    not random. `log_prob` is that of the operations: edge weights rank edges,
    they draw nothing.

  Raises:
    ValueError: if a leaf has another number of edges than `targets`.

  References:
    PC-DARTS, https://arxiv.org/abs/1907.05737, section 3.3.
  """
  for leaf in jax.tree.leaves(space.mask):
    if leaf.shape[-2] != len(targets):
      raise ValueError(
        f'{len(targets)} targets need leaves of as many edges, got a mask of '
        f'shape {leaf.shape}.'
      )

  def masked(params):
    return logits_lib.apply_mask(params.operations, space.mask)

  def weigh(params):
    return jax.tree.map(
      lambda ops, beta: (
        nn.softmax(ops) * edge_weights(beta, targets)[..., None]
      ),
      masked(params),
      params.edges,
    )

  def init(key: Key) -> EdgeParams:
    operations_key, edges_key = jax.random.split(key)
    each_edge = jax.tree.map(lambda leaf: leaf[..., 0], space.mask)
    return EdgeParams(
      operations=logits_lib.normal(operations_key, space.mask, init_scale),
      edges=logits_lib.normal(edges_key, each_edge, init_scale),
    )

  def sample(key: Key, params: EdgeParams) -> Arch:
    del key  # not random
    return weigh(params)

  def log_prob(params: EdgeParams, arch: Arch) -> jax.Array:
    return logits_lib.log_prob(masked(params), arch)

  def mode(params: EdgeParams) -> Arch:
    return logits_lib.decide(masked(params), weigh(params), derive)

  return Distribution(init, sample, log_prob, mode)
