"""Tests for networks of predictors: against loops over vertices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import networks
from nasjax.spaces import graphs, nasbench201
from tests import oracles

_SPACE = nasbench201.nasbench201()
_ARCHS = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(0), 5))
_VIEW = lambda arch: graphs.nasbench201(arch, pruned=True)
_GRAPHS = jax.vmap(_VIEW)(_ARCHS)
_KEY = jax.random.key(1)


def _relu(x):
  return np.maximum(x, 0)


def _build(network, inputs):
  """Returns the prediction and the weights by name, as numpy arrays."""
  variables = jax.jit(network.init)(_KEY, inputs)
  prediction = jax.jit(network.apply)(variables, inputs)
  flat = jax.tree_util.tree_leaves_with_path(variables['params'])
  weights = {
    jax.tree_util.keystr(k, simple=True, separator='/'): v for k, v in flat
  }
  return prediction, {name: np.asarray(w) for name, w in weights.items()}


def _linear(weights, name, x):
  bias = weights.get(f'{name}/Dense_0/bias', 0)
  return x @ weights[f'{name}/Dense_0/kernel'] + bias


def _graph(i):
  """Returns op, sources of each vertex, and the vertices, of one graph."""
  adjacency, op, mask = (np.asarray(leaf[i]) for leaf in _GRAPHS)
  vertices = np.flatnonzero(mask)
  sources = {t: np.flatnonzero(adjacency[:, t]) for t in vertices}
  return op, sources, vertices


def _check(prediction, weights, features):
  features = np.stack(features)
  np.testing.assert_allclose(
    prediction.features, features, rtol=1e-4, atol=1e-6
  )
  values = _linear(weights, 'head', features)[:, 0]
  np.testing.assert_allclose(prediction.values, values, rtol=1e-4, atol=1e-6)


def test_the_mlp_is_relus_of_linear_maps():
  x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
  prediction, weights = _build(networks.Mlp((6, 5)), x)
  x = _relu(_linear(weights, '_Linear_0', x))
  _check(prediction, weights, _relu(_linear(weights, '_Linear_1', x)))


@pytest.mark.parametrize('reverse', [False, True])
def test_the_gcn_sums_messages_of_the_sources(reverse):
  network = networks.Gcn(graphs.NASBENCH201_OPS, 6, depth=2, reverse=reverse)
  prediction, weights = _build(network, _GRAPHS)
  features = []
  for i in range(5):
    op, sources, vertices = _graph(i)
    x = {v: weights['_Linear_0/Dense_0/kernel'][op[v]] for v in vertices}
    for layer in range(2):
      name = 1 + layer * (1 + reverse)
      forth = {v: _linear(weights, f'_Linear_{name}', x[v]) for v in vertices}
      y = {
        v: x[v] + forth[v] + sum(forth[s] for s in sources[v]) for v in vertices
      }
      for target in vertices if reverse else ():
        back = _linear(weights, f'_Linear_{name + 1}', x[target])
        for source in sources[target]:
          y[source] = y[source] + back
      x = {v: _relu(y[v]) for v in vertices}
    features.append(sum(x.values()) / 8)
  _check(prediction, weights, features)


def test_the_neural_predictor_averages_both_directions():
  network = networks.NeuralPredictor(graphs.NASBENCH201_OPS, 6, 2, 4)
  prediction, weights = _build(network, _GRAPHS)
  features = []
  for i in range(5):
    op, sources, vertices = _graph(i)
    targets = {v: [t for t in vertices if v in sources[t]] for v in vertices}
    x = {v: np.eye(graphs.NASBENCH201_OPS)[op[v]] for v in vertices}
    for layer in (0, 2):
      forth, back = (
        {v: _linear(weights, f'_Linear_{layer + k}', x[v]) for v in vertices}
        for k in range(2)
      )
      mean = lambda of, v, near: np.mean([of[u] for u in [v, *near[v]]], 0)
      x = {
        v: (_relu(mean(forth, v, sources)) + _relu(mean(back, v, targets))) / 2
        for v in vertices
      }
    mean_vertex = np.mean(list(x.values()), axis=0)
    features.append(_relu(_linear(weights, '_Linear_4', mean_vertex)))
  _check(prediction, weights, features)


def test_the_brp_gcn_is_read_at_a_node_that_sees_all():
  network = networks.BrpGcn(graphs.NASBENCH201_OPS, 6, depth=2)
  prediction, weights = _build(network, _GRAPHS)

  def normalise(layer, x):
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    name = f'LayerNorm_{layer}'
    return _relu(x * weights[f'{name}/scale'] + weights[f'{name}/bias'])

  features = []
  for i in range(5):
    op, sources, vertices = _graph(i)
    x = {v: np.eye(graphs.NASBENCH201_OPS)[op[v]] for v in vertices}
    top = np.zeros(graphs.NASBENCH201_OPS)
    for layer in range(2):
      y = {v: _linear(weights, f'_Linear_{layer}', x[v]) for v in vertices}
      own = _linear(weights, f'_Linear_{layer}', top)
      top = normalise(layer, own + sum(y.values()))
      x = {
        v: normalise(layer, y[v] + sum(y[s] for s in sources[v]))
        for v in vertices
      }
    features.append(top)
  _check(prediction, weights, features)


@pytest.mark.parametrize('pool', [False, True])
def test_the_lenet_is_two_convolutions_and_two_hidden_layers(pool):
  x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)
  prediction, weights = _build(networks.LeNet(pool), x)
  for layer in range(2):
    kernel = weights[f'Conv_{layer}/kernel']
    x = oracles.convolution(x, kernel, 1, 1, ((1, 1), (1, 1)))
    x = _relu(x + weights[f'bias_{(32, 64)[layer]}'])
  if pool:
    x = x[:, :4, :4].reshape(2, 2, 2, 2, 2, 64).max(axis=(2, 4))
  x = x.reshape(2, -1)
  for layer in range(2):
    x = _relu(_linear(weights, f'_Linear_{layer}', x))
  assert prediction.features.shape == (2, 84)
  _check(prediction, weights, x)


def test_padding_changes_no_prediction():
  bodies = networks.Gcn, networks.NeuralPredictor, networks.BrpGcn
  noisy = _GRAPHS._replace(
    op=jnp.where(_GRAPHS.mask > 0, _GRAPHS.op, 3)  # what padding bears
  )
  for body in bodies:
    network = body(graphs.NASBENCH201_OPS, 6, 2)
    variables = jax.jit(network.init)(_KEY, _GRAPHS)
    apply = jax.jit(network.apply)
    np.testing.assert_array_equal(
      apply(variables, _GRAPHS).values, apply(variables, noisy).values
    )


@pytest.mark.parametrize('antisymmetric', [False, True])
def test_a_comparator_adds_a_term_of_each_architecture(antisymmetric):
  body = networks.Mlp((4,))
  x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
  network = networks.Comparator(body, antisymmetric)
  prediction, weights = _build(network, x)
  f = _relu(
    x @ weights['body/_Linear_0/Dense_0/kernel']
    + weights['body/_Linear_0/Dense_0/bias']
  )
  first = _linear(weights, '_Linear_0', f)[:, 0]
  second = -first if antisymmetric else _linear(weights, '_Linear_1', f)[:, 0]
  np.testing.assert_allclose(prediction.features[:, 0], first, rtol=1e-4)
  np.testing.assert_allclose(prediction.features[:, 1], second, rtol=1e-4)
  np.testing.assert_allclose(prediction.values, first - second, rtol=1e-4)


def test_weights_start_within_their_bounds():
  x = jnp.zeros((1, 100))
  params = jax.jit(networks.Mlp((8,)).init)(_KEY, x)['params']
  kernel = params['_Linear_0']['Dense_0']['kernel']
  assert 0.09 < jnp.max(jnp.abs(kernel)) <= 0.1
