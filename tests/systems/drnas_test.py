"""Tests of DrNAS."""

import jax
import numpy as np

from nasjax import choice
from nasjax.distributions import dirichlet
from nasjax.systems import drnas
from tests.systems import mixtures

KEY = jax.random.key(0)


def _search(**settings):
  settings = {'num_options': (3, 2), 'derive': None} | settings
  return drnas.drnas(
    mixtures.SPACE,
    [mixtures.NETWORK] * 2,
    mixtures.INPUT_SHAPE,
    steps_per_epoch=2,
    num_epochs=2,
    num_frozen_epochs=1,
    **settings,
  )


def test_the_second_stage_searches_what_the_first_has_left():
  search = _search(kl_weight=0.1, arch_weight_decay=0.0)

  def step(state, batch):
    after, metrics = search.update(KEY, state, batch)
    return after, (metrics, after)

  @jax.jit
  def run():
    start = search.init(KEY)
    state, history = jax.lax.scan(step, start, mixtures.batches(8))
    return start, state, history, search.best(KEY, state)

  start, state, (metrics, history), best = run()
  np.testing.assert_array_equal(metrics['stage'], [0] * 4 + [1] * 4)
  assert metrics['diverged'].sum() == 0
  alpha = state.stages[0].arch_params['op']
  left = choice.one_hot(
    choice.sparse({'op': jax.nn.softmax(alpha)}, 2), mixtures.SPACE.mask
  )
  np.testing.assert_array_equal(state.masks[1]['op'], left['op'] > 0)
  assert np.all(
    np.take_along_axis(
      np.asarray(state.masks[1]['op']), np.asarray(best['op'])[:, None], 1
    )
  )
  # Alpha rests in the first of two epochs of each stage.
  for i, steps in ((0, (1, 2)), (1, (5, 6))):
    old, new = (history.stages[i].arch_params['op'][t] for t in steps)
    np.testing.assert_array_equal(old, start.stages[i].arch_params['op'])
    moved = np.asarray(new != old)
    np.testing.assert_array_equal(moved, state.masks[i]['op'])
  # Weights of operations that are gone have no gradient, only decay.
  assert np.isfinite(metrics['valid_penalty']).all()
  start_alpha = start.stages[0].arch_params
  np.testing.assert_allclose(
    metrics['valid_penalty'][0],
    0.1 * dirichlet.divergence(start_alpha),
    atol=1e-6,
  )
