"""Graph hypernetworks: the tensors of a network from its graph, in one pass.

  GHN-2   B. Knyazev, M. Drozdzal, G. Taylor and A. Romero-Soriano, Parameter
          Prediction for Unseen Deep Architectures, NeurIPS 2021,
          https://arxiv.org/abs/2110.13100
  GHN-1   C. Zhang, M. Ren and R. Urtasun, Graph HyperNetworks for Neural
          Architecture Search, ICLR 2019, https://arxiv.org/abs/1810.05749:
          `cutoff=1, layer_norm=False`, and tensors that are not normalised
  MLP     the baseline of the former that sees no edges: `gated=False`

A vertex starts from its primitive and the sizes of its tensor; a gated network
updates one after another, in topological order and back:

  m_v = sum_{u -> v} f(h_u) + sum_{1 <= s(u, v) <= S} g(h_u) / s(u, v)
  h_v <- GRU(m_v, h_v)

with the length s of the shortest path: virtual edges. A decoder makes a block
of weights from h_v, which is cut or repeated to the shape of the tensor.

Deviation
  * The decoder makes the rows and columns of kernels that are asked for, not
    all of the largest kernel, which is then cut: the same numbers for less.
"""

import functools

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import layers
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.spaces import graphs
from nasjax.spaces.deepnets_graphs import TensorGraph


def channel_sizes(num_classes: int) -> np.ndarray:
  """Return the numbers of channels that have an embedding, in order."""
  sizes = {1, 3, num_classes, *range(8, 57, 8), *range(64, 4081, 16)}
  return np.array(sorted(sizes | set(range(4096, 8193, 32))))


def kernel_sizes() -> np.ndarray:
  """Return the sizes of kernels that have an embedding, in order."""
  return np.array([1, 3, 5, 7, 9, 11, 14, 16])


def size_index(size: jax.Array, known: np.ndarray) -> jax.Array:
  """Return which embedding a size has: that of the next one that is known.

  Args:
    size: `i32[...]`, 0 where there is no tensor.
    known: sizes in order.

  Returns:
    `i32[...]`, the last one (`len(known)`) where there is no tensor.
  """
  found = jnp.minimum(jnp.searchsorted(known, size), len(known) - 1)
  return jnp.where(size > 0, found, len(known))


class _Message(nn.Module):
  """Two rectified layers."""

  hidden: int
  features: int

  @nn.compact
  def __call__(self, h: chex.Array) -> chex.Array:
    h = nn.relu(layers.Dense(self.hidden)(h))
    return nn.relu(layers.Dense(self.features)(h))


class GatedGnn(nn.Module):
  """One sweep forward and one back over the vertices of a graph.

  Attributes:
    features: d.
    cutoff: S, the longest virtual edge; 1 for a network without.
  """

  features: int
  cutoff: int = 50

  def setup(self):
    half, virtual = self.features // 2, self.cutoff > 1
    self.gate = nn.GRUCell(self.features)
    self.near = _Message(half if virtual else self.features, self.features)
    if virtual:
      self.far = _Message(half, self.features)

  def __call__(self, graph: TensorGraph, h: chex.Array) -> chex.Array:
    """Update `h` `[N, d]`."""
    weights = {'near': graph.adjacency}
    if self.cutoff > 1:
      lengths = graphs.distances(graph.adjacency)
      linked = (lengths > 0) & (lengths <= self.cutoff)
      weights['far'] = jnp.where(linked, 1 / lengths, 0.0)

    def step(module, carry, item):
      # Messages are kept: a step renews those of its own vertex.
      h, sent = carry
      vertex, rows = item
      new, _ = module.gate(h[vertex], sum(rows[k] @ sent[k] for k in rows))
      sent = {k: sent[k].at[vertex].set(getattr(module, k)(new)) for k in sent}
      return (h.at[vertex].set(new), sent), None

    carry = h, {name: getattr(self, name)(h) for name in weights}
    sweep = functools.partial(
      nn.scan, step, variable_broadcast='params', split_rngs={'params': False}
    )
    order = jnp.arange(len(h))
    sources = jax.tree.map(jnp.transpose, weights)
    carry, _ = sweep()(self, carry, (order, sources))
    carry, _ = sweep(reverse=True)(self, carry, (order, weights))
    return carry[0]


class Hypernetwork(nn.Module):
  """Embeddings of the vertices of a graph, and a decoder of tensors.

  Attributes:
    num_classes: of the classifiers that are predicted.
    features: d.
    channels: of the blocks that are repeated, inputs and outputs; 2 d in the
      paper.
    kernel: the largest that is predicted (paper: 11 for CIFAR, 16 for
      ImageNet).
    cutoff: of virtual edges, see `GatedGnn`.
    gated: whether vertices see each other.
    layer_norm: whether embeddings are normalised before they are decoded.
  """

  num_classes: int = 10
  features: int = 32
  channels: int = 64
  kernel: int = 11
  cutoff: int = 50
  gated: bool = True
  layer_norm: bool = True

  def setup(self):
    d, dense = self.features, layers.Dense
    embed = lambda sizes: nn.Embed(len(sizes) + 1, d // 4)
    self.primitive = nn.Embed(len(primitives.PRIMITIVES), d)
    self.channel = [embed(channel_sizes(self.num_classes)) for _ in range(2)]
    self.spatial = [embed(kernel_sizes()) for _ in range(2)]
    self.body = (
      GatedGnn(d, self.cutoff)
      if self.gated
      else nn.Sequential([dense(d), nn.relu, dense(d)])
    )
    self.norm = nn.LayerNorm(epsilon=1e-5)
    init = layers.fan_in_uniform(d)
    size = self.kernel, self.kernel
    self.pixels = self.param('pixels', init, (*size, d, 4 * d))
    self.pixel_bias = self.param('pixel_bias', init, (*size, 4 * d))
    self.hidden = dense(8 * d)
    self.blocks = dense(self.channels**2)
    self.vector = nn.Sequential(
      [dense(2 * d), nn.relu, dense(2 * self.channels)]
    )
    self.class_weight = dense(self.num_classes)
    self.class_bias = dense(self.num_classes)

  def embed(self, graph: TensorGraph) -> chex.Array:
    """Return the embeddings of all vertices, `[N, d]`."""
    known = [channel_sizes(self.num_classes)] * 2 + [kernel_sizes()] * 2
    tables = [*self.channel, *self.spatial]
    sizes = [
      table(size_index(graph.shape[:, i], sizes))
      for i, (table, sizes) in enumerate(zip(tables, known))
    ]
    h = self.primitive(graph.op) + jnp.concatenate(sizes, -1)
    h = self.body(graph, h) if self.gated else self.body(h)
    return self.norm(h) if self.layer_norm else h

  def tensors(self, h: chex.Array, rows: int, columns: int) -> chex.Array:
    """Return kernels `[..., rows, columns, channels, channels]` (in, out)."""
    shape = (*h.shape[:-1], rows, columns)
    x = jnp.einsum('...d,rcdf->...rcf', h, self.pixels[:rows, :columns])
    x += jnp.broadcast_to(self.pixel_bias[:rows, :columns], x.shape)
    x = self.blocks(nn.relu(self.hidden(nn.relu(x))))
    return x.reshape(*shape, self.channels, self.channels)

  def vectors(self, h: chex.Array) -> chex.Array:
    """Return scales and biases `[..., 2, channels]`."""
    return self.vector(h).reshape(*h.shape[:-1], 2, self.channels)

  def classifier(
    self, weight: chex.Array, bias: chex.Array
  ) -> tuple[chex.Array, chex.Array]:
    """Return `[channels, classes]` and `[classes]` of two vertices `[d]`."""
    block = nn.relu(self.tensors(weight, 1, 1)[0, 0])
    return self.class_weight(block), self.class_bias(
      nn.relu(self.vectors(bias)[1])
    )


def fit(x: jax.Array, axis: int, size: int) -> jax.Array:
  """Repeat an array along an axis and cut it to a size."""
  axis %= x.ndim
  if size > x.shape[axis]:
    times = -(-size // x.shape[axis])
    x = jnp.tile(x, [times if i == axis else 1 for i in range(x.ndim)])
  return jax.lax.slice_in_dim(x, 0, size, axis=axis)


def weight_scale(op: jax.Array, shape: jax.Array) -> jax.Array:
  """Return what predicted weights are multiplied by, sqrt(b / fan_in).

  b is 2 before a rectifier, and 1 after depthwise convolutions and the first of
  a pair of one row and one column.

  Args:
    op: `i32[...]` primitives.
    shape: `i32[..., 4]`.

  Returns:
    `f32[...]`; 1 for what has none, and for positional encodings.
  """
  depthwise = (op == primitives.INDEX['sep_conv']) | (
    op == primitives.INDEX['dil_conv']
  )
  gain = jnp.where(depthwise | (shape[..., 2] < shape[..., 3]), 1.0, 2.0)
  fan_in = jnp.prod(shape[..., 1:], -1)
  scaled = (fan_in > 0) & (op != primitives.INDEX['pos_enc'])
  return jnp.where(scaled, jnp.sqrt(gain / jnp.maximum(fan_in, 1)), 1.0)


def normalise_vectors(x: jax.Array) -> jax.Array:
  """Return scales `2 sigma(p / 2)` and biases `tanh(p / 5)`, `[..., 2, C]`."""
  return jnp.stack(
    [2 * nn.sigmoid(x[..., 0, :] / 2), jnp.tanh(0.2 * x[..., 1, :])], -2
  )
