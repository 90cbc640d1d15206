"""The topology of a cell as a few numbers, whatever its size.

M. Guo, Z. Zhong, W. Wu, D. Lin and J. Yan, IRLAS: Inverse Reinforcement
Learning for Architecture Search, CVPR 2019, https://arxiv.org/abs/1812.05285,
describes a block by the discounted sum of the features of its layers,
`mu = sum_t gamma^t phi(s_t)`. The text of the paper was not at hand: that sum
is recalled, and the features, t and the division below are **our
reconstruction**.

Features phi of a vertex, all in [0, 1] (K operations, P predecessors):
  K      its operation, one-hot
  4      share of its predecessors that are 1, 2, 3, 4 or more layers before it
  3      one predecessor, two, three or more
  4      no successor, one, two, three or more
  1      whether it feeds a vertex that sums
  K K    share of its predecessors of each operation, in the row of its own

t counts layers: the longest path from the input, from 0 for the first layer. It
depends on the graph alone and not on how its vertices are numbered. The sum is
divided by the number of vertices, the input apart, so that a block is not like
another because both are large.
"""

import jax
import jax.numpy as jnp

from nasjax.spaces import graphs
from nasjax.types import Arch


def num_features(num_ops: int) -> int:
  """Return the number of features of graphs of K operations."""
  return num_ops + 12 + num_ops**2


def depths(graph: graphs.Graph) -> jax.Array:
  """Return the length of the longest path from the input to every vertex.

  Args:
    graph: a graph of N places, each vertex reachable from the first.

  Returns:
    `f32[N]`, 0 for the input and for padding.
  """
  depth = jnp.zeros(graph.op.shape)
  for _ in range(graph.op.shape[0] - 1):
    depth = jnp.max(graph.adjacency * (depth[:, None] + 1), axis=0)
  return depth


def vertex_features(
  graph: graphs.Graph, num_ops: int
) -> tuple[jax.Array, jax.Array]:
  """Return the features of every vertex, and when it comes.

  Args:
    graph: a graph of N places.
    num_ops: K, operations that there are, those of both ends included.

  Returns:
    phi `f32[N, F]`, zero for the input and for padding, and t `f32[N]`.
  """
  edges, depth = graph.adjacency, depths(graph)
  one_hot = jax.nn.one_hot(graph.op, num_ops)
  fan_in, fan_out = jnp.sum(edges, axis=0), jnp.sum(edges, axis=1)
  shares = edges / jnp.maximum(fan_in, 1)[None]
  distance = jnp.clip(depth[None] - depth[:, None], 1, 4)
  far = jax.nn.one_hot(jnp.int32(distance) - 1, 4)
  before = shares.T @ one_hot  # [N, K] operations of predecessors
  features = [
    one_hot,
    jnp.einsum('pv,pvd->vd', shares, far),
    jax.nn.one_hot(jnp.int32(jnp.minimum(fan_in, 3)) - 1, 3),
    jax.nn.one_hot(jnp.int32(jnp.minimum(fan_out, 3)), 4),
    jnp.max(edges * (fan_in >= 2)[None], axis=1)[:, None],
    (one_hot[:, :, None] * before[:, None, :]).reshape(len(one_hot), -1),
  ]
  counts = graph.mask * (jnp.arange(len(one_hot)) > 0)
  phi = jnp.concatenate(features, axis=1) * counts[:, None]
  return phi, jnp.maximum(depth - 1, 0)


def feature_count(
  graph: graphs.Graph, num_ops: int, gamma: float = 0.9
) -> jax.Array:
  """Return `mu = sum_t gamma^t phi(s_t) / n` of a graph.

  Args:
    graph: a graph of N places, pruned.
    num_ops: K, operations that there are, those of both ends included.
    gamma: discount of a layer.

  Returns:
    `f32[K + 12 + K^2]`.

  References:
    Guo et al., IRLAS, 2019 (our reconstruction, see the head of this file).
  """
  phi, t = vertex_features(graph, num_ops)
  number = jnp.maximum(jnp.sum(graph.mask) - 1, 1)
  return gamma**t @ phi / number


def nasbench201(arch: Arch) -> jax.Array:
  """Return the feature count of a NAS-Bench-201 cell, useless edges removed.

  Args:
    arch: `{'op': int32[6]}`.

  Returns:
    `f32[68]`.
  """
  graph = graphs.nasbench201(arch, pruned=True)
  return feature_count(graph, graphs.NASBENCH201_OPS)
