"""Tests for BANANAS: its loss, and more for the same queries."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.data import tabular as tables
from nasjax.networks import predictors
from nasjax.spaces import paths
from nasjax.strategies import bananas
from tests.strategies import curves

_FEATURES = functools.partial(paths.nasbench201_paths, num_features=30)


def test_the_loss_is_the_mean_distance_to_what_is_known():
  prediction = predictors.Prediction(jnp.array([1.0, 2.0, 5.0]), jnp.zeros(3))
  targets, weights = jnp.array([3.0, 2.5, 99.0]), jnp.array([1.0, 1.0, 0.0])
  loss = bananas._absolute_error
  assert loss(None, prediction, targets, weights) == (2.0 + 0.5) / 2
  assert loss(None, prediction, targets, 0 * weights) == 0.0


def test_deep_networks_see_their_input():
  inputs = jax.random.normal(jax.random.key(0), (64, 30))

  def spread(glorot):
    network = predictors.Mlp((20,) * 10, glorot=glorot)
    params = network.init(jax.random.key(1), inputs)
    features = network.apply(params, inputs).features
    return jnp.mean(jnp.std(features, axis=0))  # from one input to another

  spread = jax.jit(spread, static_argnums=0)
  assert spread(True) > 1e-2 > 10 * spread(False)


@pytest.mark.slow
def test_it_finds_more_than_four_times_as_many_random_queries():
  cells = np.asarray(
    jax.vmap(curves.SPACE.index)(np.arange(curves.SPACE.size))['op']
  )
  rng = np.random.default_rng(0)
  effects = rng.normal(size=(6, 5))
  values = effects[np.arange(6), cells].sum(1)
  values = np.float32(values + 0.3 * rng.normal(size=len(values)))
  strategy = bananas.bananas(
    curves.SPACE, _FEATURES, capacity=60, num_steps=200
  )
  best = curves.best_of_each_query(strategy, values, 60, 4)[:, -1]
  assert best.mean() > ranking.expected_maximum(values, 240)


@pytest.mark.data
@pytest.mark.slow
def test_a_hundred_queries_of_nasbench201(data_dir):
  table = tables.load_nasbench201(data_dir)
  values = tables.values_by_index(table, 'e200_cifar10_test')
  values = np.asarray(values, np.float32)
  strategy = bananas.bananas(curves.SPACE, _FEATURES, capacity=100)
  best = curves.best_of_each_query(strategy, values, 100, 5)[:, -1]
  # Random search needs 200 queries for 93.97.
  assert best.mean() > ranking.expected_maximum(values, 200)
