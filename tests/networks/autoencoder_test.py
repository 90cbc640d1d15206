"""Tests for the autoencoder: against loops over time in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import autoencoder

_TOKENS = np.array([[1, 3, 2, 4], [4, 4, 1, 2]])
_MASK = np.array([[0, 1, 1, 0, 0]] * 2 + [[0, 0, 0, 1, 1]] * 2, bool)
_SEMINAS = autoencoder.Autoencoder(5, 6, 6, widths=(3, 6))
_NAO = autoencoder.Autoencoder(
  5,
  4,
  6,
  group=2,
  widths=(7, 3),
  bidirectional=False,
  residual=False,
  bounded=True,
)
_both = pytest.mark.parametrize(
  'network', [_SEMINAS, _NAO], ids=['semi', 'nao']
)


def _params(network):
  tokens = jnp.asarray(_TOKENS[0])
  init = jax.jit(lambda key: network.init(key, tokens)['params'])
  return init(jax.random.key(0))


def _apply(network, params, x, **kwargs):
  apply = lambda params, x: network.apply({'params': params}, x, **kwargs)
  return jax.jit(apply)(params, x)


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _unit(x):
  return x / np.sqrt(sum(value**2 for value in x))


class _Oracle:
  """The network on one sequence, one step at a time, in float64."""

  def __init__(self, network, params):
    self.network = network
    self.params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)

  def linear(self, name, x):
    layer = self.params[name]
    return x @ layer['kernel'] + layer.get('bias', 0)

  def lstm_step(self, name, x, state):
    layer, (hidden, cell) = self.params[name], state
    size = len(hidden)
    gates = x @ layer['Dense_0']['kernel'] + layer['Dense_0']['bias']
    gates = gates + hidden @ layer['recurrent']
    new_hidden, new_cell = np.zeros(size), np.zeros(size)
    for j in range(size):
      i, f, g, o = (gates[j + k * size] for k in range(4))
      new_cell[j] = _sigmoid(f) * cell[j] + _sigmoid(i) * np.tanh(g)
      new_hidden[j] = _sigmoid(o) * np.tanh(new_cell[j])
    return new_hidden, new_cell

  def read(self, name, inputs):
    state = np.zeros(self.network.hidden), np.zeros(self.network.hidden)
    outputs = []
    for x in inputs:
      state = self.lstm_step(name, x, state)
      outputs.append(state[0])
    return outputs

  def encode(self, tokens):
    group, table = self.network.group, self.params['embed']['kernel']
    inputs = [
      np.concatenate([table[token] for token in tokens[t : t + group]])
      for t in range(0, len(tokens), group)
    ]
    outputs = self.read('forward', inputs)
    if self.network.bidirectional:
      back = self.read('backward', inputs[::-1])[::-1]
      outputs = [
        self.linear('join', np.concatenate(pair)) for pair in zip(outputs, back)
      ]
    if self.network.residual:
      outputs = [h + x for h, x in zip(outputs, inputs)]
    return np.array([_unit(h) for h in outputs])

  def predict(self, outputs):
    e = x = _unit(sum(outputs) / len(outputs))
    for k in range(len(self.network.widths)):
      x = np.maximum(self.linear(f'mlp_{k}', x), 0)
    if self.network.residual:
      x = (x + e) / np.sqrt(2)
    value = self.linear('head', x)[0]
    return _sigmoid(value) if self.network.bounded else value

  def logits(self, outputs, token, state):
    x = self.params['embed_last']['kernel'][token]
    state = self.lstm_step('decoder', x, state)
    s = (state[0] + x) / np.sqrt(2) if self.network.residual else state[0]
    query = self.linear('query', s)
    weights = np.exp([query @ h for h in outputs])
    weights = weights / weights.sum()
    mixed = sum(weight * h for weight, h in zip(weights, outputs))
    out = np.tanh(self.linear('mix', np.concatenate([mixed, s])))
    if self.network.residual:
      out = (out + s) / np.sqrt(2)
    return self.linear('emit', out), state

  def start(self, outputs):
    e = _unit(sum(outputs) / len(outputs))
    return e, e

  def teach(self, tokens):
    outputs = self.encode(tokens)
    state, rows = self.start(outputs), []
    for last in [0, *tokens[:-1]]:
      row, state = self.logits(outputs, last, state)
      rows.append(row)
    return np.array(rows)

  def generate(self, outputs):
    state, tokens = self.start(outputs), [0]
    for allowed in _MASK:
      row, state = self.logits(outputs, tokens[-1], state)
      tokens.append(max(np.flatnonzero(allowed), key=lambda k: row[k]))
    return tokens[1:]


@_both
def test_all_three_parts_equal_loops_over_time(network):
  params = _params(network)
  oracle = _Oracle(network, params)
  outputs = _apply(network, params, _TOKENS, method='encode')
  predicted, logits = _apply(network, params, _TOKENS)
  for i, tokens in enumerate(_TOKENS):
    expected = oracle.encode(tokens)
    np.testing.assert_allclose(outputs[i], expected, atol=1e-5)
    np.testing.assert_allclose(
      predicted[i], oracle.predict(expected), atol=1e-5
    )
    np.testing.assert_allclose(logits[i], oracle.teach(tokens), atol=1e-5)


@_both
def test_greedy_decoding_equals_a_loop(network):
  params = _params(network)
  oracle = _Oracle(network, params)
  shape = 20, 4 // network.group, network.hidden
  outputs = jax.random.normal(jax.random.key(1), shape)
  outputs = autoencoder.normalise(outputs)
  generate = lambda h: autoencoder.generate(network, params, h, _MASK)
  tokens = jax.jit(generate)(outputs)
  expected = [oracle.generate(np.asarray(h, np.float64)) for h in outputs]
  np.testing.assert_array_equal(tokens, expected)
  assert len(np.unique(np.asarray(tokens), axis=0)) > 1


@_both
def test_states_of_the_encoder_have_length_one(network):
  outputs = _apply(network, _params(network), _TOKENS, method='encode')
  assert outputs.shape == (2, 4 // network.group, network.hidden)
  np.testing.assert_allclose(
    np.linalg.norm(np.asarray(outputs), axis=-1), 1, rtol=1e-5
  )


def test_one_sequence_is_a_batch_of_one():
  many = _apply(_SEMINAS, _params(_SEMINAS), _TOKENS)
  one = _apply(_SEMINAS, _params(_SEMINAS), _TOKENS[1])
  for a, b in zip(many, one):
    np.testing.assert_allclose(a[1], b, atol=1e-6)


def test_normalising_zero_gives_zero_and_a_finite_gradient():
  zero = jnp.zeros(3)
  np.testing.assert_array_equal(autoencoder.normalise(zero), zero)
  gradient = jax.grad(lambda x: jnp.sum(autoencoder.normalise(x)))(zero)
  assert np.all(np.isfinite(gradient))


def test_dropout_is_for_training_only():
  variables = {'params': _params(_SEMINAS)}

  @jax.jit
  def train(seed):
    key = {'dropout': jax.random.key(seed)}
    return _SEMINAS.apply(variables, _TOKENS, train=True, rngs=key)[0]

  assert not np.allclose(train(0), train(1))
  np.testing.assert_array_equal(train(0), train(0))


def test_published_sizes():
  def num_params(network, length):
    tokens = jax.ShapeDtypeStruct((length,), jnp.int32)
    shapes = jax.eval_shape(network.init, jax.random.key(0), tokens)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))

  def lstm(inputs, size):
    return 4 * size * (inputs + size + 1)

  decoder = lambda size, tokens: (
    lstm(size, size) + 3 * size * size + (size + 1) * tokens + tokens * size
  )
  semi = 7 * 64 + 2 * lstm(64, 64) + 129 * 64 + 65 * 16 + 17 * 64 + 65
  assert num_params(autoencoder.seminas(7), 27) == semi + decoder(64, 7)
  nao = 12 * 48 + lstm(96, 96) + 97 * 200 + 2 * 201 * 200 + 201
  network = autoencoder.nao(12, group=2)
  assert num_params(network, 40) == nao + decoder(96, 12)


def test_residual_connections_between_different_sizes_are_refused():
  network = autoencoder.Autoencoder(5, embedding=4, hidden=6)
  with pytest.raises(ValueError, match='Residual connections need embedding'):
    network.init(jax.random.key(0), _TOKENS)
