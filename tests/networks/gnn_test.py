"""Graph networks against loops over nodes, neighbours and heads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice, graphs
from nasjax.networks import gnn as networks
from nasjax.spaces import gnn as spaces
from tests.networks import forms

_OPTIONS = spaces.Options(
  hidden=(2, 3),
  heads=(1, 2, 3),
  aggregate=('sum', 'mean', 'max', 'mlp'),
)
_SPACE = spaces.gnn(_OPTIONS)
_NETWORK = networks.Gnn(5, 4, _OPTIONS, widths=(4,))
_EDGES = np.array([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4], [4, 5]])
_X = np.random.RandomState(0).randn(7, 5) * (
  np.random.RandomState(1).rand(7, 5) < 0.7
)
_GRAPH = graphs.undirected(_EDGES, _X)


@pytest.fixture(scope='module')
def apply():
  """Returns `(params, arch, graph) -> logits`, compiled once a shape."""
  return jax.jit(
    lambda params, arch, graph: _NETWORK.apply(
      {'params': params}, arch, graph, False
    )
  )


@pytest.fixture(scope='module')
def init():
  return jax.jit(
    lambda key, arch: _NETWORK.init(key, arch, _GRAPH, False)['params']
  )


def _archs(num):
  keys = jax.random.split(jax.random.key(7), num)
  archs = jax.jit(jax.vmap(_SPACE.sample))(keys)
  return [jax.tree.map(lambda leaf, i=i: leaf[i], archs) for i in range(num)]


def _names(arch):
  named = {
    name: [getattr(_OPTIONS, name)[int(i)] for i in leaf]
    for name, leaf in arch.items()
  }
  return {**named, 'hidden': [*named['hidden'], 4]}


def _neighbours():
  adjacency = np.eye(7)
  for a, b in _EDGES:
    adjacency[a, b] = adjacency[b, a] = 1
  return [np.flatnonzero(row) for row in adjacency]


def _leaky(x):
  return max(x, 0.2 * x)


def _attention(name, hi, hj, degrees, weights):
  left, right, last = weights
  if name == 'const':
    return 1.0
  if name == 'gcn':
    return 1 / np.sqrt(degrees[0] * degrees[1])
  if name == 'gat':
    return _leaky(left @ hi + right @ hj)
  if name == 'gat_sym':
    return _leaky(left @ hi + right @ hj) + _leaky(left @ hj + right @ hi)
  if name == 'cos':
    return (left * hi) @ (right * hj)
  if name == 'linear':
    return np.tanh(left @ hj + right @ hj)
  return last @ np.tanh(left * hi + right * hj)


def _activate(name, x):
  return {
    'sigmoid': lambda: 1 / (1 + np.exp(-x)),
    'tanh': lambda: np.tanh(x),
    'relu': lambda: np.maximum(x, 0),
    'linear': lambda: x,
    'softplus': lambda: np.log1p(np.exp(x)),
    'leaky_relu': lambda: np.where(x > 0, x, 0.01 * x),
    'relu6': lambda: np.clip(x, 0, 6),
    'elu': lambda: np.where(x > 0, x, np.expm1(x)),
  }[name]()


def _slow(params, arch):
  """The network, one neighbour at a time."""
  names, x, neighbours = _names(arch), _X, _neighbours()
  for i in range(2):
    weights = {k: np.asarray(v, float) for k, v in params[f'layer_{i}'].items()}
    heads, size = names['heads'][i], names['hidden'][i]
    units = heads * size
    h = (x @ weights['kernel'][: x.shape[1], :units]).reshape(7, heads, size)
    out = np.zeros((7, heads, size))
    for node, head in np.ndindex(7, heads):
      own = slice(head * size, head * size + size)
      vectors = [weights[side][own] for side in ('left', 'right', 'last')]
      scores = np.array(
        [
          _attention(
            names['attention'][i],
            h[node, head],
            h[j, head],
            (len(neighbours[node]), len(neighbours[j])),
            vectors,
          )
          for j in neighbours[node]
        ]
      )
      if names['attention'][i] not in ('const', 'gcn'):
        scores = np.exp(scores) / np.exp(scores).sum()
      messages = scores[:, None] * h[neighbours[node], head]
      reduce = {'sum': np.sum, 'mlp': np.sum, 'mean': np.mean, 'max': np.max}
      out[node, head] = reduce[names['aggregate'][i]](messages, axis=0)
    m = out.reshape(7, units)
    first, second = weights['mlp_in'][:units], weights['mlp_out'][:, :units]
    if names['aggregate'][i] == 'mlp':
      m = m @ first @ second
    if names['combine'][i] == 'mlp':
      m = np.maximum(m @ first, 0) @ second
    if i == 1:
      m = m.reshape(7, heads, size).mean(1)
    x = _activate(names['activation'][i], m)
  return x


def test_random_networks_are_the_slow_loop(apply, init):
  archs, seen = _archs(60), set()
  for number, arch in enumerate(archs):
    params = init(jax.random.key(number), arch)
    np.testing.assert_allclose(
      apply(params, arch, _GRAPH), _slow(params, arch), rtol=1e-4, atol=1e-5
    )
    seen |= {name for names in _names(arch).values() for name in names}
  known = {name for options in _OPTIONS for name in options}
  assert seen == known | {4}


def test_kipf_is_the_normalised_adjacency_with_loops(apply, init):
  options = _OPTIONS._replace(hidden=(2, 3))
  arch = choice.index(spaces.kipf(options, units=3))
  params = init(jax.random.key(0), arch)
  adjacency = np.eye(7)
  for a, b in _EDGES:
    adjacency[a, b] = adjacency[b, a] = 1
  scale = np.diag(adjacency.sum(1) ** -0.5)
  matrix = scale @ adjacency @ scale
  first = np.asarray(params['layer_0']['kernel'])[:, :3]
  second = np.asarray(params['layer_1']['kernel'])[:3, :4]
  hidden = np.maximum(matrix @ _X @ first, 0)
  np.testing.assert_allclose(
    apply(params, arch, _GRAPH), matrix @ hidden @ second, atol=1e-5
  )


def test_padding_changes_nothing(apply, init):
  padded = graphs.pad(_GRAPH, 11, 30, 50)
  for arch in _archs(12):
    params = init(jax.random.key(0), arch)
    logits = apply(params, arch, padded)
    np.testing.assert_allclose(
      logits[:7], apply(params, arch, _GRAPH), atol=1e-5
    )
    assert np.isfinite(logits).all()


def test_other_names_of_nodes_are_other_names_of_results(apply, init):
  order = np.random.RandomState(3).permutation(7)
  place = np.argsort(order)
  renamed = graphs.undirected(place[_EDGES], _X[order])
  for arch in _archs(12):
    params = init(jax.random.key(0), arch)
    np.testing.assert_allclose(
      apply(params, arch, renamed),
      apply(params, arch, _GRAPH)[order],
      atol=1e-5,
    )


def test_fewer_units_are_enough_for_smaller_networks(apply, init):
  narrow = jax.jit(
    lambda params, arch: _NETWORK.apply(
      {'params': params}, arch, _GRAPH, False, 4
    )
  )
  assert _NETWORK.all_widths() == (4, 9)
  which = []
  for arch in _archs(30):
    which.append(int(_NETWORK.which_width(arch)))
    if which[-1] == 0:
      params = init(jax.random.key(0), arch)
      np.testing.assert_allclose(
        narrow(params, arch), apply(params, arch, _GRAPH), atol=1e-5
      )
    else:
      assert spaces.num_units(_OPTIONS, arch).max() > 4
  assert set(which) == {0, 1}


def test_all_forms_are_one_network(init):
  # Few choices: a relaxed one computes them all.
  options = _OPTIONS._replace(
    attention=('gat', 'cos'),
    aggregate=('mean', 'max'),
    activation=('tanh', 'elu'),
  )
  space, network = spaces.gnn(options), networks.Gnn(5, 4, options)

  def run(variables, arch):
    def loss(variables):
      logits = network.apply(variables, arch, _GRAPH, False)
      return jnp.sum(jnp.sin(logits)), logits

    (_, logits), gradient = jax.value_and_grad(loss, has_aux=True)(variables)
    return logits, gradient

  archs = [space.sample(jax.random.key(i)) for i in range(2)]
  variables = jax.jit(lambda *a: network.init(*a, False))(
    jax.random.key(0), archs[0], _GRAPH
  )
  compiled = forms.Compiled(variables, run, jax.jit(run))
  forms.assert_equal(compiled, space, archs)


def test_dropout_takes_inputs_and_attention_and_keeps_their_mean():
  options = spaces.Options((2,), heads=(1,))
  arch = spaces.kipf(options, 2)
  network = networks.Gnn(5, 4, options, attention_dropout=0.5, dropout=0.2)
  variables = network.init(jax.random.key(0), arch, _GRAPH, False)
  # Linear in what is dropped, so the mean is the network without dropout.
  linear = {**arch, 'activation': (options.activation.index('linear'),) * 2}

  def drawn(key):
    return network.apply(variables, linear, _GRAPH, rngs={'dropout': key})

  many = jax.jit(jax.vmap(drawn))(jax.random.split(jax.random.key(1), 4000))
  expected = network.apply(variables, linear, _GRAPH, False)
  error = many.std(0) / np.sqrt(len(many))
  np.testing.assert_array_less(np.abs(many.mean(0) - expected), 4.5 * error)
