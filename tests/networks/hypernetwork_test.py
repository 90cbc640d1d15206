"""Hypernetworks against slow loops, and the tensors that they predict."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import deepnets_exact, hypernetwork
from nasjax.spaces import deepnets_graphs, deepnets_primitives
from nasjax.spaces.deepnets_graphs import TensorGraph

_SIZE, _D = 7, 8


def _graph(seed=0):
  """A random graph of seven vertices, the last one padding."""
  rng = np.random.RandomState(seed)
  adjacency = np.triu(rng.rand(_SIZE, _SIZE) < 0.4, 1).astype(np.float32)
  adjacency[np.arange(5), np.arange(1, 6)] = 1
  adjacency[:, -1] = 0
  mask = np.ones(_SIZE, np.float32)
  mask[-1] = 0
  op = np.full(_SIZE, deepnets_primitives.INDEX['conv'])
  op[4] = deepnets_primitives.INDEX['bn']
  op[5] = deepnets_primitives.INDEX['bias']
  shape = np.array([[3, 2, 3, 3]] * 4 + [[4, 1, 1, 1]] * 3)
  shape[3] = [10, 5, 1, 1]
  shape[5] = [10, 1, 1, 1]
  return TensorGraph(
    adjacency, op.astype(np.int32), mask, shape.astype(np.int32)
  )


def _dense(p, x):
  return x @ p['kernel'] + p['bias']


def _relu(x):
  return np.maximum(x, 0)


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _slow_gated(params, graph, h, cutoff):
  """Sums over edges and pairs, one vertex after another."""
  size = len(h)
  lengths = np.where(graph.adjacency > 0, 1.0, np.inf)
  for k in range(size):
    lengths = np.minimum(lengths, lengths[:, k, None] + lengths[None, k])
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
  graph = _graph()
  h = jax.random.normal(jax.random.key(0), (_SIZE, _D))
  model = hypernetwork.GatedGnn(_D, cutoff)
  variables = model.init(jax.random.key(1), graph, h)
  actual = model.apply(variables, graph, h)
  params = jax.tree.map(
    lambda x: np.asarray(x, np.float64), variables['params']
  )
  expected = _slow_gated(params, graph, np.asarray(h, np.float64), cutoff)
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_sizes_without_an_embedding_take_the_next_one():
  channels = hypernetwork.channel_sizes(10)
  of = lambda size: channels[hypernetwork.size_index(jnp.int32(size), channels)]
  assert [of(s) for s in (1, 2, 4, 7, 9, 10, 57, 65, 4081, 9000)] == [
    1, 3, 8, 8, 10, 10, 64, 80, 4096, 8192,
  ]  # fmt: skip
  assert hypernetwork.size_index(jnp.int32(0), channels) == len(channels)


def _variables(model, graph):
  def everything(model, graph):
    h = model.embed(graph)
    return (
      model.tensors(h, 1, 1),
      model.vectors(h),
      model.classifier(h[0], h[1]),
    )

  return model.init(jax.random.key(0), graph, method=everything)


def test_every_tensor_has_its_shape_and_repeats_its_block():
  graph = _graph()
  model = hypernetwork.Hypernetwork(features=_D, channels=2, kernel=3)
  variables = _variables(model, graph)
  found = deepnets_exact.predict(model, variables, graph, False)
  assert sorted(found) == list(range(6))
  block = lambda model, graph: model.tensors(model.embed(graph)[0], 3, 3)
  block = np.asarray(model.apply(variables, graph, method=block))
  tensor = found[0]
  assert tensor.shape == (3, 3, 2, 3)
  for i in range(2):
    for o in range(3):
      np.testing.assert_allclose(
        tensor[..., i, o], block[..., i % 2, o % 2], rtol=1e-5, atol=1e-6
      )
  assert found[3].shape == (1, 1, 5, 10) and found[5].shape == (10,)
  np.testing.assert_allclose(found[3][0, 0, 4], found[3][0, 0, 0], atol=1e-6)
  assert found[4].shape == (2, 4)


def test_normalised_weights_have_the_variance_that_is_said():
  rng = np.random.RandomState(0)
  index = deepnets_primitives.INDEX
  for name, shape, variance in (
    ('conv', (64, 32, 3, 3), 2 / (32 * 9)),
    ('conv', (64, 32, 1, 7), 1 / (32 * 7)),
    ('conv', (64, 32, 7, 1), 2 / (32 * 7)),
    ('sep_conv', (256, 1, 5, 5), 1 / 25),
    ('dil_conv', (256, 1, 3, 3), 1 / 9),
    ('pos_enc', (64, 1, 8, 8), 1.0),
    ('sum', (0, 0, 0, 0), 1.0),
  ):
    scale = hypernetwork.weight_scale(jnp.int32(index[name]), jnp.array(shape))
    drawn = rng.normal(size=20000) * scale
    assert abs(drawn.var() / variance - 1) < 0.05
  x = jnp.linspace(-40, 40, 9).reshape(1, 9).repeat(2, 0)
  scales, biases = hypernetwork.normalise_vectors(x)
  assert scales.min() >= 0 and scales.max() <= 2 and scales[4] == 1
  np.testing.assert_allclose(biases, np.tanh(0.2 * x[1]), atol=1e-6)


def test_graphs_in_a_batch_are_independent():
  graphs = [_graph(0), _graph(3)]
  model = hypernetwork.Hypernetwork(features=_D, channels=2, kernel=1)
  variables = _variables(model, graphs[0])
  embed = lambda graph: model.apply(variables, graph, method='embed')
  both = jax.vmap(embed)(jax.tree.map(lambda *x: jnp.stack(x), *graphs))
  for graph, h in zip(graphs, both):
    np.testing.assert_allclose(h, embed(graph), rtol=1e-4, atol=1e-5)
  assert deepnets_graphs.num_params(graphs[0]) == 3 * 54 + 50 + 8 + 10
