"""Networks that predict a score from the features of an architecture.

All take a batch of features with a leading axis B and return a `Prediction`:
the scores, and the last hidden layer, which some losses read. Inputs are
vectors `f32[B, F]`, graphs (anything with the fields `adjacency`, `op` and
`mask` of `spaces.graphs.Graph`, batched) or tensors `f32[B, H, W, C]`.

  Mlp         hidden layers of relus, or of another activation
  Gcn         Y. Chen et al., Contrastive Neural Architecture Search with Neural
              Architecture Comparators, 2021, https://arxiv.org/abs/2103.05471
  NeuralPredictor  W. Wen et al., Neural Predictor for Neural Architecture
              Search, 2020, https://arxiv.org/abs/1912.00848
  BrpGcn      L. Dudziak et al., BRP-NAS: Prediction-based NAS using GCNs, 2020,
              https://arxiv.org/abs/2007.08668
  LeNet       Y. Xu et al., ReNAS: Relativistic Evaluation of Neural
              Architecture Search, 2021, https://arxiv.org/abs/1910.01523
  Comparator  the head of the neural architecture comparator of Chen et al.

Deviations
  * No dropout: predictors are combined in ensembles instead.
  * Padding stays out: in the official comparator it enters the mean over rows.
  * Weights start uniform in +-1/sqrt(fan_in), and in +-sqrt(6/fan_in) (He) in
    the graph layers of `NeuralPredictor`: an average without a path around it
    fades otherwise, and does worse on both benchmarks.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax.networks import layers


class Prediction(NamedTuple):
  """What a predictor says of B architectures."""

  values: jax.Array  # f32[B] higher is better
  features: jax.Array  # f32[B, H] the last hidden layer


class _Linear(nn.Module):
  """Linear map of the last axis."""

  features: int
  use_bias: bool = True
  spread: float = 1.0  # weights start in +-sqrt(spread / fan_in)

  @nn.compact
  def __call__(self, x: chex.Array) -> chex.Array:
    init = layers.fan_in_uniform(x.shape[-1] / self.spread)
    return nn.Dense(
      self.features, self.use_bias, kernel_init=init, bias_init=init
    )(x)


def _predict(features: chex.Array) -> Prediction:
  """The linear head of all of them."""
  return Prediction(_Linear(1, name='head')(features)[:, 0], features)


class Mlp(nn.Module):
  """Hidden layers on a vector of features.

  Attributes:
    widths: of the hidden layers.
    activation: of the hidden layers; a smooth one where features have
      gradients.
    glorot: whether hidden layers start uniform in
      +-sqrt(6 / (fan_in + fan_out)), biases at zero: deep ones then still see
      their input.
  """

  widths: Sequence[int] = (128, 128)
  activation: Callable[[chex.Array], chex.Array] = nn.relu
  glorot: bool = False

  @nn.compact
  def __call__(self, x: chex.Array) -> Prediction:
    init = nn.initializers.glorot_uniform()
    for width in self.widths:
      layer = nn.Dense(width, kernel_init=init) if self.glorot else None
      x = self.activation((layer or _Linear(width))(x))
    return _predict(x)


def _from_sources(graph, x):
  """Sum over the vertices that feed each vertex, `[B, N, F]`."""
  return jnp.einsum('bst,bsf->btf', graph.adjacency, x)


def _to_targets(graph, x):
  """Sum over the vertices that each vertex feeds, `[B, N, F]`."""
  return jnp.einsum('bst,btf->bsf', graph.adjacency, x)


def _one_hot(graph, num_ops):
  return jax.nn.one_hot(graph.op, num_ops) * graph.mask[..., None]


class Gcn(nn.Module):
  """Residual layers `relu((A + I)(x W) + x + b)`, and the mean over vertices.

  Attributes:
    num_ops: operations that vertices may bear.
    width: of all layers.
    depth: number of layers.
    reverse: whether messages flow from targets to sources too, by weights of
      their own.
  """

  num_ops: int
  width: int = 128
  depth: int = 4
  reverse: bool = False

  @nn.compact
  def __call__(self, graph: Any) -> Prediction:
    mask = graph.mask[..., None]
    x = _Linear(self.width, False)(_one_hot(graph, self.num_ops))
    for _ in range(self.depth):
      message = _Linear(self.width)(x)
      total = _from_sources(graph, message) + message + x
      if self.reverse:
        total += _to_targets(graph, _Linear(self.width, False)(x))
      x = nn.relu(total) * mask
    return _predict(jnp.mean(x, axis=1))


class NeuralPredictor(nn.Module):
  """Layers that average both directions, each normalised by its degree.

  `x <- (relu(D^-1 (A + I) x W1) + relu(D'^-1 (A^T + I) x W2)) / 2`, the mean
  over vertices, a hidden layer, a linear head.
  """

  num_ops: int
  width: int = 144
  depth: int = 3
  hidden: int = 128

  @nn.compact
  def __call__(self, graph: Any) -> Prediction:
    mask = graph.mask[..., None]
    incoming = 1 + jnp.sum(graph.adjacency, axis=1)[..., None]
    outgoing = 1 + jnp.sum(graph.adjacency, axis=2)[..., None]
    x = _one_hot(graph, self.num_ops)
    for _ in range(self.depth):
      forth, back = (_Linear(self.width, False, 6.0)(x) for _ in range(2))
      forth = (_from_sources(graph, forth) + forth) / incoming
      back = (_to_targets(graph, back) + back) / outgoing
      x = (nn.relu(forth) + nn.relu(back)) / 2 * mask
    x = jnp.sum(x, axis=1) / jnp.sum(mask, axis=1)
    return _predict(nn.relu(_Linear(self.hidden)(x)))


class BrpGcn(nn.Module):
  """Layers `relu(LayerNorm((A + I) x W))` read at a node that sees all others.

  Attributes:
    num_ops: operations that vertices may bear.
    width: 600 in the paper, which takes a GPU; 128 is quick on a CPU.
    depth: number of layers.
  """

  num_ops: int
  width: int = 600
  depth: int = 4

  @nn.compact
  def __call__(self, graph: Any) -> Prediction:
    mask = graph.mask[..., None]
    x = _one_hot(graph, self.num_ops)
    # The global node is a row of its own: all feed it, it feeds nobody.
    top = jnp.zeros((len(x), 1, self.num_ops))
    for _ in range(self.depth):
      project = _Linear(self.width, False)
      message, own = project(x), project(top)
      normalise = nn.LayerNorm(epsilon=1e-5)
      top = jnp.sum(message * mask, axis=1, keepdims=True) + own
      top = nn.relu(normalise(top))
      x = nn.relu(normalise(_from_sources(graph, message) + message)) * mask
    return _predict(top[:, 0])


class LeNet(nn.Module):
  """Two 3x3 convolutions and two hidden layers on a tensor of features.

  Attributes:
    pool: whether the maximum of every 2x2 pixels is taken in between; the
      tensors are small, and better off without.
  """

  pool: bool = False

  @nn.compact
  def __call__(self, x: chex.Array) -> Prediction:
    for features in (32, 64):
      x = layers.Conv(features, (3, 3))(x)
      bias = self.param(f'bias_{features}', nn.initializers.zeros, (features,))
      x = nn.relu(x + jnp.broadcast_to(bias, x.shape))
    if self.pool:
      height, width = (size // 2 * 2 for size in x.shape[1:3])
      corners = [
        x[:, i:height:2, j:width:2] for i in range(2) for j in range(2)
      ]
      x = jnp.max(jnp.stack(corners), axis=0)
    x = x.reshape(len(x), -1)
    for features in (120, 84):
      x = nn.relu(_Linear(features)(x))
    return _predict(x)


class Comparator(nn.Module):
  """The linear layer that compares two embeddings, taken apart.

  The logit that a beats b is `u . f(a) + v . f(b) + c`, so the order is that of
  `(u - v) . f`, the values here, and a pair needs no network of its own: the
  features are `(u . f, v . f + c)`.

  Attributes:
    body: the network whose last hidden layer is f.
    antisymmetric: whether v = -u and c = 0: then the probabilities that a beats
      b and b beats a sum to one.
  """

  body: nn.Module
  antisymmetric: bool = False

  @nn.compact
  def __call__(self, x: Any) -> Prediction:
    embedding = self.body(x).features
    if self.antisymmetric:
      first = _Linear(1, False)(embedding)
      second = -first
    else:
      first = _Linear(1, False)(embedding)
      second = _Linear(1)(embedding)
    features = jnp.concatenate([first, second], axis=1)
    return Prediction(features[:, 0] - features[:, 1], features)
