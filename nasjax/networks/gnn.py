"""Networks on graphs whose every layer is six choices: one program for all.

The spaces are `spaces.gnn`: Auto-GNN (https://arxiv.org/abs/1909.03184) and
GraphNAS (https://arxiv.org/abs/1904.09981). With the nodes x, a layer is

  h = x W,  in K heads of d units
  a_ij = attention(h_i, h_j), for every edge from j to i, one a head
  m_i = AGGREGATE_j a_ij h_j,  i among its neighbours j
  x'_i = ACTIVATION(COMBINE(m_i))

with the attentions of `graph_layers`. The last layer has d = the number of
classes, and its heads are averaged before the activation. Heads and units are
masks: unit u belongs to head u // d, and those beyond K d are zero.

Deviations
  * COMBINE reads what was aggregated, which contains the node itself; the text
    of AGNN was not at hand. 'mlp' has 128 hidden units with rectifiers.
  * In GraphNAS's program two linear maps come before every aggregate but the
    sum; here they are what 'mlp' adds to the sum.
  * No biases and no skip connections.
"""

from collections.abc import Callable
import functools

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.graphs import Graph
from nasjax.networks import elastic
from nasjax.networks import graph_layers as layers
from nasjax.ops import segments
from nasjax.spaces import gnn as spaces
from nasjax.types import Arch

_MLP = 128  # units of the hidden layer of 'mlp'


def _uniform(fan: chex.Numeric) -> Callable:
  """Glorot's initialiser, for the fans that count."""
  bound = jnp.sqrt(6 / fan)

  def init(key, shape):
    return bound * jax.random.uniform(key, shape, minval=-1)

  return init


def _drop(x, rate, key):
  if rate == 0 or key is None:
    return x
  kept = jax.random.bernoulli(key, 1 - rate, x.shape)
  return jnp.where(kept, x / (1 - rate), 0)


class _Layer(nn.Module):
  """One layer.

  Attributes:
    options: the choices.
    sizes: units of a head, by the choice of `hidden`.
    inputs: the largest number of inputs.
    attention_dropout: share of the a_ij that are dropped.
  """

  options: spaces.Options
  sizes: tuple[int, ...]
  inputs: int
  attention_dropout: float

  def _mlp(self, mask):
    full = max(self.sizes) * max(self.options.heads)
    width, fan = mask.shape[0], mask.sum() + _MLP
    first = self.param('mlp_in', _uniform(fan), (full, _MLP))
    second = self.param('mlp_out', _uniform(fan), (_MLP, full))
    return first[:width], second[:, :width] * mask[None]

  @nn.compact
  def __call__(self, project, graph, choices, fan_in, width, key):
    """Return units `[N, width]`, which of them are whose `[width, K]`."""
    options, full = self.options, max(self.sizes) * max(self.options.heads)
    members = elastic.choose(
      jnp.asarray(_members(self.sizes, options.heads, width)),
      (choices['hidden'], choices['heads']),
    )
    mask = members.sum(1)
    units, heads = mask.sum(), jnp.max(members, axis=0).sum()
    kernel = self.param('kernel', _uniform(fan_in + units), (self.inputs, full))
    start = _uniform(units / heads + 1)
    weights = tuple(
      self.param(name, start, (full,))[:width]
      for name in ('left', 'right', 'last')
    )
    h = project(kernel[:, :width] * mask[None])
    coefficients = choice.switch(
      choices['attention'],
      [layers.ATTENTIONS[name] for name in options.attention],
      *(graph, h, weights, members),
    )
    coefficients = _drop(coefficients, self.attention_dropout, key)
    messages = (coefficients @ members.T) * h[graph.senders]
    mlp = self._mlp(mask)
    m = choice.switch(
      choices['aggregate'],
      [layers.AGGREGATES[name] for name in options.aggregate],
      *(graph, messages, mlp),
    )
    m = choice.switch(
      choices['combine'],
      [layers.COMBINES[name] for name in options.combine],
      *(m, mlp),
    )
    return m, members, heads


def _members(sizes, heads, width):
  """`[hidden, heads, width, K]`: 1 where a unit is of a head."""
  table = np.zeros((len(sizes), len(heads), width, max(heads)), np.float32)
  for i, size in enumerate(sizes):
    for j, num in enumerate(heads):
      units = np.arange(min(width, num * size))
      table[i, j, units, units // size] = 1
  return table


class Gnn(nn.Module):
  """A network of some layers on a graph.

  Attributes:
    num_features: of a node.
    num_classes: logits of a node.
    options: the choices.
    num_layers: L.
    widths: numbers of hidden units that programs are made for, rising; the
      largest, that of the options, comes by itself.
    dropout: share of the inputs of every layer that are dropped.
    attention_dropout: share of the a_ij.
  """

  num_features: int
  num_classes: int
  options: spaces.Options = spaces.AGNN
  num_layers: int = 2
  widths: tuple[int, ...] = ()
  dropout: float = 0.6
  attention_dropout: float = 0.6

  def all_widths(self) -> tuple[int, ...]:
    """Return the hidden units that programs are made for."""
    full = max(self.options.hidden) * max(self.options.heads)
    return (*(width for width in self.widths if width < full), full)

  def which_width(self, arch: Arch) -> jax.Array:
    """Return the place of the least width that fits, `i32[]`."""
    needed = jnp.max(spaces.num_units(self.options, arch))
    return jnp.sum(needed > jnp.asarray(self.all_widths())).astype(jnp.int32)

  @nn.compact
  def __call__(
    self,
    arch: Arch,
    graph: Graph,
    train: bool = True,
    width: int | None = None,
  ) -> jax.Array:
    """Return logits `[N, C]`.

    Args:
      arch: an architecture in any form.
      graph: of N nodes.
      train: whether there is dropout, from the rng 'dropout'.
      width: hidden units that are computed; all by default. The weights are
        the same, and so is the result where the architecture has no more.
    """
    graph = jax.tree.map(jnp.asarray, graph)
    width = width or self.all_widths()[-1]
    drops = train and self.has_rng('dropout')
    keys = (
      jax.random.split(self.make_rng('dropout'), 2 * self.num_layers)
      if drops
      else [None] * (2 * self.num_layers)
    )
    num_nodes, fan_in = graph.degrees.shape[0], float(self.num_features)
    entries = _drop(graph.values, self.dropout, keys[0])

    def from_entries(kernel):
      rows = kernel[graph.columns] * entries[:, None]
      return segments.segment_sum(rows, graph.nodes, num_nodes)

    project, inputs = from_entries, self.num_features
    for i in range(self.num_layers):
      is_last = i == self.num_layers - 1
      sizes = (self.num_classes,) if is_last else self.options.hidden
      layer_width = (
        self.num_classes * max(self.options.heads) if is_last else width
      )
      choices = {
        name: 0 if name == 'hidden' and is_last else leaf[i]
        for name, leaf in arch.items()
      }
      layer = _Layer(
        self.options, sizes, inputs, self.attention_dropout, name=f'layer_{i}'
      )
      m, members, heads = layer(
        project, graph, choices, fan_in, layer_width, keys[2 * i + 1]
      )
      if is_last:
        m = m.reshape(num_nodes, -1, self.num_classes).sum(1) / heads
      x = choice.switch(
        choices['activation'],
        [layers.ACTIVATIONS[name] for name in self.options.activation],
        m,
      )
      if is_last:
        return x
      # What does not belong to a head is zero again: sigmoids are not.
      mask = members.sum(1)
      x = _drop(x * mask[None], self.dropout, keys[2 * i + 2])
      project = functools.partial(_dense, x)
      inputs, fan_in = self.all_widths()[-1], mask.sum()


def _dense(x, kernel):
  return x @ kernel[: x.shape[1]]
