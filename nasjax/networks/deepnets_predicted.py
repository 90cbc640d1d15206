"""The networks of DeepNets-1M as one program that decodes their weights.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. A hypernetwork predicts a block of S inputs
and S outputs for every tensor, which is repeated to its shape. So channels
whose numbers differ by a multiple of S have the same weights, and hence the
same values: the program computes S channels, each for all of its kind, and
counts it as often as it is there. The result is that of the network with all
its channels, whose width costs nothing.

Blocks are decoded where they are used, and operations are chosen by
`lax.switch`: of a large kernel that a network does not have, nothing is
computed under `lax.map`. A program has a part for each of the three series of
image sizes that networks of a layout may have.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax import choice, ops
from nasjax.networks import (
  deepnets_operations,
  deepnets_weights,
  hypernetwork,
  layers,
)
from nasjax.spaces import deepnets, deepnets_graphs
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.types import Arch, Key

Layout = layouts.Layout

# Series of sizes: full, halved by the stem, patches.
FULL, HALVED, PATCHES = range(3)


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
  normalise: bool = True,
) -> Vertices:
  """Return what a hypernetwork makes of the vertices of a network.

  Args:
    layout: of the network.
    model: the hypernetwork.
    variables: of it.
    arch: index choices.
    normalise: whether predicted tensors are normalised (GHN-1: not).
  """
  graph = deepnets_graphs.graph(layout, arch)
  h = model.apply(variables, graph, method='embed')
  scale = hypernetwork.weight_scale(graph.op, graph.shape)
  scale = scale if normalise else jnp.ones_like(scale)
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

  def everything(model, graph):
    h = model.embed(graph)[:2]
    return model.tensors(h, 1, 1), model.vectors(h), model.classifier(*h)

  graph = deepnets_graphs.graph(layout, arch)
  return model.init(key, graph, method=everything)


def sum_of_norms(
  layout: Layout,
  model: hypernetwork.Hypernetwork,
  variables: Any,
  found: Vertices,
  normalise: bool = True,
) -> jax.Array:
  """Return the sum of the Euclidean norms of all tensors of a network.

  Args:
    layout: of the network.
    model: the hypernetwork.
    variables: of it.
    found: its vertices, from `vertices`.
    normalise: whether predicted tensors are normalised.

  Returns:
    `f32[]`, whose gradient at tensors of zeros is zero, not NaN.
  """
  read, head = _Blocks(model, normalise), deepnets_graphs.places(layout).head
  norm = lambda x: optax.safe_norm(x.ravel(), 0.0)

  def root(counts):
    return jnp.sqrt(counts.astype(jnp.float32))

  def of_kernel(p, rows, columns):
    outputs, inputs = (root(read.counts(p[1].shape[0, i])) for i in range(2))
    times = jnp.outer(inputs, outputs)[None, None]
    return norm(read.block(p, 0, rows, columns) * times)

  def of_vectors(p, has_scale):
    x = read.vectors(p, 0) * root(read.counts(p[1].shape[0, 0]))[None]
    return has_scale * norm(x[0]) + norm(x[1])

  sizes = sorted(kernels(layout))
  branches = [
    lambda p: jnp.zeros(()),
    functools.partial(of_vectors, has_scale=0.0),
    functools.partial(of_vectors, has_scale=1.0),
    *(
      functools.partial(of_kernel, rows=rows, columns=columns)
      for rows, columns in sizes
    ),
  ]
  bias, bn, ln = (primitives.INDEX[name] for name in ('bias', 'bn', 'ln'))
  numbers = jnp.asarray(primitives.NUMBERS)[found.op]
  has = (numbers > 0) & (found.shape[:, 0] > 0)
  equal = jnp.all(found.shape[:, None, 2:] == np.array(sizes)[None], axis=-1)
  index = 3 + equal.argmax(1)
  index = jnp.where(found.op == bias, 1, index)
  index = jnp.where((found.op == bn) | (found.op == ln), 2, index)
  last = np.isin(np.arange(len(index)), head[-2:])
  index = jnp.where(has & ~last, index, 0)

  def one(item):
    number, vertex = item
    p = variables, jax.tree.map(lambda x: x[None], vertex)
    return choice.switch(number, branches, p)

  weight, b = read.classifier((variables, _at(found, head)))
  inputs = root(read.counts(found.shape[head[-2], 1]))[:, None]
  return jnp.sum(lax.map(one, (index, found))) + norm(weight * inputs) + norm(b)


def _at(found, ids):
  return jax.tree.map(lambda x: x[jnp.asarray(ids)], found)


class _Blocks:
  """Reads `p = (variables, vertices)`, as tensors of S channels."""

  def __init__(self, model, normalise):
    self.model, self.normalise = model, normalise

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
    return ops.scale(there * found.scale[place], x)

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
    heads = deepnets_operations.HEADS
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
    return weight * found.scale[-2], bias


class _Program(NamedTuple):
  """What the parts of a program share."""

  layout: Layout
  read: _Blocks
  operations: list[deepnets_operations.Operation]
  at: deepnets_graphs.Places


def _stem(program, series, p, value, normed, x):
  """Return both outputs of the stem, `[B, H, W, S]`."""
  read = program.read

  def first(size, stride=1):
    padding = ((1, 1), (1, 1)) if series == PATCHES else None
    return lambda p, x: ops.convolution(
      x,
      read.block(p, 1, size, size)[:, :, : x.shape[-1]],
      stride,
      padding=padding,
    )

  def norm(x, place):
    return deepnets_operations.norm(x, read.vectors(p, place), normed)

  if series == PATCHES:
    x = first(layouts.PATCH, layouts.PATCH)(p, x)
    # Positions have one output, and their channels are inputs.
    there = read.counts(p[1].shape[8, 1]) > 0
    rows, columns = x.shape[1:3]
    positions = read.model.apply(
      p[0], p[1].h[8], rows, columns, method='tensors'
    )
    positions = positions[..., 0] * there[None, None]
    x += jnp.broadcast_to(positions, x.shape)
    return x, x
  sizes = [first(size) for size in program.layout.kernels]
  index = jnp.sum(value.kernels > jnp.asarray(program.layout.kernels))
  x = norm(choice.switch(index.astype(jnp.int32), sizes, p, x), 2)
  if series == FULL:
    return x, x
  pooled = ops.max_pool(x, 2)
  if 'double' not in program.layout.stems:
    return pooled, pooled
  conv = lambda x, place, stride: ops.convolution(
    jax.nn.relu(x), read.kernel(p, place, 3, 3), stride
  )
  early = norm(conv(x, 3, 1), 4)
  late = norm(conv(early, 5, 2), 6)
  is_double = value.stems > 0
  return tuple(
    jnp.where(is_double, y, pooled) for y in (layers.halve(early), late)
  )


def _run_cell(program, p, states, row, normed):
  """Return the output of a cell, `[B, H, W, N, S]`."""
  read, (variables, _) = program.read, p
  inputs = []
  for j, x in enumerate(states):
    x = jax.nn.relu(x.reshape(*x.shape[:3], -1))
    q = variables, _at(row['inputs'], j)
    kernel = read.joined(q, 1, row['rows'][j], row['counts'][j])
    y = ops.pointwise(x, kernel)
    inputs.append(deepnets_operations.norm(y, read.vectors(q, 2), normed))
  num_nodes = len(row['kept'])
  nodes = jnp.stack(inputs + [jnp.zeros_like(inputs[0])] * num_nodes)

  def edge(nodes, item):
    source, target, op, found = item
    x = lax.dynamic_index_in_dim(nodes, source, keepdims=False)
    y = choice.switch(op, program.operations, x, (variables, found), normed)
    return nodes.at[target].add(y), None

  target = 2 + jnp.repeat(jnp.arange(num_nodes), 2)
  flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
  items = flat(row['source']), target, flat(row['op'])
  nodes, _ = lax.scan(edge, nodes, (*items, jax.tree.map(flat, row['chains'])))
  kept = row['kept'].astype(nodes.dtype)
  return jnp.moveaxis(nodes[2:] * kept[:, None, None, None, None], 0, 3)


def _head(program, p, rows, counts, value, x):
  """Return the logits of what the last cell puts out, `[B, H, W, N, S]`."""
  read, size = program.read, program.read.model.channels
  num_pixels = x.shape[1] * x.shape[2]
  x = x.reshape(len(x), num_pixels, -1)
  # The pixels of a channel that is flattened are inputs one behind the other.
  pixel, flat = np.arange(num_pixels)[:, None], value.heads > 0
  rows, counts = rows.reshape(1, -1), counts.reshape(1, -1, 1)
  rows = jnp.where(flat, rows * num_pixels + pixel, rows)
  counts = counts / jnp.where(flat, 1, num_pixels)
  weight, bias = read.classifier(p)

  def features(kernel):
    kernel = jnp.take(kernel, rows % size, axis=0) * counts
    return jnp.einsum('bpc,pck->bk', x, kernel)

  def dense(y, bias):
    return y + jnp.broadcast_to(bias, y.shape)

  hidden = dense(features(read.block(p, 1)[0, 0]), read.vectors(p, 2)[1])
  inputs = read.counts(p[1].shape[3, 1])[:, None]
  deep = jax.nn.relu(hidden) @ (weight * inputs)
  return dense(jnp.where(value.hidden > 0, deep, features(weight)), bias)


def _halve(state):
  """Return a cell's output at half the size."""
  halved = layers.halve(state.reshape(*state.shape[:3], -1))
  return halved.reshape(*halved.shape[:3], *state.shape[3:])


def _run(program, series, variables, found, arch, x):
  """Return the logits of a network of a series of sizes."""
  layout, at = program.layout, program.at
  num_nodes = max(layout.steps)
  value, cell = layouts.values(layout, arch), layouts.cells(layout, arch)
  normed = (value.norms == 0).astype(x.dtype)
  p = lambda ids: (variables, _at(found, ids))
  of_stem = (value.norms == 0) & (series != PATCHES)
  stem = _stem(program, series, p(at.stem), value, of_stem.astype(x.dtype), x)
  rows, widths = deepnets_weights.rows_of_states(
    layout, arch, program.read.model.channels
  )
  counts = jax.tree.map(
    lambda rows, width: (rows >= 0) * program.read.counts(width), rows, widths
  )
  no, others = (0, 0), (0, num_nodes - 1)
  states = tuple(
    jnp.pad(x[:, :, :, None], (no, no, no, others, no)) for x in stem
  )
  pairs = jnp.asarray(layouts.pairs(num_nodes))
  cells = {
    'inputs': at.inputs,
    'chains': at.chains,
    'rows': rows[0],
    'counts': counts[0],
    'op': arch['op'][cell.kind],
    'source': pairs[arch['source']][cell.kind],
    'kept': cell.kept[cell.kind],
  }

  def step(states, index):
    row = jax.tree.map(lambda leaf: jnp.asarray(leaf)[index], cells)
    row |= {name: _at(found, row[name]) for name in ('inputs', 'chains')}
    output = _run_cell(program, (variables, None), states, row, normed)
    return states[1], output

  # Where no cell halves the image they are all of one stage.
  num_stages = 1 if series == PATCHES else layout.reductions + 1
  for stage in range(num_stages):
    first, end = (s * value.depths // num_stages for s in (stage, stage + 1))
    longest = max(
      (stage + 1) * d // num_stages - stage * d // num_stages
      for d in layout.depths
    )
    if stage:
      states = tuple(map(_halve, states))

    def body(states, index, end=end):
      ran = lax.cond(
        index < end, step, lambda states, index: states, states, index
      )
      return ran, None

    states, _ = lax.scan(body, states, first + jnp.arange(longest))
  return _head(program, p(at.head), rows[1], counts[1], value, states[1])


def series(layout: Layout) -> tuple[int, ...]:
  """Return the series of sizes that networks of a layout may have."""
  halved = 'double' in layout.stems or True in layout.stem_pools
  full = 'simple' in layout.stems and False in layout.stem_pools
  found = zip(
    (FULL, HALVED, PATCHES), (full, halved, 'msa' in layout.operations)
  )
  return tuple(number for number, there in found if there)


def logits(
  layout: Layout,
  model: hypernetwork.Hypernetwork,
  normalise: bool = True,
) -> Callable[[Any, Vertices, Arch, jax.Array], jax.Array]:
  """Return the program of all networks of a layout with predicted weights.

  Args:
    layout: of the networks.
    model: the hypernetwork, S its channels.
    normalise: whether predicted tensors are normalised (GHN-1: not).

  Returns:
    `(variables, vertices, arch, images [B, H, W, C]) -> [B, classes]`, with
    what `vertices` returns. Norm uses the statistics of the batch.

  Raises:
    ValueError: if the model predicts smaller kernels than the layout has, or
      fewer channels than images have.
  """
  needed = max(max(size) for size in kernels(layout))
  if model.kernel < needed or model.channels < layout.image[2]:
    raise ValueError(
      f'The layout has kernels of {needed} rows and images of '
      f'{layout.image[2]} channels, the model predicts {model.kernel} rows and '
      f'{model.channels} channels.'
    )
  read = _Blocks(model, normalise)
  at = deepnets_graphs.places(layout)
  known = series(layout)

  def run(variables, found, arch, x):
    def part(number):
      names = layout.operations
      if number != PATCHES:  # What attends has patches.
        names = ['none' if name == 'msa' else name for name in names]
      operations = deepnets_operations.operations(names, read)
      program = _Program(layout, read, operations, at)
      return functools.partial(_run, program, number)

    parts = [part(number) for number in known]
    if len(parts) == 1:
      return parts[0](variables, found, arch, x)
    value = layouts.values(layout, arch)
    halves = jnp.maximum(value.stems, value.stem_pools)
    number = jnp.where(layouts.attends(layout, arch), PATCHES, halves)
    index = jnp.sum(number > jnp.asarray(known))
    return lax.switch(index, parts, variables, found, arch, x)

  return run


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
