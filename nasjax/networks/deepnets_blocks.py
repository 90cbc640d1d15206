"""Predicted tensors of DeepNets-1M as blocks, decoded where they are used.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. A hypernetwork predicts a block of S inputs
and S outputs for every tensor, which is repeated to its shape. Each of S
channels stands for all whose number differs from its own by a multiple of S:
their weights are the same, and inputs are counted as often as they are there.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import ops
from nasjax.networks import hypernetwork
from nasjax.spaces import deepnets, deepnets_graphs
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.types import Arch, Key

Layout = layouts.Layout


class Vertices(NamedTuple):
  """What is known of some vertices, `[..., n]`."""

  h: jax.Array  # f32[..., n, d] embeddings
  op: jax.Array  # i32[..., n]
  shape: jax.Array  # i32[..., n, 4] outputs, inputs, rows, columns
  scale: jax.Array  # f32[..., n] what kernels are multiplied by


def vertices(
  layout: Layout,
  model: hypernetwork.Hypernetwork,
  variables: Any,
  arch: Arch,
) -> Vertices:
  """Return what a hypernetwork makes of the vertices of a network.

  Args:
    layout: of the network.
    model: the hypernetwork.
    variables: of it.
    arch: index choices.
  """
  graph = deepnets_graphs.graph(layout, arch)
  h = model.apply(variables, graph, method='embed')
  scale = hypernetwork.weight_scale(graph.op, graph.shape)
  return Vertices(h, graph.op, graph.shape, scale)


def init(
  layout: Layout, model: hypernetwork.Hypernetwork, key: Key
) -> dict[str, Any]:
  """Return the variables of a hypernetwork that is not trained.

  Args:
    layout: of the networks.
    model: the hypernetwork.
    key: random key.
  """
  arch = jax.tree.map(
    lambda allowed: jnp.zeros(allowed.shape[:-1], jnp.int32),
    deepnets.mask(layout),
  )
  graph = deepnets_graphs.graph(layout, arch)
  return model.init(key, graph, method='everything')


class Blocks:
  """Reads `p = (variables, vertices)`, as tensors of S channels.

  A `deepnets_operations.Reader`, and what else a program needs.

  Attributes:
    model: the hypernetwork.
    normalise: whether predicted tensors are normalised (GHN-1: not).
  """

  def __init__(self, model: hypernetwork.Hypernetwork, normalise: bool):
    self.model, self.normalise = model, normalise

  def scale(self, found, place):
    """Return what the kernel of a vertex is multiplied by."""
    return found.scale[place] if self.normalise else 1.0

  def counts(self, width):
    """Return how many of so many channels each of the S stands for."""
    size = self.model.channels
    place = np.arange(size).reshape((1,) * np.ndim(width) + (size,))
    return (jnp.asarray(width)[..., None] - place + size - 1) // size

  def block(self, p, place, rows=1, columns=1):
    """Return a block `[rows, columns, S, S]` without outputs that are not."""
    variables, found = p
    x = self.model.apply(
      variables, found.h[place], rows, columns, method='tensors'
    )
    there = self.counts(found.shape[place, 0]) > 0
    return ops.scale(there * self.scale(found, place), x)

  def kernel(self, p, place, rows=1, columns=1):
    inputs = self.counts(p[1].shape[place, 1])
    return self.block(p, place, rows, columns) * inputs[None, None, :, None]

  def depthwise(self, p, place, size):
    return self.block(p, place, size, size)[:, :, 0]

  def vectors(self, p, place):
    variables, found = p
    x = self.model.apply(variables, found.h[place], method='vectors')
    x = hypernetwork.normalise_vectors(x) if self.normalise else x
    return x * (self.counts(found.shape[place, 0]) > 0)[None]

  def projections(self, p, place):
    size, width = self.model.channels, p[1].shape[place, 1]
    kernel = self.kernel(p, place)[0, 0]
    there = self.counts(width) > 0
    columns = lambda i: (i * width + np.arange(size)) % size
    return [
      jnp.take(kernel, columns(i), axis=1) * there[None] for i in range(3)
    ]

  def members(self, p):
    heads = primitives.HEADS
    ends = self.counts(np.arange(heads + 1) * p[1].shape[0, 0] // heads)
    return jnp.diff(ends, axis=0).astype(jnp.float32)

  def joined(self, p, place, rows, counts):
    """Return a kernel `[inputs, S]` whose inputs are rows of its block."""
    kernel = self.block(p, place)[0, 0]
    kernel = jnp.take(kernel, rows.ravel() % self.model.channels, axis=0)
    return kernel * counts.reshape(-1, 1)

  def classifier(self, p):
    """Return the kernel `[S, classes]` and the bias of the last two places."""
    variables, found = p
    weight, bias = self.model.apply(
      variables, found.h[-2], found.h[-1], method='classifier'
    )
    bias = jnp.tanh(0.2 * bias) if self.normalise else bias
    return weight * self.scale(found, -2), bias


def kernels(layout: Layout) -> set[tuple[int, int]]:
  """Return the rows and columns of all kernels of a layout."""
  _, shapes = primitives.chains(layout.operations)
  found = {tuple(map(int, size)) for size in shapes[..., 2:].reshape(-1, 2)}
  found |= {(size, size) for size in layout.kernels}
  if 'double' in layout.stems:
    found.add((3, 3))
  if 'msa' in layout.operations:
    found |= {(layouts.PATCH,) * 2, tuple(layouts.sides(layout, 0, 1))}
  return found - {(0, 0)} | {(1, 1)}
