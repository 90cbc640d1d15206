"""Tests of what is watched of a search's wiring."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.distributions import one_hot, softmax
from nasjax.networks import darts
from nasjax.searches import wiring
from nasjax.spaces import categorical
from nasjax.types import Search

KEY = jax.random.key(0)
SPACE = categorical.categorical({'normal': (5, 3)})
NETWORK = darts.Darts(
  num_classes=4,
  channels=2,
  num_cells=2,
  num_nodes=2,
  reduction_cells=(),
  classifier_bias=False,
  operations=('none', 'skip_connect', 'sep_conv_3x3'),
)
# The strongest choice of every edge, at first and update by update.
STORY = np.array(
  [
    [1, 2, 0, 1, 2],
    [0, 2, 0, 0, 0],
    [0, 2, 0, 2, 0],
    [2, 0, 0, 0, 0],
    [1, 1, 0, 2, 0],
  ]
)


class State(NamedTuple):
  """Of a search whose alpha follow the story."""

  step: jax.Array
  arch_params: dict
  weights: dict = {}


def _alpha(t):
  return {'normal': 2.0 * jax.nn.one_hot(jnp.asarray(STORY)[t], 3)}


def _told():
  def update(key, state, batch):
    return State(state.step + 1, _alpha(state.step + 1)), {'loss': batch}

  def best(key, state):
    return jax.tree.map(lambda x: jnp.argmax(x, -1), state.arch_params)

  return Search(lambda key: State(jnp.int32(0), _alpha(0)), update, best)


def _follow():
  search = wiring.traced(_told(), SPACE)
  state, rows = search.init(KEY), []
  for _ in STORY[1:]:
    state, metrics = search.update(KEY, state, jnp.float32(3))
    rows.append(metrics)
  return search, state, rows


def test_edges_are_dropped_and_recovered_when_their_strongest_choice_says_so():
  _, _, rows = _follow()
  for t, row in enumerate(rows, 1):
    for e in range(5):
      story = STORY[1 : t + 1, e] != 0
      dropped = recovered = np.nan
      for now, active in enumerate(story, 1):
        if not active and np.isnan(dropped):
          dropped = now
        elif active and dropped < now and np.isnan(recovered):
          recovered = now
      np.testing.assert_equal(float(row[f'edge{e}_dropped']), dropped)
      np.testing.assert_equal(float(row[f'edge{e}_recovered']), recovered)
  last = [float(rows[-1][f'edge{e}_recovered']) for e in range(5)]
  np.testing.assert_equal(last, [3, 4, np.nan, 2, np.nan])


def test_the_lowest_mass_and_the_numbers_of_the_cell_are_metrics():
  search, state, rows = _follow()
  share = np.exp(2) / (np.exp(2) + 2)
  masses = [
    np.sum(np.where(story == 0, 1 - share, (1 + share) / 2)) for story in STORY
  ]
  for t, row in enumerate(rows, 1):
    np.testing.assert_allclose(row['active_mass'], masses[t], rtol=1e-5)
    np.testing.assert_allclose(
      row['lowest_mass'], min(masses[: t + 1]), rtol=1e-5
    )
    assert row['num_active'] == np.sum(STORY[t] != 0)
    assert row['loss'] == 3
  assert rows[-1]['depth'] == 1 and rows[-1]['width'] == 2
  np.testing.assert_array_equal(search.best(KEY, state)['normal'], STORY[-1])


def test_snapshots_are_the_probabilities():
  _, state, _ = _follow()
  found = wiring.probabilities(SPACE)(state)['normal']
  expected = jax.nn.softmax(_alpha(-1)['normal'])
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def _batches(key, t):
  keys = jax.random.split(jax.random.fold_in(key, t))
  return {
    part: {
      'image': jax.random.normal(k, (5, 4, 4, 1)),
      'label': jax.random.randint(k, (5,), 0, 4),
    }
    for part, k in zip(('train', 'valid'), keys)
  }


def _state():
  arch = {'normal': jnp.zeros(5, jnp.int32)}
  x = jnp.zeros((1, 4, 4, 1))
  weights = jax.jit(NETWORK.init)(KEY, arch, x)['params']
  weights['classifier']['kernel'] *= 5
  return State(jnp.int32(0), _alpha(0), weights)


def test_the_costs_overlay_the_excess_that_they_come_from():
  distribution, state, num_samples = one_hot.one_hot(SPACE), _state(), 3
  observe = wiring.costs(NETWORK, distribution, _batches, 'valid', num_samples)
  found = jax.jit(observe)(KEY, state)
  for part in ('train', 'valid'):
    np.testing.assert_allclose(
      found[f'{part}_costs_excess'], found[f'{part}_excess'], atol=5e-3
    )
    assert abs(found[f'{part}_excess']) > 0.05
  assert -1 <= found['valid_fidelity'] <= 1
  assert 'train_fidelity' not in found

  # The costs of edges, from alpha's own choices, which all cells share.
  batch = _batches(jax.random.key(0), 0)['valid']

  @jax.jit
  def by_edge(key):
    arch = distribution.sample(key, state.arch_params)

    def loss(arch):
      logits = NETWORK.apply({'params': state.weights}, arch, batch['image'])
      rows = jax.nn.log_softmax(logits)[jnp.arange(5), batch['label']]
      return -rows.mean()

    return jnp.sum(arch['normal'] * jax.grad(loss)(arch)['normal'], -1)

  expected = sum(map(by_edge, jax.random.split(KEY, num_samples)))
  np.testing.assert_allclose(
    [found[f'edge{e}_cost'] for e in range(5)],
    expected / num_samples,
    atol=1e-5,
  )


def test_what_cannot_be_watched_is_a_value_error():
  distribution = softmax.softmax(SPACE)
  with pytest.raises(ValueError, match="'test' .* Known: train, valid"):
    wiring.costs(NETWORK, distribution, _batches, 'test')
  reduces = NETWORK.clone(reduction_cells=(1,))
  with pytest.raises(ValueError, match="last cell takes 'reduce'"):
    wiring.costs(reduces, distribution, _batches)
