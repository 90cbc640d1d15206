"""What the layers of graph networks are made of: attention, aggregation.

With the nodes h, in heads, and an edge from j to i, of every node i to itself
too, attention is, with weights l, r, w of each head,

  const               1
  gcn                 1 / sqrt(deg(i) deg(j))
  gat                 leaky_relu(l h_i + r h_j), of slope 0.2
  gat_sym             gat(i, j) + gat(j, i)
  cos                 (l * h_i) . (r * h_j)
  linear              tanh(l h_j + r h_j): of the neighbour alone
  generalized_linear  w . tanh(l * h_i + r * h_j)

of which all but the first two pass through a softmax over the neighbours of i.
Formulas are those of GraphNAS's program (https://arxiv.org/abs/1904.09981). The
matrix `members`, `f32[U, K]`, says which of U units are of which of K heads.
"""

import functools

import jax
import jax.numpy as jnp

from nasjax.ops import segments

ACTIVATIONS = {
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


ATTENTIONS = {
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


AGGREGATES = {'sum': _sum, 'mean': _mean, 'max': _max, 'mlp': _mapped_sum}
COMBINES = {'identity': lambda m, mlp: m, 'mlp': _through_mlp}
