"""Tests of the recurrent cell and of language models, against slow loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import language_model, loss, rnn_cell
from nasjax.spaces import rnn_cell as cells
from nasjax.spaces import sequences

KEY = jax.random.key(0)
NUM_NODES, FEATURES, BATCH, STEPS, WORDS = 3, 4, 2, 5, 7
SPACE = cells.rnn_cell(num_nodes=NUM_NODES)
CELL = rnn_cell.RnnCell(FEATURES, NUM_NODES)
MODEL = language_model.LanguageModel(CELL, WORDS)
LSTM = language_model.LanguageModel(language_model.LstmCell(FEATURES), WORDS)
TOKENS = jax.random.randint(KEY, (BATCH, STEPS), 0, WORDS)
ARCH = {'recurrent': jnp.array([2, 0, 1, 0, 4, 0])}


def _enlarge(tree):
  """Weights of a size that makes all functions differ."""
  return jax.tree.map(lambda leaf: 25 * leaf, tree)


def _inputs(key=KEY):
  keys = jax.random.split(key, 4)
  x = jax.random.normal(keys[0], (BATCH, STEPS, FEATURES))
  hidden = jax.random.normal(keys[1], (BATCH, FEATURES))
  masks = rnn_cell.Masks(
    *(2.0 * jax.random.bernoulli(k, 0.5, (BATCH, FEATURES)) for k in keys[2:])
  )
  return x, hidden, masks


def _cell_params(arch, module=CELL):
  x, hidden, _ = _inputs()
  return _enlarge(jax.jit(module.init)(KEY, arch, x, hidden))


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


_FUNCTIONS = [
  None,
  np.tanh,
  lambda u: np.maximum(u, 0),
  _sigmoid,
  lambda u: u,
]


def _slow_cell(params, rows, x, hidden, masks, norm):
  """The cell in plain loops; rows are the weights of the edges of a node."""
  first, nodes = (np.asarray(params[k], float) for k in ('input', 'nodes'))
  x, h = np.asarray(x, float), np.asarray(hidden, float)
  x_mask, h_mask = (np.asarray(mask, float) for mask in masks)

  def whiten(s):
    return (s - s.mean(0)) / np.sqrt(s.var(0) + 1e-5) if norm else s

  def highway(state, gates, function):
    gate, u = gates[:, :FEATURES], gates[:, FEATURES:]
    return state + _sigmoid(gate) * (function(u) - state)

  outputs = []
  for t in range(STEPS):
    both = np.concatenate([x[:, t] * x_mask, h * h_mask], axis=1)
    states = [whiten(highway(h, both @ first, np.tanh))]
    for row, weights in zip(rows, nodes):
      node = np.zeros_like(h)
      for state, choices in zip(states, row):
        for k in range(1, 5):
          gates = (state * h_mask) @ weights
          node += choices[k] * highway(state, gates, _FUNCTIONS[k])
      states.append(whiten(node))
    h = np.mean(states[1:], axis=0)
    outputs.append(h)
  return np.stack(outputs, 1), h


def _rows(weights):
  return [np.asarray(weights[n * (n - 1) // 2 :][:n]) for n in (1, 2, 3)]


@pytest.mark.parametrize('norm', [False, True])
def test_the_mixture_equals_a_slow_loop(norm):
  module = rnn_cell.RnnCell(FEATURES, NUM_NODES, norm)
  weights = jax.nn.softmax(jax.random.normal(KEY, (6, 5)))
  arch = {'recurrent': weights}
  variables = _cell_params(arch, module)
  x, hidden, masks = _inputs(jax.random.key(1))
  got = jax.jit(module.apply)(variables, arch, x, hidden, masks)
  expected = _slow_cell(
    variables['params'], _rows(weights), x, hidden, masks, norm
  )
  for a, b in zip(got, expected):
    np.testing.assert_allclose(a, b, atol=2e-4 if norm else 2e-5)


def test_static_index_and_relaxed_forms_mean_the_same():
  variables = _cell_params(ARCH)
  x, hidden, masks = _inputs(jax.random.key(1))

  def run(variables, arch):
    def total(variables):
      outputs, last = CELL.apply(variables, arch, x, hidden, masks)
      return jnp.sum(jnp.sin(outputs)) + jnp.sum(last**2), outputs

    return jax.value_and_grad(total, has_aux=True)(variables)

  jitted = jax.jit(run)
  fixed = choice.static(ARCH)
  results = [jax.jit(lambda variables: run(variables, fixed))(variables)]
  for seed in range(3):
    arch = ARCH if seed == 0 else SPACE.sample(jax.random.key(seed))
    index = jitted(variables, arch)
    relaxed = jitted(variables, choice.one_hot(arch, SPACE.mask))
    results.append(index)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), index, relaxed
    )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *results[:2]
  )
  # Equal, but not because nothing depends on the architecture.
  outputs = [result[0][1] for result in results]
  assert np.abs(outputs[1] - outputs[2]).max() > 1e-2


@pytest.mark.parametrize('string', [sequences.NAO_PTB, sequences.NAO_WS_PTB])
def test_the_cells_of_nao_compute_what_their_strings_say(string):
  arch = sequences.recurrent_from_string(string)
  module = rnn_cell.RnnCell(FEATURES, num_nodes=11)
  variables = _cell_params(arch, module)
  x, hidden, masks = _inputs(jax.random.key(1))
  outputs, _ = jax.jit(module.apply)(variables, arch, x, hidden, masks)
  first, nodes = (
    np.asarray(variables['params'][name], float) for name in ('input', 'nodes')
  )
  x, h, x_mask, h_mask = (np.asarray(a, float) for a in (x, hidden, *masks))
  numbers = [int(word) for word in string.split()]

  def highway(state, gates, function):
    c, u = np.split(gates, 2, axis=1)
    return state + _sigmoid(c) * (function(u) - state)

  for t in range(STEPS):
    both = np.concatenate([x[:, t] * x_mask, h * h_mask], axis=1)
    states = [highway(h, both @ first, np.tanh)]
    for i in range(11):
      state = states[numbers[2 * i]]
      function = _FUNCTIONS[1 + numbers[2 * i + 1]]
      states.append(highway(state, (state * h_mask) @ nodes[i], function))
    h = np.mean(states[1:], axis=0)
    np.testing.assert_allclose(outputs[:, t], h, atol=2e-5)


def test_weights_on_none_only_take_weight_from_the_rest():
  variables = _cell_params(ARCH)
  x, hidden, _ = _inputs()
  relaxed = choice.one_hot(ARCH, SPACE.mask)['recurrent']
  with_none = relaxed.at[:, 0].set(3.0)
  results = [
    CELL.apply(variables, {'recurrent': r}, x, hidden)[0]
    for r in (relaxed, with_none)
  ]
  np.testing.assert_array_equal(*results)


def _count(features, num_words, num_nodes=8, lstm=False):
  core = rnn_cell.RnnCell(features, num_nodes)
  if lstm:
    core = language_model.LstmCell(features)
  model = language_model.LanguageModel(core, num_words)
  arch = {'recurrent': jnp.full((num_nodes * (num_nodes + 1) // 2, 5), 0.2)}
  shapes = jax.eval_shape(
    lambda: model.init(
      KEY, arch, jnp.zeros((1, 2), jnp.int32), model.initial(1)
    )
  )
  return sum(leaf.size for leaf in jax.tree.leaves(shapes['params']))


@pytest.mark.parametrize(
  'features, num_words, expected',
  [
    (300, 10_000, 4_810_000),  # the search on Penn Treebank
    (850, 10_000, 22_960_000),  # its evaluation
    (700, 33_278, 33_127_878),  # the evaluation on WikiText-2
  ],
)
def test_the_number_of_weights_is_the_published_one(
  features, num_words, expected
):
  assert _count(features, num_words) == expected


def test_a_cell_of_eleven_nodes_has_three_more_matrices():
  assert _count(850, 10_000, 11) == 22_960_000 + 3 * 2 * 850**2


def test_the_baseline_has_the_weights_of_one_tied_lstm():
  assert _count(6, 11, lstm=True) == 11 * 6 + 11 + 4 * 6 * (6 + 6) + 4 * 6


def test_weights_start_small():
  params = jax.jit(MODEL.init)(KEY, ARCH, TOKENS, MODEL.initial(BATCH))[
    'params'
  ]
  matrices = (
    params['embedding'],
    params['core']['input'],
    params['core']['nodes'],
  )
  for matrix in matrices:
    assert 0.03 < np.abs(matrix).max() <= 0.04
  assert not params['bias'].any()


@pytest.mark.parametrize('model', [MODEL, LSTM], ids=['cell', 'lstm'])
def test_two_pieces_are_one_text_and_padding_changes_nothing(model):
  arch = choice.one_hot(ARCH, SPACE.mask)
  hidden = model.initial(BATCH)
  variables = _enlarge(jax.jit(model.init)(KEY, arch, TOKENS, hidden))
  apply = jax.jit(
    lambda *args, **kwargs: model.apply(variables, arch, *args, **kwargs)
  )
  whole = apply(TOKENS, hidden)
  # The first three words, and padding by two others.
  padded = TOKENS.at[:, 3:].set(0)
  first = apply(padded, hidden, length=3)
  second = apply(TOKENS[:, 3:], first.hidden)
  logits = jnp.concatenate([first.logits[:, :3], second.logits], axis=1)
  np.testing.assert_allclose(logits, whole.logits, atol=1e-5)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
    second.hidden,
    whole.hidden,
  )
  np.testing.assert_array_equal(whole.states, whole.dropped)


def test_decoder_and_embedding_are_one_matrix():
  hidden = MODEL.initial(BATCH)
  variables = _enlarge(jax.jit(MODEL.init)(KEY, ARCH, TOKENS, hidden))
  params = variables['params']
  output = MODEL.apply(variables, ARCH, TOKENS, hidden)
  states, _ = CELL.apply(
    {'params': params['core']}, ARCH, params['embedding'][TOKENS], hidden
  )
  np.testing.assert_allclose(output.states, states, atol=1e-6)
  expected = states @ params['embedding'].T + 0.0
  np.testing.assert_allclose(output.logits, expected, atol=1e-5)


def _dropped(model, tokens):
  """Output in training, and d output / d embedding of every word."""
  hidden = model.initial(len(tokens))
  variables = _enlarge(jax.jit(model.init)(KEY, ARCH, tokens, hidden))

  def total(table):
    params = dict(variables['params'], embedding=table)
    output = model.apply(
      {'params': params},
      ARCH,
      tokens,
      hidden,
      train=True,
      rngs={'dropout': KEY},
    )
    return jnp.sum(output.states), output

  (_, output), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(
    variables['params']['embedding']
  )
  return output, gradient


def test_masks_are_constant_over_time_and_drawn_for_each_sequence():
  core = rnn_cell.RnnCell(24, NUM_NODES)
  tokens = jnp.arange(2 * STEPS).reshape(2, STEPS)  # each word once
  model = language_model.LanguageModel(
    core,
    2 * STEPS,
    embedding_dropout=0.3,
    input_dropout=0.3,
    hidden_dropout=0.0,
    output_dropout=0.5,
  )
  output, gradient = _dropped(model, tokens)
  ratio = np.asarray(output.dropped / output.states)  # [B, T, H]
  assert np.all((np.abs(ratio) < 1e-6) | (np.abs(ratio - 2) < 1e-4))
  np.testing.assert_array_equal(ratio > 1, (ratio > 1)[:, :1].repeat(STEPS, 1))
  assert np.any((ratio > 1)[0, 0] != (ratio > 1)[1, 0])
  # What reaches the cell of a word: the same features in all steps.
  used = np.asarray(gradient != 0).reshape(2, STEPS, 24)
  np.testing.assert_array_equal(used, used[:, :1].repeat(STEPS, 1))
  assert 0.2 < used.mean() < 0.8  # 0.49 expected
  assert np.any(used[0, 0] != used[1, 0])


def test_word_dropout_takes_whole_words_wherever_they_stand():
  model = language_model.LanguageModel(
    CELL,
    40,
    embedding_dropout=0.0,
    input_dropout=0.0,
    hidden_dropout=0.0,
    output_dropout=0.0,
    word_dropout=0.5,
  )
  tokens = jnp.arange(40).reshape(4, 10)
  _, gradient = _dropped(model, tokens)
  used = np.asarray(gradient != 0)
  np.testing.assert_array_equal(used, used[:, :1].repeat(FEATURES, 1))
  assert 8 < used[:, 0].sum() < 32


@pytest.mark.parametrize('length', [STEPS, 3])
def test_the_loss_is_entropy_with_both_activation_penalties(length):
  model = language_model.LanguageModel(CELL, WORDS, output_dropout=0.5)
  function = jax.jit(loss.language_loss(model, 0.7, 1.3))
  hidden = jax.random.normal(KEY, (BATCH, FEATURES))
  params = _enlarge(jax.jit(model.init)(KEY, ARCH, TOKENS, hidden)['params'])
  batch = {
    'input': TOKENS,
    'target': (TOKENS + 1) % WORDS,
    'length': jnp.int32(length),
    'start': jnp.asarray(False),
    'carry': hidden,
  }
  value, metrics = function(params, ARCH, KEY, batch)
  output = model.apply(
    {'params': params},
    ARCH,
    TOKENS,
    hidden,
    train=True,
    length=length,
    rngs={'dropout': KEY},
  )
  logits, states, dropped = (
    np.asarray(x, float) for x in (output.logits, output.states, output.dropped)
  )
  entropy = activation = temporal = 0
  for b in range(BATCH):
    for t in range(length):
      probs = np.exp(logits[b, t]) / np.exp(logits[b, t]).sum()
      entropy -= np.log(probs[batch['target'][b, t]]) / (BATCH * length)
      activation += np.mean(dropped[b, t] ** 2) / (BATCH * length)
      if t > 0:
        change = states[b, t] - states[b, t - 1]
        temporal += np.mean(change**2) / (BATCH * (length - 1))
  expected = entropy + 0.7 * activation + 1.3 * temporal
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  np.testing.assert_allclose(metrics['perplexity'], np.exp(entropy), rtol=1e-5)
  np.testing.assert_allclose(metrics['carry'], states[:, length - 1], rtol=1e-5)
  # Where an epoch starts the hidden state is forgotten.
  anew = function(params, ARCH, KEY, dict(batch, start=jnp.asarray(True)))
  zero = function(params, ARCH, KEY, dict(batch, carry=jnp.zeros_like(hidden)))
  assert anew[0] == zero[0] != value


@pytest.mark.parametrize(
  'arch, message',
  [
    (
      (1, 0, 0, 0, 0, 1),
      r'Node 1 .* needs one input, got the choices \(0, 0\)',
    ),
    ((1, 1, 1, 0, 0, 1), r'Node 1 .* needs one input'),
    ((1, 0, 1), r'of shape \(6,\), or \(6, 5\) .* got \(3,\)'),
  ],
)
def test_cells_that_are_none_are_refused(arch, message):
  x, hidden, _ = _inputs()
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(lambda: CELL.init(KEY, {'recurrent': arch}, x, hidden))


def test_the_lstm_drops_the_same_features_of_its_state_in_all_steps():
  x, hidden, masks = _inputs()
  core = language_model.LstmCell(FEATURES)
  carry = (hidden, -hidden)
  variables = jax.jit(core.init)(KEY, None, x, carry)
  got, last = jax.jit(core.apply)(variables, None, x, carry, masks, 4)
  (layer,) = variables['params'].values()
  (dense,) = (v for v in layer.values() if isinstance(v, dict))
  h, c = (np.asarray(s, float) for s in carry)
  for t in range(STEPS):
    gates = (x[:, t] * masks.x) @ dense['kernel'] + dense['bias'][None]
    gates = np.asarray(gates + (h * masks.hidden) @ layer['recurrent'])
    i, f, g, o = np.split(gates, 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    h = _sigmoid(o) * np.tanh(c)
    if t < 4:
      np.testing.assert_allclose(got[:, t], h, atol=1e-5)
    if t == 3:
      np.testing.assert_allclose(last[0], h, atol=1e-5)
      np.testing.assert_allclose(last[1], c, atol=1e-5)
