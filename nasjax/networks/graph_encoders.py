"""Encoders of graphs of tensors: what a vertex learns about the others.

An encoder is a module that takes a `TensorGraph` and the features of its
vertices, `[N, d]`, and returns their embeddings, `[N, d]`.

  Perceptron   sees no edges
  GatedGnn     B. Knyazev, M. Drozdzal, G. Taylor and A. Romero-Soriano,
               Parameter Prediction for Unseen Deep Architectures, NeurIPS 2021,
               https://arxiv.org/abs/2110.13100
  Graphormer   B. Knyazev, D. Hwang and S. Lacoste-Julien, Can We Scale
               Transformers to Predict Parameters of Diverse ImageNet Models?,
               ICML 2023, https://arxiv.org/abs/2303.04143

A gated network updates one vertex after another, in topological order and back:

  m_v = sum_{u -> v} f(h_u) + sum_{1 <= s(u, v) <= S} g(h_u) / s(u, v)
  h_v <- GRU(m_v, h_v)

with the length s of the shortest path: virtual edges. A graphormer adds to the
features what is known of a vertex's place, and lets all vertices attend to each
other, L times, by their lengths:

  h_v <- h_v + in(v) + out(v) + from_input(s(0, v))
  logits(u, v) = q_u . k_v / sqrt(d / heads) + b(s(u, v), s(v, u))

Deviation
  * The table of lengths starts from sinusoids and is trained. The authors'
    program makes it so as well, but then draws all its tables from a normal.
"""

import functools

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import layers
from nasjax.spaces import graphs
from nasjax.spaces.deepnets_graphs import TensorGraph

_MAX_DEGREE = 100  # more edges than that count as so many


class Perceptron(nn.Module):
  """Two rectified layers on the features of a vertex alone."""

  features: int

  def setup(self):
    dense = layers.Dense
    self.layers = [dense(self.features), dense(self.features)]

  def __call__(self, graph: TensorGraph, h: chex.Array) -> chex.Array:
    """Update `h` `[N, d]`."""
    del graph
    for layer in self.layers:
      h = nn.relu(layer(h))
    return h


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


class _Lengths(nn.Module):
  """What the shortest paths between two vertices add to their attention."""

  features: int
  num_heads: int
  cutoff: int

  @nn.compact
  def __call__(self, lengths: chex.Array) -> chex.Array:
    """Return `[heads, N, N]` of lengths `[N, N]`, 0 where there is no path."""

    def sinusoids(key, shape):
      del key
      # Numbers of the paper's table, whose first two rows mean nothing.
      position = 2 + np.arange(shape[0])[:, None]
      angle = position * 1e4 ** (-np.arange(0, shape[1], 2) / shape[1])
      waves = np.stack([np.sin(angle), np.cos(angle)], -1)
      return jnp.asarray(waves.reshape(shape), jnp.float32)

    table = self.param('table', sinusoids, (self.cutoff + 1, self.features))
    # No path leads back, so that the difference tells both lengths.
    none = jnp.broadcast_to(table[:1], (self.cutoff, self.features))
    forward = jnp.concatenate([none, table])
    pair = forward, forward[::-1]
    x = nn.relu(layers.Dense(self.features)(jnp.concatenate(pair, -1)))
    # What a bias would add to all logits of a head does not matter.
    x = layers.Dense(self.num_heads, use_bias=False)(x)
    x = jnp.take(x, lengths - lengths.T + self.cutoff, axis=0)
    return jnp.moveaxis(x, -1, 0)


class _Attention(nn.Module):
  """A layer of a transformer, norm first."""

  num_heads: int

  @nn.compact
  def __call__(
    self, h: chex.Array, bias: chex.Array, mask: chex.Array
  ) -> chex.Array:
    """Update `h` `[N, d]`; `bias` `[heads, N, N]`, `mask` `bool[N]`."""
    size, d = h.shape
    norm = functools.partial(nn.LayerNorm, epsilon=1e-5)
    x = layers.Dense(3 * d, use_bias=False)(norm()(h))
    query, key, value = jnp.moveaxis(
      x.reshape(size, 3, self.num_heads, d // self.num_heads), 1, 0
    )
    seen = jnp.broadcast_to(mask, (1, 1, size, size))
    x = jax.nn.dot_product_attention(query, key, value, bias[None], seen)
    h += layers.Dense(d)(x.reshape(size, d))
    x = nn.gelu(layers.Dense(4 * d)(norm()(h)), approximate=False)
    return h + layers.Dense(d)(x)


class Graphormer(nn.Module):
  """Attention of all vertices to all, that knows how far they are.

  The defaults are those of GHN-3-T, whose d is 64.

  Attributes:
    features: d.
    num_layers: L.
    num_heads: a divisor of d.
    cutoff: S, the longest path that is told from none.
  """

  features: int
  num_layers: int = 3
  num_heads: int = 8
  cutoff: int = 50

  @nn.compact
  def __call__(self, graph: TensorGraph, h: chex.Array) -> chex.Array:
    """Update `h` `[N, d]`."""
    if self.features % self.num_heads:
      raise ValueError(
        f'{self.num_heads} heads do not divide {self.features} features.'
      )
    lengths = graphs.distances(graph.adjacency)
    lengths = jnp.where(lengths <= self.cutoff, lengths, 0).astype(jnp.int32)
    places = {
      'in_degree': (jnp.sum(graph.adjacency > 0, 0), _MAX_DEGREE),
      'out_degree': (jnp.sum(graph.adjacency > 0, 1), _MAX_DEGREE),
      'from_input': (lengths[0], self.cutoff),
    }
    for name, (number, most) in places.items():
      embed = nn.Embed(most + 1, self.features, name=name)
      h += embed(jnp.minimum(number, most))
    mask = graph.mask > 0
    h *= mask[:, None]
    bias = _Lengths(self.features, self.num_heads, self.cutoff)(lengths)
    for _ in range(self.num_layers):
      h = _Attention(self.num_heads)(h, bias, mask)
    return h
