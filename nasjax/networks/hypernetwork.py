"""Graph hypernetworks: the tensors of a network from its graph, in one pass.

  GHN-2   B. Knyazev, M. Drozdzal, G. Taylor and A. Romero-Soriano, Parameter
          Prediction for Unseen Deep Architectures, NeurIPS 2021,
          https://arxiv.org/abs/2110.13100
  GHN-1   C. Zhang, M. Ren and R. Urtasun, Graph HyperNetworks for Neural
          Architecture Search, ICLR 2019, https://arxiv.org/abs/1810.05749:
          a `GatedGnn` of `cutoff=1`, `layer_norm=False`, and tensors that are
          not normalised
  GHN-3   B. Knyazev, D. Hwang and S. Lacoste-Julien, Can We Scale Transformers
          to Predict Parameters of Diverse ImageNet Models?, ICML 2023,
          https://arxiv.org/abs/2303.04143: a `Graphormer`, `centred` and
          `small_start`
  MLP     the baseline of GHN-2 that sees no edges: a `Perceptron`

A vertex starts from its primitive and the sizes of its tensor; an encoder
(`graph_encoders`) tells it about the others. A decoder makes a block of weights
from its embedding, which is cut or repeated to the shape of the tensor.

Deviation
  * The decoder makes the rows and columns of kernels that are asked for, not
    all of the largest kernel, which is then cut: the same numbers for less.
"""

from collections.abc import Callable
import functools

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import graph_encoders, layers
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.spaces.deepnets_graphs import TensorGraph


def channel_sizes(num_classes: int) -> np.ndarray:
  """Return the numbers of channels that have an embedding, in order."""
  sizes = {1, 3, num_classes, *range(8, 57, 8), *range(64, 4081, 16)}
  return np.array(sorted(sizes | set(range(4096, 8193, 32))))


def kernel_sizes(largest: int) -> np.ndarray:
  """Return the sizes of kernels that have an embedding, in order.

  Args:
    largest: that is predicted.
  """
  return np.array(sorted({*range(1, max(12, largest), 2), 14, 16}))


def size_index(
  size: jax.Array, known: np.ndarray, others: dict[int, int]
) -> jax.Array:
  """Return which embedding a size has: that of the nearest one that is known.

  Args:
    size: `i32[...]`, 0 where there is no tensor.
    known: sizes in order; of two that are as near the first is taken.
    others: sizes with an embedding that is not the nearest, and whose.

  Returns:
    `i32[...]`, the last one (`len(known)`) where there is no tensor.
  """
  sizes = np.arange(known[-1] + 1)
  index = np.abs(sizes[:, None] - known).argmin(1)
  index[list(others)] = np.searchsorted(known, list(others.values()))
  index[0] = len(known)
  return jnp.asarray(index)[jnp.minimum(size, known[-1])]


# As the authors' program has them.
CHANNELS_LIKE = {4: 8, 5: 8, 6: 8, 7: 8}
KERNELS_LIKE = {2: 3}


def _small(key, shape, dtype=jnp.float32):
  """Draw a fifth of the usual weights."""
  return layers.fan_in_uniform(25 * shape[0])(key, shape, dtype)


class Hypernetwork(nn.Module):
  """Embeddings of the vertices of a graph, and a decoder of tensors.

  Attributes:
    num_classes: of the classifiers that are predicted.
    features: d.
    channels: of the blocks that are repeated, inputs and outputs (paper: 2 d,
      GHN-3: d).
    kernel: the largest that is predicted (paper: 11 for CIFAR, 16 for
      ImageNet).
    encoder: `features -> module`, see `graph_encoders`.
    layer_norm: whether embeddings are normalised before they are decoded.
    centred: whether smaller kernels are the centre of the largest, not its
      first rows and columns.
    small_start: whether the last layers of decoders begin with a fifth of the
      usual weights, and no biases.
  """

  num_classes: int = 10
  features: int = 32
  channels: int = 64
  kernel: int = 11
  encoder: Callable[[int], nn.Module] = graph_encoders.GatedGnn
  layer_norm: bool = True
  centred: bool = False
  small_start: bool = False

  def setup(self):
    d, dense = self.features, layers.Dense
    small = functools.partial(nn.Dense, kernel_init=_small)
    last = small if self.small_start else dense
    embed = lambda sizes: nn.Embed(len(sizes) + 1, d // 4)
    self.primitive = nn.Embed(len(primitives.PRIMITIVES), d)
    self.channel = embed(channel_sizes(self.num_classes))
    self.spatial = embed(kernel_sizes(self.kernel))
    self.body = self.encoder(d)
    self.norm = nn.LayerNorm(epsilon=1e-5)
    init = layers.fan_in_uniform(d)
    size = self.kernel, self.kernel
    self.pixels = self.param('pixels', init, (*size, d, 4 * d))
    self.pixel_bias = self.param('pixel_bias', init, (*size, 4 * d))
    self.hidden = dense(8 * d)
    self.blocks = last(self.channels**2)
    self.vector = nn.Sequential(
      [dense(2 * d), nn.relu, last(2 * self.channels)]
    )
    self.class_weight = last(self.num_classes)
    self.class_bias = dense(self.num_classes)

  def everything(self, graph: TensorGraph) -> tuple[chex.Array, ...]:
    """Use all weights, so that they can be initialised."""
    h = self.embed(graph)[:2]
    return self.tensors(h, 1, 1), self.vectors(h), *self.classifier(*h)

  def embed(self, graph: TensorGraph) -> chex.Array:
    """Return the embeddings of all vertices, `[N, d]`."""
    channels, pixels = graph.shape[:, :2], graph.shape[:, 2:]
    known = channel_sizes(self.num_classes)
    channels = self.channel(size_index(channels, known, CHANNELS_LIKE))
    sizes = kernel_sizes(self.kernel)
    pixels = self.spatial(size_index(pixels, sizes, KERNELS_LIKE))
    sizes = jnp.concatenate([channels, pixels], 1)
    h = self.primitive(graph.op) + sizes.reshape(len(sizes), -1)
    h = self.body(graph, h)
    return self.norm(h) if self.layer_norm else h

  def tensors(self, h: chex.Array, rows: int, columns: int) -> chex.Array:
    """Return kernels `[..., rows, columns, channels, channels]` (in, out)."""
    shape = (*h.shape[:-1], rows, columns)
    at = tuple(
      slice(first, first + size)
      for size in (rows, columns)
      for first in [(self.kernel // 2 - size // 2) if self.centred else 0]
    )
    x = jnp.einsum('...d,rcdf->...rcf', h, self.pixels[at])
    x += jnp.broadcast_to(self.pixel_bias[at], x.shape)
    x = self.blocks(nn.relu(self.hidden(nn.relu(x))))
    return x.reshape(*shape, self.channels, self.channels)

  def squares(self, h: chex.Array, shape: chex.Array, size: int) -> chex.Array:
    """Return kernels of shapes `[..., 4]` in the first places of squares.

    They are `[..., size, size, channels, channels]`; the rest is to be cut.
    """
    x = self.tensors(h, size, size)
    if not self.centred:
      return x
    for axis, length in ((-4, shape[..., 2]), (-3, shape[..., 3])):
      places = jnp.broadcast_to(jnp.arange(size), (*length.shape, size))
      order = (places + (size // 2 - length // 2)[..., None]) % size
      others = [other for other in range(-4, 0) if other != axis]
      x = jnp.take_along_axis(x, jnp.expand_dims(order, others), axis)
    return x

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
