"""Tests of the training of language models and of averaging."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import data
from nasjax.estimators import averaged_sgd, language_training, stand_alone
from nasjax.networks import language_model, rnn_cell

KEY = jax.random.key(0)
NUM_STATES = 5


@pytest.mark.parametrize('patience', [1, 3])
def test_the_trigger_compares_with_all_but_the_last_losses(patience):
  losses = np.random.RandomState(0).normal(size=40) - 0.2 * np.arange(40)
  losses[20:] += 6
  watch = jax.jit(averaged_sgd.watch)
  state, fired = averaged_sgd.trigger(patience), False
  when = []
  for e, loss in enumerate(losses.astype(np.float32)):
    before = losses[: max(0, e - patience)].astype(np.float32)
    fired = fired or (len(before) > 0 and loss > before.min())
    state = watch(state, loss)
    when.append(fired)
    assert bool(state.fired) == fired
  assert not when[0] and when[-1]


def test_a_step_is_clipped_decayed_and_in_proportion_to_its_length():
  optimizer = averaged_sgd.clipped_sgd(2.0, 0.5, 0.1, bptt=10)
  params = {'w': jnp.array([1.0, -2.0]), 'b': jnp.array(3.0)}
  state = optimizer.init(params)
  for gradient, length in (([3.0, 0.0, 4.0], 10), ([0.1, 0.2, 0.2], 4)):
    g = np.array(gradient)
    updates, state = optimizer.update(
      {'w': jnp.array(g[:2]), 'b': jnp.array(g[2])},
      state,
      params,
      batch={'length': jnp.int32(length)},
    )
    p = np.array([1.0, -2.0, 3.0])
    factor = min(1, 0.5 / (np.linalg.norm(g) + 1e-6))
    expected = -2.0 * length / 10 * (factor * g + 0.1 * p)
    np.testing.assert_allclose(updates['w'], expected[:2], rtol=1e-6)
    np.testing.assert_allclose(updates['b'], expected[2], rtol=1e-6)


# A network of one number, which is all that the bookkeeping needs.


def _number():
  """Logits (w, 0) whatever the words; the hidden state counts the words."""

  def apply(
    variables, arch, tokens, hidden, train=False, length=None, rngs=None
  ):
    w = variables['params']['w']
    shape = tokens.shape
    logits = jnp.stack([jnp.full(shape, w), jnp.zeros(shape)], -1)
    states = jnp.zeros((*shape, 1))
    return language_model.Output(logits, hidden + length, states, states)

  return types.SimpleNamespace(
    initial=lambda batch_size: jnp.zeros((batch_size, 1)),
    init=lambda *args: {'params': {'w': jnp.array(0.0)}},
    apply=apply,
  )


def _pieces(targets):
  """One piece of words of number 0 in `targets[0]` of 1 places."""
  targets = jnp.asarray(targets, jnp.int32)[None, None]
  return {
    'input': jnp.zeros_like(targets),
    'target': targets,
    'length': jnp.array([targets.shape[-1]], jnp.int32),
  }


def test_averaging_starts_when_validation_stops_and_is_a_plain_mean():
  # Training wants w up, validation wants it down: every look is worse.
  trainer = language_training.train_language_model(
    _number(),
    1,
    _pieces([1, 1, 1]),
    steps_per_epoch=2,
    bptt=4,
    learning_rate=1.0,
    max_norm=9.0,
    weight_decay=0.0,
    patience=1,
  )
  piece = jax.tree.map(lambda leaf: leaf[0], _pieces([0, 0, 0, 0]))
  batch = dict(piece, start=jnp.asarray(False))
  child, update = trainer.init(KEY, None), jax.jit(trainer.update)
  w, history, averages, flags = 0.0, [], [], []
  for _ in range(12):
    child, metrics = update(KEY, child, None, batch)
    w += 1 / (1 + np.exp(w))
    history.append(w)
    flags.append(float(metrics['averaging']))
    averages.append(float(child.average['w']))
    assert metrics['train_loss'].shape == ()
  np.testing.assert_allclose(child.params['w'], w, rtol=1e-5)
  assert child.hidden[0, 0] == 12 * 4  # carried from piece to piece
  # Looks after steps 2, 4 and 6: the third is worse than the first.
  assert flags == [0] * 6 + [1] * 6
  assert child.num_averaged == 6
  for t in range(12):
    expected = history[t] if t < 6 else np.mean(history[6 : t + 1])
    np.testing.assert_allclose(averages[t], expected, rtol=1e-5)
  # What is tested are the averaged weights.
  p = 1 / (1 + np.exp(-averages[-1]))
  likelihood = trainer.log_likelihood(child, None, _pieces([0, 1, 0]))
  expected = (2 * np.log(p) + np.log(1 - p)) / 3
  np.testing.assert_allclose(likelihood, expected, rtol=1e-5)
  perplexity = trainer.perplexity(child, None, _pieces([0, 1, 0]))
  np.testing.assert_allclose(perplexity, np.exp(-expected), rtol=1e-5)


def test_without_validation_text_nothing_is_averaged():
  trainer = language_training.train_language_model(
    _number(), 1, learning_rate=1.0, patience=1
  )
  batch = dict(jax.tree.map(lambda leaf: leaf[0], _pieces([0, 0])), start=False)
  child, update = trainer.init(KEY, None), jax.jit(trainer.update)
  for _ in range(4):
    child, metrics = update(KEY, child, None, batch)
  assert metrics['averaging'] == 0 and child.num_averaged == 0
  assert child.average['w'] == child.params['w'] > 0


def test_scores_of_trainers_go_by_name():
  trainer = language_training.train_language_model(
    _number(), 1, _pieces([1, 1]), 2, learning_rate=0.1
  )
  piece = dict(jax.tree.map(lambda leaf: leaf[0], _pieces([0, 1])), start=False)
  valid = _pieces([0, 0])
  estimator = stand_alone.stand_alone(
    trainer, lambda key, t: piece, valid, 1, score='log_likelihood'
  )
  arch = {'x': jnp.zeros(1, int)}
  # Half of the words are 0: nothing to learn, log 2 a word.
  score = jax.jit(estimator.score)(KEY, (), arch)
  np.testing.assert_allclose(score, -np.log(2), atol=1e-3)
  archs = {'x': jnp.zeros((2, 1), int)}
  search, final = stand_alone.population(trainer, archs, valid, 'perplexity')
  state = jax.jit(search.init)(KEY)
  state, metrics = jax.jit(search.update)(KEY, state, piece)
  assert metrics['train_loss'].shape == (2,)
  np.testing.assert_allclose(
    final(KEY, state)['test_perplexity'], [2, 2], atol=1e-3
  )
  with pytest.raises(
    ValueError, match="'accuracy'.*log_likelihood, perplexity"
  ):
    stand_alone.population(trainer, archs, valid)


def _markov(num_tokens):
  """A text of a Markov chain, and its entropy in nats a word."""
  random = np.random.RandomState(0)
  transitions = random.dirichlet(0.4 * np.ones(NUM_STATES), NUM_STATES)
  text = [0]
  for u in random.uniform(size=num_tokens - 1):
    text.append(
      min(np.searchsorted(np.cumsum(transitions[text[-1]]), u), NUM_STATES - 1)
    )
  values, vectors = np.linalg.eig(transitions.T)
  stationary = np.real(vectors[:, np.argmax(np.real(values))])
  stationary /= stationary.sum()
  surprise = -np.sum(transitions * np.log(transitions), axis=1)
  return np.array(text), float(stationary @ surprise)


@pytest.mark.parametrize('kind', ['cell', 'lstm'])
def test_perplexity_approaches_the_entropy_of_a_markov_source(kind):
  tokens, entropy = _markov(12_000)
  core = language_model.LstmCell(16)
  if kind == 'cell':
    core = rnn_cell.RnnCell(16, num_nodes=2)
  network = language_model.LanguageModel(
    core, NUM_STATES, 0.0, 0.0, 0.0, 0.0, 0.0
  )
  arch = {'recurrent': jnp.array([1, 0, 2])}
  valid, test = (
    data.text_pieces(part, 50, 10)
    for part in (tokens[8000:10_000], tokens[10_000:])
  )
  trainer = language_training.train_language_model(
    network, 16, valid, 50, bptt=10, learning_rate=2.0, patience=2
  )
  batches = data.text_batches(tokens[:8000], 16, 10)

  @jax.jit
  def run(key):
    child = trainer.init(key, arch)

    def step(child, t):
      return trainer.update(
        jax.random.fold_in(key, t), child, arch, batches(key, t)
      )

    child, metrics = jax.lax.scan(step, child, jnp.arange(600))
    return trainer.perplexity(child, arch, test), metrics['train_loss']

  perplexity, losses = run(KEY)
  assert losses[0] > np.log(4.8)  # nothing is known: 5 words
  counts = np.bincount(tokens, minlength=NUM_STATES) / len(tokens)
  by_frequency = np.exp(-np.sum(counts * np.log(counts)))
  assert by_frequency > 1.3 * np.exp(entropy)
  np.testing.assert_allclose(perplexity, np.exp(entropy), rtol=0.04)
