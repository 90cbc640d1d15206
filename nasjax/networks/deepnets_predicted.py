"""The networks of DeepNets-1M as one program that decodes their weights.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. A hypernetwork predicts a block of S inputs
and S outputs for every tensor, which is repeated to its shape. So channels
whose numbers differ by a multiple of S have the same weights, and hence the
same values: the program computes S channels, each for all of its kind, and
counts it as often as it is there (`deepnets_blocks`). Only behind heads of
attention do they differ; what follows is linear, and their mean does. The
result is that of the network with all its channels, whose width costs nothing.

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

from nasjax import choice, ops
from nasjax.networks import (
  deepnets_blocks,
  deepnets_operations,
  deepnets_states,
  deepnets_weights,
  hypernetwork,
  layers,
)
from nasjax.spaces import deepnets_graphs
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.types import Arch

Layout = layouts.Layout
Program = Callable[[Any, deepnets_blocks.Vertices, Arch, jax.Array], jax.Array]


def _at(found, ids):
  return jax.tree.map(lambda x: x[jnp.asarray(ids)], found)


class _Shared(NamedTuple):
  """What the parts of a program share."""

  layout: Layout
  read: deepnets_blocks.Blocks
  operations: list[deepnets_operations.Operation]
  at: deepnets_graphs.Places


def _stem(program, series, p, arch, normed, x):
  """Return both outputs of the stem, `[B, H, W, S]`."""
  read = program.read

  def first(size, stride=1):
    padding = ((1, 1), (1, 1)) if series == deepnets_states.PATCHES else None
    return lambda p, x: ops.convolution(
      x,
      read.block(p, 1, size, size)[:, :, : x.shape[-1]],
      stride,
      padding=padding,
    )

  def norm(x, place):
    return deepnets_operations.norm(x, read.vectors(p, place), normed)

  if series == deepnets_states.PATCHES:
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
  x = norm(choice.switch(arch['kernels'][0], sizes, p, x), 2)
  if series == deepnets_states.FULL:
    return x, x

  def pooled(x):
    return (ops.max_pool(x, 2),) * 2

  def double(x):
    conv = lambda x, place, stride: ops.convolution(
      jax.nn.relu(x), read.kernel(p, place, 3, 3), stride
    )
    early = norm(conv(x, 3, 1), 4)
    return layers.halve(early), norm(conv(early, 5, 2), 6)

  is_double = layouts.values(program.layout, arch).stems > 0
  return lax.cond(is_double, double, pooled, x)


def _run_cell(program, variables, states, row, normed):
  """Return the output of a cell, `[B, H, W, N, S]`."""
  read, inputs = program.read, []
  for j, x in enumerate(states):
    x = jax.nn.relu(x.reshape(*x.shape[:3], -1))
    p = variables, _at(row['inputs'], j)
    kernel = read.joined(p, 1, row['rows'][j], row['counts'][j])
    y = ops.pointwise(x, kernel)
    inputs.append(deepnets_operations.norm(y, read.vectors(p, 2), normed))

  def operate(x, op, found):
    return choice.switch(op, program.operations, x, (variables, found), normed)

  edges = row['source'], row['op'], row['chains']
  return deepnets_states.run_nodes(inputs, edges, operate, row['kept'])


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

  if not any(program.layout.hidden):
    return dense(features(weight), bias)
  hidden = dense(features(read.block(p, 1)[0, 0]), read.vectors(p, 2)[1])
  inputs = read.counts(p[1].shape[3, 1])[:, None]
  deep = jax.nn.relu(hidden) @ (weight * inputs)
  return dense(jnp.where(value.hidden > 0, deep, features(weight)), bias)


def _run(program, series, variables, found, arch, x):
  """Return the logits of a network of a series of sizes."""
  layout, at = program.layout, program.at
  num_nodes = max(layout.steps)
  value, cell = layouts.values(layout, arch), layouts.cells(layout, arch)
  normed = (value.norms == 0).astype(x.dtype)
  p = lambda ids: (variables, _at(found, ids))
  stem = _stem(program, series, p(at.stem), arch, normed, x)
  rows, widths = deepnets_states.rows_of_states(
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

  def step(stage, states, index):
    del stage
    row = jax.tree.map(lambda leaf: jnp.asarray(leaf)[index], cells)
    row |= {name: _at(found, row[name]) for name in ('inputs', 'chains')}
    return _run_cell(program, variables, states, row, normed)

  # What attends halves nothing.
  enter = lambda stage, state: deepnets_states.halve(state)
  enter = enter if series != deepnets_states.PATCHES else None
  states = deepnets_states.run_stages(layout, value.depths, states, step, enter)
  return _head(program, p(at.head), rows[1], counts[1], value, states[1])


def logits(
  layout: Layout,
  model: hypernetwork.Hypernetwork,
  normalise: bool = True,
) -> Program:
  """Return the program of all networks of a layout with predicted weights.

  Args:
    layout: of the networks.
    model: the hypernetwork, S its channels.
    normalise: whether predicted tensors are normalised (GHN-1: not).

  Returns:
    `(variables, vertices, arch, images [B, H, W, C]) -> [B, classes]`, with
    what `deepnets_blocks.vertices` returns. Norm uses the statistics of the
    batch.

  Raises:
    ValueError: if the layout is impossible, or the model has other classes,
      smaller kernels, or fewer channels than images.
  """
  layouts.check(layout)
  deepnets_weights.check_classes(layout, model)
  needed = max(max(size) for size in deepnets_blocks.kernels(layout))
  if model.kernel < needed or model.channels < layout.image[2]:
    raise ValueError(
      f'The layout has kernels of {needed} rows and images of '
      f'{layout.image[2]} channels, the model predicts {model.kernel} rows and '
      f'{model.channels} channels.'
    )
  read = deepnets_blocks.Blocks(model, normalise)
  at = deepnets_graphs.places(layout)
  known = deepnets_states.series(layout)

  def run(variables, found, arch, x):
    layouts.check(layout, x.shape[1:])

    def part(number):
      names = layout.operations
      if number != deepnets_states.PATCHES:  # What attends has patches.
        names = ['none' if name == 'msa' else name for name in names]
      operations = deepnets_operations.operations(names, read)
      program = _Shared(layout, read, operations, at)
      return functools.partial(_run, program, number)

    parts = [part(number) for number in known]
    if len(parts) == 1:
      return parts[0](variables, found, arch, x)
    value = layouts.values(layout, arch)
    halves = jnp.maximum(value.stems, value.stem_pools)
    number = jnp.where(
      layouts.attends(layout, arch), deepnets_states.PATCHES, halves
    )
    index = jnp.sum(number > jnp.asarray(known))
    return lax.switch(index, parts, variables, found, arch, x)

  return run
