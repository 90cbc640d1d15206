"""Tests of DARTS for recurrent cells."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import data
from nasjax.distributions import softmax
from nasjax.networks import language_model, loss, rnn_cell
from nasjax.searches import hypergradients, prime
from nasjax.spaces import rnn_cell as cells
from nasjax.systems import darts_rnn

KEY = jax.random.key(0)
NUM_NODES, FEATURES, BATCH, BPTT, WORDS = 2, 4, 3, 4, 6
SPACE = cells.rnn_cell(num_nodes=NUM_NODES)
MODEL = language_model.LanguageModel(
  rnn_cell.RnnCell(FEATURES, NUM_NODES, norm=True),
  WORDS,
  embedding_dropout=0.0,
  input_dropout=0.5,
)
PLAIN = MODEL.clone(core=rnn_cell.RnnCell(FEATURES, NUM_NODES))
XI, DECAY, TEMPORAL = 20.0, 5e-7, 1e-3


def _search(model=MODEL, **kwargs):
  return darts_rnn.darts_rnn(SPACE, model, BATCH, BPTT, **kwargs)


def _part(seed, length=BPTT, start=False):
  keys = jax.random.split(jax.random.key(seed), 2)
  shape = (BATCH, BPTT)
  return {
    'input': jax.random.randint(keys[0], shape, 0, WORDS),
    'target': jax.random.randint(keys[1], shape, 0, WORDS),
    'length': jnp.int32(length),
    'start': jnp.asarray(start),
  }


def _started(search, scale=25.0):
  """A state whose weights, alphas and hidden states are all of some size."""
  state = search.init(KEY)
  keys = jax.random.split(KEY, 2)
  hidden = [jax.random.normal(key, (BATCH, FEATURES)) for key in keys]
  return state._replace(
    weights=jax.tree.map(lambda leaf: scale * leaf, state.weights),
    arch_params={'recurrent': jax.random.normal(KEY, (3, 5))},
    carry=dict(zip(('train', 'valid'), hidden)),
  )


def _objectives(model, state, batch, key):
  """Training and validation loss as functions of weights and alpha.

  The keys are those that `bilevel` gives to its two terms.
  """
  distribution = softmax.softmax(SPACE)
  keys = dict(zip(('train', 'valid'), jax.random.split(key)))

  def of(name, temporal):
    function = loss.language_loss(model, 0.0, temporal)
    part = dict(batch[name], carry=state.carry[name])
    sample_key, loss_key = jax.random.split(keys[name])

    def value(weights, alpha):
      arch = distribution.sample(sample_key, alpha)
      return function(weights, arch, loss_key, part)

    return value

  return of('train', TEMPORAL), of('valid', 0.0)


def _capturing():
  """An exact hypergradient that puts itself into the metrics."""
  exact = hypergradients.exact()

  def hypergradient(*args):
    (value, metrics), gradient = exact(*args)
    return (value, dict(metrics, gradient=gradient['recurrent'])), gradient

  return hypergradient


@jax.jit
def _second_order(max_norm):
  """An update with its hypergradient, and the same from the definitions."""
  search = _search(PLAIN, max_norm=max_norm, hypergradient=_capturing())
  batch = {'train': _part(1, length=3), 'valid': _part(2)}
  state = _started(search)
  rate = XI * 3 / BPTT  # in proportion to the length
  train, valid = _objectives(PLAIN, state, batch, KEY)
  weights, alpha = state.weights, state.arch_params
  to_weights = jax.grad(lambda w, a: train(w, a)[0])
  norm = optax.tree.norm(to_weights(weights, alpha))
  factor = jnp.minimum(1, max_norm / (norm + 1e-6))

  def step(alpha):
    gradient = to_weights(weights, alpha)
    return jax.tree.map(
      lambda w, g: w - rate * (factor * g + DECAY * w), weights, gradient
    )

  unrolled = step(alpha)
  through = jax.grad(lambda a: valid(step(a), a)[0])(alpha)
  (_, aux), (v, direct) = jax.value_and_grad(valid, (0, 1), has_aux=True)(
    unrolled, alpha
  )
  # The Hessian is multiplied with v, which is clipped as the gradient is.
  shrink = jnp.minimum(1, max_norm / optax.tree.norm(v))
  expected = jax.tree.map(lambda a, b: b + shrink * (a - b), through, direct)
  after, metrics = search.update(KEY, state, batch)
  found = (metrics['valid_gradient'], after.carry['valid'])
  wanted = (expected['recurrent'], aux['carry'])
  return found, wanted, direct['recurrent'], (factor, shrink)


@pytest.mark.parametrize('max_norm', [1e3, 0.02], ids=['free', 'clipped'])
def test_second_order_is_the_gradient_through_the_step(max_norm):
  # The validation text's hidden state comes from the unrolled weights, too.
  found, wanted, direct, factors = _second_order(max_norm)
  assert all((factor < 1) == (max_norm < 1) for factor in factors)
  for got, expected in zip(found, wanted):
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=1e-5)
  # The second order matters, by more than the tolerance.
  error = np.abs(found[0] - wanted[0]).max()
  assert np.abs(wanted[0] - direct).max() > 10 * error


def test_first_order_and_a_weight_step_are_those_of_the_paper():
  search = _search(max_norm=0.05, hypergradient=hypergradients.first_order())
  batch = {'train': _part(1, length=2), 'valid': _part(2, start=True)}
  state = jax.jit(lambda: _started(search))()
  after, metrics = jax.jit(search.update)(KEY, state, batch)

  @jax.jit
  def oracle(state):
    train, valid = _objectives(MODEL, state, batch, KEY)
    (_, aux), to_alpha = jax.value_and_grad(valid, 1, has_aux=True)(
      state.weights, state.arch_params
    )
    (value, train_aux), to_weights = jax.value_and_grad(train, has_aux=True)(
      state.weights, after.arch_params
    )
    return aux, to_alpha['recurrent'], value, train_aux, to_weights

  aux, to_alpha, value, train_aux, to_weights = oracle(state)
  alpha = np.asarray(state.arch_params['recurrent'], float)
  g = np.asarray(to_alpha, float) + 1e-3 * alpha
  # The first step of Adam is one of length 3e-3.
  expected = alpha - 3e-3 * g / (np.abs(g) + 1e-8)
  np.testing.assert_allclose(
    after.arch_params['recurrent'], expected, atol=1e-6
  )
  norm = optax.tree.norm(to_weights)
  assert norm > 0.05
  jax.tree.map(
    lambda w, g, got: np.testing.assert_allclose(
      got, w - XI * 2 / BPTT * (0.05 / norm * g + DECAY * w), atol=1e-5
    ),
    state.weights,
    to_weights,
    after.weights,
  )
  np.testing.assert_allclose(metrics['train_loss'], value, rtol=1e-5)
  for name, found in (('train', train_aux), ('valid', aux)):
    np.testing.assert_allclose(after.carry[name], found['carry'], atol=1e-5)
    assert np.any(after.carry[name] != state.carry[name])
    np.testing.assert_allclose(
      metrics[f'{name}_perplexity'], found['perplexity'], rtol=1e-5
    )


def test_the_first_hidden_states_are_zero_and_the_derived_cell_is_discrete():
  search = _search()
  state = jax.jit(search.init)(KEY)
  assert not state.carry['train'].any() and not state.carry['valid'].any()
  best = search.best(KEY, state)
  probs = jax.tree.map(jax.nn.softmax, state.arch_params)
  chex.assert_trees_all_equal(best, cells.derive(probs))
  assert cells.contains(best, SPACE.mask)
  assert np.abs(state.arch_params['recurrent']).max() < 0.01


def test_a_search_learns_what_its_hidden_state_can_tell():
  # Each word is followed by one of two others: 2 is the least perplexity.
  tokens = np.cumsum(np.random.RandomState(0).randint(1, 3, 4000)) % WORDS
  model = language_model.LanguageModel(
    rnn_cell.RnnCell(8, 1, norm=True), WORDS, 0.0, 0.0, 0.0, 0.0
  )
  search = darts_rnn.darts_rnn(
    cells.rnn_cell(num_nodes=1),
    model,
    8,
    6,
    learning_rate=5.0,
    arch_learning_rate=0.02,
    hypergradient=hypergradients.first_order(),
  )
  batches = data.joint(
    train=data.text_batches(tokens[:2000], 8, 6),
    valid=data.text_batches(tokens[2000:], 8, 6),
  )

  @jax.jit
  def run(key):
    def step(state, t):
      return search.update(jax.random.fold_in(key, t), state, batches(key, t))

    return jax.lax.scan(step, search.init(key), jnp.arange(300))

  state, metrics = run(KEY)
  assert metrics['valid_perplexity'][0] > 5
  assert metrics['valid_perplexity'][-50:].mean() < 3.2
  assert metrics['diverged'].sum() == 0
  weights = jax.nn.softmax(state.arch_params['recurrent'][0])
  assert weights[0] < weights.max() - 0.05  # a node that is nothing is no help


@pytest.mark.parametrize('regularizer', ['proximity', 'admm'])
def test_the_improvements_of_darts_prime_move_a_recurrent_cell(regularizer):
  improvements = prime.prime(
    SPACE,
    num_steps=40,
    derive=cells.derive,
    regularizer=regularizer,
    arch_every=2,
    trace_rate=1.0,
    rho=2.0,
  )
  search = _search(
    hypergradient=hypergradients.first_order(),
    prime=improvements,
    learning_rate=1.0,
    arch_learning_rate=0.02,
  )

  def weigh(state):
    return improvements.distribution.sample(KEY, state.arch_params)

  @jax.jit
  def run():
    def step(state, t):
      batch = {'train': _part(t), 'valid': _part(100 + t)}
      after, metrics = search.update(jax.random.fold_in(KEY, t), state, batch)
      read = jnp.any(after.carry['valid'] != state.carry['valid'])
      return after, dict(metrics, weights=weigh(state)['recurrent'], read=read)

    return jax.lax.scan(step, search.init(KEY), jnp.arange(40))

  state, metrics = run()
  last = weigh(state)['recurrent']
  weights = np.concatenate([metrics['weights'], last[None]])
  assert not weights[..., 0].any()  # there is no zero operation
  # From 1/4 each, towards 0 and 1, not to a sum of 1.
  assert last[:, 1:].min() < 0.2 and last.max() > 0.3
  assert cells.contains(search.best(KEY, state), SPACE.mask)
  # Alpha moves when the schedule says so, the validation text is always read.
  moved = np.any(np.diff(weights, axis=0) != 0, axis=(1, 2))
  np.testing.assert_array_equal(moved, metrics['arch_step'] > 0)
  assert 3 < moved.sum() < 25 and metrics['read'].all()
  if regularizer == 'proximity':
    for t in (0, 20, 39):
      choices = cells.derive({'recurrent': jnp.asarray(weights[t])})
      target = np.eye(5)[np.asarray(choices['recurrent'])]
      target[:, 0] = 0  # an edge that is left out is a row of zeros
      expected = t / 40 * np.linalg.norm(weights[t] - target)
      np.testing.assert_allclose(
        metrics['valid_penalty'][t], expected, rtol=1e-4, atol=1e-6
      )
