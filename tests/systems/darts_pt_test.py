"""Tests of DARTS-PT."""

import jax
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import loss as losses
from nasjax.systems import darts_pt
from tests.systems import mixtures

KEY = jax.random.key(0)
STEPS, EPOCHS = 2, 2  # of training; every tuning takes an epoch
VALID = mixtures.batches(3, 20)['valid']


@pytest.mark.parametrize('blank', [False, True])
def test_the_supernet_is_trained_then_decided_and_tuned(blank):
  search = darts_pt.darts_pt(
    mixtures.SPACE,
    mixtures.NETWORK,
    mixtures.INPUT_SHAPE,
    STEPS,
    VALID,
    EPOCHS,
    tune_epochs=1,
    blank=blank,
    learning_rate=0.5,
    final_learning_rate=0.5,
    tune_rate=1e-7,  # weights stay as they were when the decisions began
    momentum=0.0,
    derive=None,
  )

  def step(state, batch):
    after, metrics = search.update(KEY, state, batch)
    return after, (after, metrics, search.best(KEY, after))

  @jax.jit
  def run():
    start = search.init(KEY)
    return start, jax.lax.scan(step, start, mixtures.batches(10))[1]

  start, (states, metrics, best) = run()
  np.testing.assert_array_equal(
    metrics['num_open'], [2] * 4 + [1] * 2 + [0] * 4
  )
  assert metrics['diverged'].sum() == 0
  alpha = states.search.arch_params['op']
  moved = not np.array_equal(alpha[-1], start.search.arch_params['op'])
  assert moved != blank
  weights = states.search.weights['w']
  assert np.all(weights[3] != start.search.weights['w'])
  last = weights[3:4].repeat(6, axis=0)
  np.testing.assert_allclose(weights[4:], last, atol=1e-5)

  # The first decision, by a loop over the operations of the edge that it took.
  masks = np.asarray(states.mask['op'])
  (edge,) = np.flatnonzero(masks[4].sum(-1) == 1)
  relaxed = np.asarray(jax.nn.softmax(alpha[3]))
  loss = losses.classification_loss(mixtures.NETWORK)

  @jax.jit
  def accuracy(arch):
    parts = [
      loss({'w': weights[3]}, {'op': arch}, KEY, batch)[1]['accuracy']
      for batch in (jax.tree.map(lambda x, t=t: x[t], VALID) for t in range(3))
    ]
    return sum(parts) / 3

  without = []
  for k in range(3):
    arch = relaxed.copy()
    arch[edge, k] = 0
    without.append(accuracy(arch))
  assert len(set(map(float, without))) == 3
  assert masks[4][edge, np.argmin(without)]
  # What has been decided stays, and is what is found.
  np.testing.assert_array_equal(masks[5][edge], masks[4][edge])
  np.testing.assert_array_equal(masks[-1].sum(-1), 1)
  np.testing.assert_array_equal(best['op'][-1], masks[-1].argmax(-1))
  last = jax.tree.map(lambda leaf: leaf[-1], best)
  one_hot = choice.one_hot(last, mixtures.SPACE.mask)
  np.testing.assert_array_equal(one_hot['op'] > 0, masks[-1])
