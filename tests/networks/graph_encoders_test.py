"""Encoders of graphs against slow loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from nasjax import batching
from nasjax.networks import graph_encoders
from tests.networks import tensor_graphs

_D, _HEADS, _CUTOFF = 8, 2, 2
_GRAPHORMER = graph_encoders.Graphormer(_D, 2, _HEADS, _CUTOFF)


def _dense(p, x):
  return x @ p['kernel'] + p['bias']


def _relu(x):
  return np.maximum(x, 0)


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _lengths(graph):
  """Shortest paths as Floyd and Warshall find them, infinite without one."""
  lengths = np.where(graph.adjacency > 0, 1.0, np.inf)
  for k in range(len(lengths)):
    lengths = np.minimum(lengths, lengths[:, k, None] + lengths[None, k])
  return lengths


def _slow_gated(params, graph, h, cutoff):
  """Sums over edges and pairs, one vertex after another."""
  size, lengths = len(h), _lengths(graph)
  message = lambda p, x: _relu(
    _dense(p['Dense_1'], _relu(_dense(p['Dense_0'], x)))
  )
  h = [np.array(row) for row in h]
  for order in (range(size), range(size - 1, -1, -1)):
    backward = order[0] > order[-1]
    for v in order:
      total = np.zeros(h[0].size)
      for u in range(size):
        s = lengths[v, u] if backward else lengths[u, v]
        if s == 1:
          total += message(params['near'], h[u])
        if cutoff > 1 and s <= cutoff:
          total += message(params['far'], h[u]) / s
      p = params['gate']
      r = _sigmoid(_dense(p['ir'], total) + h[v] @ p['hr']['kernel'])
      z = _sigmoid(_dense(p['iz'], total) + h[v] @ p['hz']['kernel'])
      n = np.tanh(_dense(p['in'], total) + r * _dense(p['hn'], h[v]))
      h[v] = (1 - z) * n + z * h[v]
  return np.stack(h)


@pytest.mark.parametrize('cutoff', [1, 2, 50])
def test_a_gated_network_equals_a_loop_over_vertices(cutoff):
  graph = tensor_graphs.small()
  h = jax.random.normal(jax.random.key(0), (tensor_graphs.SIZE, _D))
  model = graph_encoders.GatedGnn(_D, cutoff)
  variables = model.init(jax.random.key(1), graph, h)
  actual = model.apply(variables, graph, h)
  params = jax.tree.map(
    lambda x: np.asarray(x, np.float64), variables['params']
  )
  expected = _slow_gated(params, graph, np.asarray(h, np.float64), cutoff)
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def _norm(p, x):
  x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
  return x * p['scale'] + p['bias']


def _slow_layer(p, h, bias):
  """A layer of a transformer: sums over heads and pairs."""
  size = len(h)
  qkv = [_norm(p['LayerNorm_0'], x) @ p['Dense_0']['kernel'] for x in h]
  qkv = np.reshape(qkv, (size, 3, _HEADS, -1))
  mixed = np.zeros((size, _HEADS, qkv.shape[-1]))
  for u in range(size):
    for k in range(_HEADS):
      logits = [qkv[u, 0, k] @ qkv[v, 1, k] for v in range(size)]
      logits = np.array(logits) / qkv.shape[-1] ** 0.5 + bias[u, :, k]
      weights = np.exp(logits) / np.exp(logits).sum()
      for v in range(size):
        mixed[u, k] += weights[v] * qkv[v, 2, k]
  h = h + _dense(p['Dense_1'], mixed.reshape(size, -1))
  y = np.stack([_dense(p['Dense_2'], _norm(p['LayerNorm_1'], x)) for x in h])
  y = y * (1 + special.erf(y / 2**0.5)) / 2
  return h + _dense(p['Dense_3'], y)


def _slow_graphormer(params, graph, h):
  """The vertices that are there, without padding."""
  lengths = _lengths(graph)
  size = int(graph.mask.sum())
  lengths = np.where(lengths <= _CUTOFF, lengths, 0).astype(int)
  bias = np.zeros((size, size, _HEADS))
  p = params['_Lengths_0']
  for u in range(size):
    for v in range(size):
      pair = p['table'][lengths[u, v]], p['table'][lengths[v, u]]
      hidden = _relu(_dense(p['Dense_0'], np.concatenate(pair)))
      bias[u, v] = hidden @ p['Dense_1']['kernel']
  h = np.array(h[:size])
  for v in range(size):
    for name, number in (
      ('in_degree', graph.adjacency[:, v].sum()),
      ('out_degree', graph.adjacency[v].sum()),
      ('from_input', lengths[0, v]),
    ):
      h[v] += params[name]['embedding'][int(number)]
  for layer in ('_Attention_0', '_Attention_1'):
    h = _slow_layer(params[layer], h, bias)
  return h


@pytest.fixture(scope='module')
def graphormer():
  """A function of variables, a graph and features, and variables."""
  h = jax.random.normal(jax.random.key(0), (tensor_graphs.SIZE, _D))
  init = jax.jit(_GRAPHORMER.init)
  variables = init(jax.random.key(1), tensor_graphs.small(), h)
  return jax.jit(_GRAPHORMER.apply), variables, h


@pytest.mark.parametrize('plain', [True, False])
def test_a_graphormer_is_a_transformer_that_adds_biases(graphormer, plain):
  apply, variables, h = graphormer
  graph = tensor_graphs.small()
  params = jax.tree.map(np.asarray, variables['params'])
  if plain:  # the biases of all pairs are zero, and the oracle's as well
    params['_Lengths_0']['Dense_1'] = {'kernel': np.zeros((_D, _HEADS))}
  actual = apply({'params': params}, graph, h)
  params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  expected = _slow_graphormer(params, graph, np.asarray(h, np.float64))
  np.testing.assert_allclose(actual[:-1], expected, rtol=1e-5, atol=1e-5)


def test_lengths_start_from_sinusoids(graphormer):
  table = graphormer[1]['params']['_Lengths_0']['table']
  assert table.shape == (_CUTOFF + 1, _D)
  for length, row in enumerate(np.asarray(table)):
    for i in range(_D):
      angle = (length + 2) / 10000 ** (i // 2 * 2 / _D)
      wave = np.cos(angle) if i % 2 else np.sin(angle)
      np.testing.assert_allclose(row[i], wave, atol=1e-6)


def _placed(graph, h, order, size):
  """The graph and features with vertex i at place `order[i]`, else padding."""
  count, order = len(order), np.array(order)
  adjacency = np.zeros((size, size), np.float32)
  adjacency[order[:, None], order] = graph.adjacency[:count, :count]
  mask, features = np.zeros(size, np.float32), np.full((size, _D), 7.0)
  mask[order], features[order] = 1, h[:count]
  return graph._replace(adjacency=adjacency, mask=mask), features


def test_neither_order_nor_padding_nor_a_batch_changes_embeddings(graphormer):
  apply, variables, h = graphormer
  graph = tensor_graphs.small()
  adjacency = np.zeros_like(graph.adjacency)
  for edge in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5), (1, 5)):
    adjacency[edge] = 1
  branched = graph._replace(adjacency=adjacency)
  # Edges go forward in every order; two have padding between vertices.
  cases = (
    (graph, [0, 1, 2, 3, 4, 5]),
    (branched, [0, 1, 2, 3, 4, 5]),
    (branched, [0, 2, 1, 4, 3, 5]),
    (branched, [0, 3, 1, 6, 4, 8]),
    (graph, [0, 1, 4, 5, 6, 8]),
  )
  batch = [_placed(graph, h, order, 9) for graph, order in cases]
  batch = jax.tree.map(lambda *leaves: np.stack(leaves), *batch)
  found = jax.jit(jax.vmap(apply, (None, 0, 0)))(variables, *batch)
  for rows, (graph, order) in zip(found, cases):
    alone = apply(variables, graph, h)[:6]
    np.testing.assert_allclose(rows[np.array(order)], alone, atol=1e-5)
  assert np.abs(found[0] - found[1]).max() > 0.1


def test_weights_that_lie_on_all_devices_may_be_closed_over(graphormer):
  apply, variables, h = graphormer
  graph = tensor_graphs.small()

  @jax.jit
  def run(variables, features):
    times = lambda factor, x: jax.tree.map(lambda leaf: factor * leaf, x)
    both = batching.map_archs(times, jnp.ones(4), shared=(variables,))
    moved = jax.tree.map(lambda leaf: leaf[0], both)
    return batching.map_archs(
      lambda h: _GRAPHORMER.apply(moved, graph, h), features
    )

  for found in run(variables, jnp.stack([h] * 4)):
    np.testing.assert_allclose(found, apply(variables, graph, h), atol=1e-5)


def test_a_gradient_reaches_every_parameter(graphormer):
  _, variables, h = graphormer
  graph = tensor_graphs.small()

  @jax.jit
  @jax.grad
  def gradient(variables):
    found = _GRAPHORMER.apply(variables, graph, h)[:-1]
    return jnp.sum(jnp.sin(jnp.arange(found.size)).reshape(found.shape) * found)

  for leaf in jax.tree.leaves(gradient(variables)):
    assert np.abs(leaf).max() > 1e-4


def test_heads_that_do_not_divide_the_features_are_named():
  model = graph_encoders.Graphormer(_D, num_heads=3)
  with pytest.raises(ValueError, match='3 heads do not divide 8 features'):
    model.init(jax.random.key(0), tensor_graphs.small(), None)
