"""Tests of DARTS with early stopping, and of R-DARTS."""

import chex
import jax
import numpy as np
import pytest

from nasjax.searches import hypergradients, monitors, run
from nasjax.systems import darts, darts_es, r_darts
from tests.systems import mixtures

KEY = jax.random.key(0)
STEPS, EPOCHS = 2, 5
RULE = {'window': 1, 'distance': 1, 'first_epoch': 1}
SETTINGS = {
  'derive': None,
  'hypergradient': hypergradients.first_order(),
  'arch_learning_rate': 0.3,
}
NETWORK = (mixtures.SPACE, mixtures.NETWORK, mixtures.INPUT_SHAPE, STEPS)


def _epochs():
  batches = mixtures.batches(STEPS * EPOCHS)
  return jax.tree.map(
    lambda leaf: leaf.reshape(EPOCHS, STEPS, *leaf.shape[1:]), batches
  )


def _valid(key, t):
  del key, t
  return jax.tree.map(lambda leaf: leaf[0], mixtures.batches(1)['valid'])


def _history(search):
  """The states and the metrics of all epochs, and what is best after each."""

  def step(state, batch):
    after, metrics = search.update(KEY, state, batch)
    return after, (after, metrics, search.best(KEY, after))

  return jax.jit(lambda: jax.lax.scan(step, search.init(KEY), _epochs())[1])()


@pytest.mark.parametrize('factor', [0.0, np.inf])
def test_a_search_that_stops_goes_back_and_rests(factor):
  search = darts_es.darts_es(
    *NETWORK, _valid, EPOCHS, factor=factor, **RULE, **SETTINGS
  )
  plain = run.epochs(darts.darts(*NETWORK, EPOCHS, **SETTINGS))
  states, metrics, best = _history(search)
  expected, _, modes = _history(plain)
  eigenvalues = np.asarray(states.eigenvalues[-1])
  # Any growth is too fast, or none is: at epoch 2 it goes back to epoch 1.
  last = 2 if factor == 0 else EPOCHS - 1
  stop = monitors.early_stop(eigenvalues[: last + 1], factor=factor, **RULE)
  assert bool(stop.stopped) == (factor == 0)
  np.testing.assert_array_equal(
    metrics['stopped'], np.arange(EPOCHS) > (last if factor == 0 else EPOCHS)
  )
  for t in range(EPOCHS):
    done = min(t, last)
    chex.assert_trees_all_close(
      jax.tree.map(lambda leaf, t=t: leaf[t], states.search.weights),
      jax.tree.map(lambda leaf, e=done: leaf[e], expected.weights),
      rtol=1e-4,
      atol=1e-6,
    )
    chosen = int(stop.epoch) if stop.stopped and t >= last else t
    np.testing.assert_array_equal(best['op'][t], modes['op'][chosen])
  assert np.isnan(eigenvalues[last + 1 :]).all()
  assert (states.epoch == np.minimum(np.arange(EPOCHS), last) + 1).all()


def test_nothing_is_best_before_the_first_epoch_but_the_start():
  search = darts_es.darts_es(*NETWORK, _valid, EPOCHS, **SETTINGS)
  plain = darts.darts(*NETWORK, EPOCHS, **SETTINGS)
  best, expected = jax.jit(
    lambda: [s.best(KEY, s.init(KEY)) for s in (search, plain)]
  )()
  chex.assert_trees_all_equal(best, expected)


def test_the_weight_decay_with_the_best_validation_wins():
  decays = (3e-4, 0.5, 81e-4)
  states, metrics, best = _history(
    r_darts.r_darts(*NETWORK, EPOCHS, weight_decays=decays, **SETTINGS)
  )
  alone = [
    _history(
      run.epochs(darts.darts(*NETWORK, EPOCHS, weight_decay=d, **SETTINGS))
    )
    for d in decays
  ]
  for i, (expected, _, _) in enumerate(alone):
    got = jax.tree.map(lambda leaf, i=i: leaf[:, i], states.searches)
    chex.assert_trees_all_close(
      (got.weights, got.arch_params),
      (expected.weights, expected.arch_params),
      rtol=1e-4,
      atol=1e-5,
    )
  accuracy = np.stack([m['valid_accuracy'] for _, m, _ in alone])
  leader = accuracy.argmax(0)
  assert len(set(leader.tolist())) > 1 or np.ptp(accuracy) > 0
  np.testing.assert_allclose(metrics['valid_accuracy'], accuracy.max(0))
  np.testing.assert_allclose(metrics['weight_decay'], np.array(decays)[leader])
  for t, i in enumerate(leader):
    np.testing.assert_array_equal(best['op'][t], alone[i][2]['op'][t])


def test_r_darts_needs_a_weight_decay():
  with pytest.raises(ValueError, match='one number at least'):
    r_darts.r_darts(*NETWORK, weight_decays=())
