"""Graphs as data: one program that runs every graph of up to N nodes.

Every place of a graph has weights. A loop over the places runs the nodes that
exist and skips the others, so it takes the time of the graph, and is compiled
once. A node reads the nodes before it, the inputs of a graph read what the
graph reads, and a graph gives the mean of its outputs. Nodes may be graphs.

Merging is that of the authors' program of B. Ru et al., Neural Architecture
Generator Optimization, 2020, https://arxiv.org/abs/2004.01395, for inputs
x_1, x_2, ... in order; a single one is passed on as it is.

  sum        sum_i sigmoid(w_i) x_i
  attention  y (sigmoid(v) + a), y the sum without x_1, a = sigmoid(w_1) x_1
             shifted and scaled to [0, 1]
  concat     a 1x1 convolution of all

Deviations
  * 'concat' brings the width back by that convolution; the program makes those
    after it wider.
  * The program scales attention over a batch; here it is over an example.
"""

from collections.abc import Callable
from typing import Any

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp

from nasjax import ops
from nasjax.networks import layers
from nasjax.spaces import random_graphs

MERGES = ('sum', 'attention', 'concat')


class _Merge(nn.Module):
  """Make one input of those of the nodes that come before.

  A single one is passed on as it is.
  """

  merge: str

  @nn.compact
  def __call__(self, buffer, into, count):
    into, size = into.astype(buffer.dtype), buffer.shape[-1]
    alone = jnp.tensordot(into, buffer, 1)
    if self.merge == 'concat':
      shape = (len(into), size, size)
      kernels = self.param('kernel', layers.fan_in_uniform(2 * size), shape)
      parts = map(ops.pointwise, buffer, into[:, None, None] * kernels)
      return jnp.where(count > 1, sum(parts), alone)
    weights = self.param('weight', nn.initializers.ones, into.shape)
    factors = into * jax.nn.sigmoid(weights)
    if self.merge == 'sum':
      merged = jnp.tensordot(factors, buffer, 1)
      return jnp.where(count > 1, merged, alone)
    first = jnp.argmax(into)
    own = jax.nn.sigmoid(self.param('own', nn.initializers.ones, ()))
    attention = factors[first] * buffer[first]
    lowest, highest = (
      jnp.broadcast_to(
        f(attention, axis=(1, 2, 3), keepdims=True), attention.shape
      )
      for f in (jnp.min, jnp.max)
    )
    span = jnp.where(highest > lowest, highest - lowest, 1.0)
    others = jnp.tensordot(factors.at[first].set(0.0), buffer, 1)
    merged = others * (own + (attention - lowest) / span)
    return jnp.where(count > 1, merged, alone)


class Operation(nn.Module):
  """A node of the bottom level."""

  track: bool
  train: bool

  @nn.compact
  def __call__(self, inner, x):
    del inner
    op = layers.ReluConvNorm(x.shape[-1], (3, 3), track=self.track)
    return op(x, self.train)


class _Step(nn.Module):
  """Merge what a node reads, and run it."""

  make: Callable[[], nn.Module]
  merge: str

  @nn.compact
  def __call__(self, buffer, into, count, entry, inner):
    merged = _Merge(self.merge, name='merge')(buffer, into, count)
    return self.make(name='node')(inner, entry + merged)


class _Place(nn.Module):
  """A place of a graph: runs its node if there is one."""

  make: Callable[[], nn.Module]
  merge: str

  @nn.compact
  def __call__(self, buffer, item):
    slot, exists, *operands = item
    step = _Step(self.make, self.merge, name='step')
    if self.is_initializing():
      y = step(buffer, *operands)
    else:
      run = lambda step, buffer, *operands: step(buffer, *operands)
      skip = lambda step, buffer, *operands: jnp.zeros_like(buffer[0])
      y = nn.cond(exists, run, skip, step, buffer, *operands)
    return lax.dynamic_update_index_in_dim(buffer, y, slot, 0), None


def run_places(
  make: Callable[[], nn.Module],
  merge: str,
  adjacency: chex.Array,
  count: chex.Array,
  exists: chex.Array,
  entries: chex.Array,
  inner: Any,
  name: str,
) -> chex.Array:
  """Run all places of a graph in order.

  Args:
    make: module of a node, `(inner, x) -> y`.
    merge: how a node merges.
    adjacency: `bool[N, N]`.
    count: `int[N]` inputs of every node, also those that come with `entries`.
    exists: `bool[N]`.
    entries: `[N, B, H, W, C]`, what a node reads besides nodes of this graph.
    inner: what the node's module takes, pytree of `[N, ...]`.
    name: of the weights.

  Returns:
    What every place gives, `[N, B, H, W, C]`.
  """
  scan = nn.scan(
    _Place,
    variable_axes={'params': 0, 'batch_stats': 0},
    split_rngs={'params': True},
  )
  slots = jnp.arange(len(exists))
  items = (slots, exists, adjacency.T, count, entries, inner)
  return scan(make, merge, name=name)(jnp.zeros_like(entries), items)[0]


def _expand(flags, x):
  """Flags `[N]` as factors of `[N, B, H, W, C]`."""
  return flags.astype(x.dtype).reshape(-1, 1, 1, 1, 1)


class Graph(nn.Module):
  """A graph of nodes of one kind, all of one width and size."""

  make: Callable[[], nn.Module]
  merge: str

  @nn.compact
  def __call__(self, dags, x):
    dag, *inner = dags
    entries = _expand(random_graphs.is_input(dag), x) * x[None]
    count = jnp.sum(dag.adjacency, axis=0)
    outputs = run_places(
      self.make,
      self.merge,
      dag.adjacency,
      count,
      dag.mask,
      entries,
      tuple(inner),
      'nodes',
    )
    ends = random_graphs.is_output(dag).astype(x.dtype)
    # A place without a graph is not run, but differentiated.
    return jnp.tensordot(ends / jnp.maximum(jnp.sum(ends), 1), outputs, 1)
