"""The networks of DeepNets-1M as one program whose weights come from outside.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. All networks of a layout run in the same
program: its tensors are those of the widest network, zero where the network at
hand has none (`deepnets_weights`); operations are chosen by `lax.switch`, and
cells that are absent are not computed under `lax.map`.

Norm uses the statistics of the batch, as the authors' evaluation does.
"""

import jax
import jax.numpy as jnp

from nasjax import choice, ops
from nasjax.networks import (
  deepnets_operations,
  deepnets_states,
  deepnets_weights,
)
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.types import Arch, Params

Layout = layouts.Layout
_VECTORS = ('squeeze', 'norm', 'last_norm')


class _Padded:
  """Reads `p`, the padded tensors of an operation by their names."""

  _NAMES = deepnets_weights.CHAIN

  def kernel(self, p, place, rows, columns):
    x = p[self._NAMES[place]]
    return x[:rows, :columns] if x.ndim == 4 else x[None, None]

  def depthwise(self, p, place, size):
    # The input axis of a depthwise kernel has one entry.
    return self.kernel(p, place, size, size)[:, :, 0]

  def vectors(self, p, place):
    return p[self._NAMES[place]]


def _enter(state, width):
  """Return a cell's output at half the size, channels filled up with zeros."""
  state = deepnets_states.halve(state)
  return jnp.pad(state, ((0, 0),) * 4 + ((0, width - state.shape[4]),))


def _narrow(row, width):
  """Return the weights of a cell without channels that no network has there."""
  cut = lambda leaf: leaf[..., :width]
  square = lambda leaf: leaf[..., :width, :width]
  edges = {
    name: cut(leaf) if name in _VECTORS else square(leaf)
    for name, leaf in row['edges'].items()
  }
  return row | {
    'inputs': square(row['inputs']),
    'input_norm': cut(row['input_norm']),
    'edges': edges,
  }


def _run_cell(operations, states, row, normed, kept):
  """Return the output of a cell, `[B, H, W, N, C]`."""
  inputs = []
  for j, x in enumerate(states):
    x = jax.nn.relu(x.reshape(*x.shape[:3], -1))
    weight = row['inputs'][j].reshape(x.shape[-1], -1)
    x = ops.pointwise(x, weight)
    inputs.append(deepnets_operations.norm(x, row['input_norm'][j], normed))

  def operate(x, op, p):
    return choice.switch(op, operations, x, p, normed)

  items = row['source'], row['op'], row['edges']
  return deepnets_states.run_nodes(inputs, items, operate, kept)


def logits(
  layout: Layout, params: Params, arch: Arch, x: jax.Array
) -> jax.Array:
  """Return the logits of a network, `[B, classes]`.

  Args:
    layout: one of simple stems, heads that average and operations of at most
      three rows, as `deepnets_layouts.DIGITS`.
    params: from `deepnets_weights.fit`.
    arch: index choices.
    x: images `[B, H, W, C]`.

  Returns:
    The logits.

  Raises:
    ValueError: for a layout with other choices, or other images.

  References:
    Knyazev et al., 2021.
  """
  if lacking := deepnets_weights.lacks(layout):
    raise ValueError(f'Padded tensors have no {lacking}.')
  layouts.check(layout, x.shape[1:])
  widths = deepnets_weights.widths(layout)
  operations = deepnets_operations.operations(layout.operations, _Padded())
  num_nodes = max(layout.steps)
  value, cell = layouts.values(layout, arch), layouts.cells(layout, arch)
  normed = (value.norms == 0).astype(x.dtype)
  x = ops.convolution(x, params['stem'][..., : widths[0]])
  x = deepnets_operations.norm(x, params['stem_norm'][:, : widths[0]], normed)
  rest = jnp.zeros((*x.shape[:3], num_nodes - 1, x.shape[3]), x.dtype)
  states = (jnp.concatenate([x[:, :, :, None], rest], 3),) * 2
  rows = {name: params[name] for name in ('inputs', 'input_norm', 'edges')}
  pairs = jnp.asarray(layouts.pairs(num_nodes))
  rows |= {
    'op': arch['op'][cell.kind],
    'source': pairs[arch['source']][cell.kind],
    'kind': cell.kind,
  }

  def step(stage, states, index):
    row = jax.tree.map(lambda leaf: leaf[index], rows)
    row, kept = _narrow(row, widths[stage]), cell.kept[row['kind']]
    return _run_cell(operations, states, row, normed, kept)

  states = deepnets_states.run_stages(
    layout,
    value.depths,
    states,
    step,
    lambda stage, state: _enter(state, widths[stage]),
  )
  pooled = jnp.mean(states[1], (1, 2)).reshape(len(x), -1)
  weight = params['weight'].reshape(-1, layout.num_classes)
  y = pooled @ weight
  return y + jnp.broadcast_to(params['bias'], y.shape)
