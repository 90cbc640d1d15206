"""Tests of PC-DARTS."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.distributions import edge_normalised
from nasjax.searches import hypergradients
from nasjax.systems import darts, pc_darts
from tests.systems import mixtures

KEY = jax.random.key(0)


def _search(**settings):
  settings = {'num_frozen_epochs': 0, 'derive': None} | settings
  return pc_darts.pc_darts(
    mixtures.SPACE, mixtures.NETWORK, mixtures.INPUT_SHAPE, 2, 3, **settings
  )


def _run(search, arch_params):
  state = search.init(KEY)._replace(arch_params=arch_params)
  step = lambda state, batch: search.update(KEY, state, batch)
  return jax.lax.scan(step, state, mixtures.batches(5))


def test_edges_without_rivals_make_it_darts():
  # One edge a node weighs 1 whatever its beta; K is a matter of the network.
  search = _search(targets=(2, 3), learning_rate=0.025)
  plain = darts.darts(
    mixtures.SPACE,
    mixtures.NETWORK,
    mixtures.INPUT_SHAPE,
    2,
    3,
    derive=None,
    hypergradient=hypergradients.first_order(),
    final_learning_rate=0.0,
    arch_learning_rate=6e-4,
  )

  @jax.jit
  def both():
    params = search.init(KEY).arch_params
    params = params._replace(edges=jax.tree.map(jnp.zeros_like, params.edges))
    return _run(search, params), _run(plain, params.operations)

  (state, metrics), (expected, expected_metrics) = both()
  chex.assert_trees_all_close(
    (state.weights, state.arch_params.operations, metrics['valid_loss']),
    (expected.weights, expected.arch_params, expected_metrics['valid_loss']),
    rtol=1e-5,
  )
  np.testing.assert_array_equal(state.arch_params.edges['op'], 0)


def test_architecture_rests_at_first():
  search = _search(targets=(2, 2), num_frozen_epochs=2)

  def step(state, batch):
    state, _ = search.update(KEY, state, batch)
    return state, state.arch_params

  @jax.jit
  def params_after_each_step():
    state = search.init(KEY)
    return state.arch_params, jax.lax.scan(step, state, mixtures.batches(5))[1]

  start, params = params_after_each_step()
  for leaf, old in zip(jax.tree.leaves(params), jax.tree.leaves(start)):
    np.testing.assert_array_equal(leaf[3], old)  # two epochs of two steps
    assert np.all(leaf[4] != old)


def test_weights_of_the_edges_of_a_node_sum_to_one():
  search = _search(targets=(2, 2))
  params = search.init(KEY).arch_params
  weights = edge_normalised.edge_weights(params.edges['op'], (2, 2))
  np.testing.assert_allclose(weights.sum(), 1, rtol=1e-6)


def test_another_space_needs_targets():
  with pytest.raises(ValueError, match=r"targets.*leaves \['op'\]"):
    _search()
