"""Networks on graphs whose every layer is six choices: one program for all.

The spaces are `spaces.gnn`: Auto-GNN (https://arxiv.org/abs/1909.03184) and
GraphNAS (https://arxiv.org/abs/1904.09981). With the nodes x, a layer is

  h = x W,  in K heads of d units
  a_ij = attention(h_i, h_j), for every edge from j to i, one a head
  m_i = AGGREGATE_j a_ij h_j,  i among its neighbours j
  x'_i = ACTIVATION(COMBINE(m_i))

Attention, with weights l, r, w of each head; all but the first two pass through
a softmax over the neighbours of i:

  const               1
  gcn                 1 / sqrt(deg(i) deg(j))
  gat                 leaky_relu(l h_i + r h_j), of slope 0.2
  gat_sym             gat(i, j) + gat(j, i)
  cos                 (l * h_i) . (r * h_j)
  linear              tanh(l h_j + r h_j): of the neighbour alone
  generalized_linear  w . tanh(l * h_i + r * h_j)

The last layer has d = the number of classes, and its heads are averaged before
the activation. Heads and units are masks: unit u belongs to head u // d, and
those beyond K d are zero.

Deviations
  * COMBINE reads what was aggregated, which contains the node itself; the text
    of AGNN was not at hand. 'mlp' has 128 hidden units with rectifiers.
  * In GraphNAS's program two linear maps come before every aggregate but the
    sum; here they are what 'mlp' adds to the sum.
  * No biases and no skip connections.
"""

from collections.abc import Callable
import functools
import math

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.graphs import Graph
from nasjax.networks import elastic
from nasjax.ops import segments
from nasjax.spaces import gnn as spaces
from nasjax.types import Arch

_MLP = 128  # units of the hidden layer of 'mlp'
_ACTIVATIONS = {
  'elu': jax.nn.elu,
  'leaky_relu': jax.nn.leaky_relu,
  'linear': lambda x: x,
  'relu': jax.nn.relu,
  'relu6': jax.nn.relu6,
  'sigmoid': jax.nn.sigmoid,
  'softplus': jax.nn.softplus,
  'tanh': jnp.tanh,
}


def _leaky(x):
  return jax.nn.leaky_relu(x, 0.2)


def _ends(graph, x):
  """What receivers and senders of all edges have."""
  return x[graph.receivers], x[graph.senders]


def _softmax(graph, logits):
  num = graph.degrees.shape[0]
  return segments.segment_softmax(logits, graph.receivers, num)


def _const(graph, h, weights, members):
  del h, weights
  return jnp.ones((graph.senders.shape[0], members.shape[1]))


def _gcn(graph, h, weights, members):
  to, by = _ends(graph, graph.degrees)
  same = jnp.ones((1, members.shape[1]))
  return (jax.lax.rsqrt(to * by)[:, None] * same).astype(h.dtype)


def _scores(h, weights, members):
  """`l h` and `r h` of every head, `[N, 2 K]`."""
  left, right, _ = weights
  sides = [members * side[:, None] for side in (left, right)]
  return h @ jnp.concatenate(sides, axis=1)


def _gat(graph, h, weights, members, symmetric=False):
  to, by = _ends(graph, _scores(h, weights, members))
  size = members.shape[1]
  logits = _leaky(to[:, :size] + by[:, size:])
  if symmetric:
    logits += _leaky(by[:, :size] + to[:, size:])
  return _softmax(graph, logits)


def _cos(graph, h, weights, members):
  left, right, _ = weights
  to, by = _ends(graph, h)
  scale = (left * right)[:, None]
  return _softmax(graph, (to * by) @ (members * scale))


def _linear(graph, h, weights, members):
  scores = _scores(h, weights, members)
  size = members.shape[1]
  scores = jnp.tanh(scores[:, :size] + scores[:, size:])
  return _softmax(graph, scores[graph.senders])


def _generalized_linear(graph, h, weights, members):
  left, right, last = weights
  by_receiver, by_sender = h * left[None], h * right[None]
  hidden = by_receiver[graph.receivers] + by_sender[graph.senders]
  return _softmax(graph, jnp.tanh(hidden) @ (members * last[:, None]))


_ATTENTIONS = {
  'const': _const,
  'gcn': _gcn,
  'gat': _gat,
  'gat_sym': functools.partial(_gat, symmetric=True),
  'cos': _cos,
  'linear': _linear,
  'generalized_linear': _generalized_linear,
}


def _sum(graph, messages, mlp):
  del mlp
  num = graph.degrees.shape[0]
  return segments.segment_sum(messages, graph.receivers, num)


def _mean(graph, messages, mlp):
  return _sum(graph, messages, mlp) / graph.degrees[:, None]


def _max(graph, messages, mlp):
  del mlp
  num = graph.degrees.shape[0]
  return segments.segment_max(messages, graph.receivers, num)


def _mapped_sum(graph, messages, mlp):
  total = _sum(graph, messages, mlp)  # the map is linear: once a node
  return total @ mlp[0] @ mlp[1]


def _through_mlp(m, mlp):
  return jax.nn.relu(m @ mlp[0]) @ mlp[1]


_AGGREGATES = {'sum': _sum, 'mean': _mean, 'max': _max, 'mlp': _mapped_sum}
_COMBINES = {'identity': lambda m, mlp: m, 'mlp': _through_mlp}


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

  def _mlp(self, width, units):
    full = max(self.sizes) * max(self.options.heads)
    fan = units + _MLP
    first = self.param('mlp_in', _uniform(fan), (full, _MLP))
    second = self.param('mlp_out', _uniform(fan), (_MLP, full))
    return first[:width], second[:, :width]

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
    kernel = self.param(
      'kernel', _uniform(fan_in + units), (self.inputs, full)
    )
    start = _uniform(units / heads + 1)
    weights = tuple(
      self.param(name, start, (full,))[:width]
      for name in ('left', 'right', 'last')
    )
    h = project(kernel[:, :width] * mask[None])
    coefficients = choice.switch(
      choices['attention'],
      [_ATTENTIONS[name] for name in options.attention],
      *(graph, h, weights, members),
    )
    coefficients = _drop(coefficients, self.attention_dropout, key)
    messages = (coefficients @ members.T) * h[graph.senders]
    mlp = self._mlp(width, units)
    m = choice.switch(
      choices['aggregate'],
      [_AGGREGATES[name] for name in options.aggregate],
      *(graph, messages, mlp),
    )
    m = choice.switch(
      choices['combine'], [_COMBINES[name] for name in options.combine], m, mlp
    )
    return m * mask[None], members, heads


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
    """Return the place of the least width that an architecture fits, `i32[]`."""
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
        [_ACTIVATIONS[name] for name in self.options.activation],
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
