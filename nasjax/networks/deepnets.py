"""The networks of DeepNets-1M as one program whose weights come from outside.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100. All networks of a layout run in the same
program: its tensors are those of the widest network, zero where the network at
hand has none (`deepnets_weights`); operations are chosen by `lax.switch`, and
cells that are absent are not computed under `lax.map`.

Norm uses the statistics of the batch, as the authors' evaluation does.
"""

import jax
from jax import lax
import jax.numpy as jnp

from nasjax import choice, ops
from nasjax.networks import deepnets_operations, deepnets_weights, layers
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.types import Arch, Params

Layout = layouts.Layout
_VECTORS = ('squeeze', 'norm', 'last_norm')


def lacks(layout: Layout) -> str:
  """Return what a layout has and this program has not; '' for nothing."""
  wanted = {
    'stems': ('simple',),
    'stem_pools': (False,),
    'heads': ('average',),
    'hidden': (0,),
    'stem_factor': 1,
    'kernels': layout.kernels[:1],
  }
  for name, only in wanted.items():
    if getattr(layout, name) != only:
      return f'layout.{name}={getattr(layout, name)}, not {only}'
  _, shapes = primitives.chains(layout.operations)
  for name, shape in zip(layout.operations, shapes):
    if name == 'msa' or shape[:, 2:].max() > deepnets_weights.KERNEL:
      return f'layout.operations: {name!r}'
  return ''


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
  shape = state.shape
  state = layers.halve(state.reshape(*shape[:3], -1))
  state = state.reshape(*state.shape[:3], *shape[3:])
  return jnp.pad(state, ((0, 0),) * 4 + ((0, width - shape[4]),))


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
  num_nodes = len(kept)
  nodes = jnp.stack(inputs + [jnp.zeros_like(inputs[0])] * num_nodes)

  def edge(nodes, item):
    source, target, op, p = item
    x = lax.dynamic_index_in_dim(nodes, source, keepdims=False)
    y = choice.switch(op, operations, x, p, normed)
    return nodes.at[target].add(y), None

  target = 2 + jnp.repeat(jnp.arange(num_nodes), 2)
  flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
  items = flat(row['source']), target, flat(row['op'])
  items += (jax.tree.map(flat, row['edges']),)
  nodes, _ = lax.scan(edge, nodes, items)
  kept = kept.astype(nodes.dtype)
  return jnp.moveaxis(nodes[2:] * kept[:, None, None, None, None], 0, 3)


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
    ValueError: for a layout with other choices.

  References:
    Knyazev et al., 2021.
  """
  if lacking := lacks(layout):
    raise ValueError(f'The program of padded tensors lacks {lacking}.')
  widths = deepnets_weights.widths(layout)
  operations = deepnets_operations.operations(layout.operations, _Padded())
  num_nodes, num_stages = max(layout.steps), layout.reductions + 1
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
  for stage, width in enumerate(widths):
    first, end = (s * value.depths // num_stages for s in (stage, stage + 1))
    longest = max(
      (stage + 1) * d // num_stages - stage * d // num_stages
      for d in layout.depths
    )
    if stage:
      states = tuple(_enter(state, width) for state in states)

    def step(states, index, width=width):
      row = jax.tree.map(lambda leaf: leaf[index], rows)
      return states[1], _run_cell(
        operations, states, _narrow(row, width), normed, cell.kept[row['kind']]
      )

    def body(states, index, end=end, step=step):
      ran = lax.cond(
        index < end, step, lambda states, index: states, states, index
      )
      return ran, None

    states, _ = lax.scan(body, states, first + jnp.arange(longest))
  pooled = jnp.mean(states[1], (1, 2)).reshape(len(x), -1)
  weight = params['weight'].reshape(-1, layout.num_classes)
  y = pooled @ weight
  return y + jnp.broadcast_to(params['bias'], y.shape)
