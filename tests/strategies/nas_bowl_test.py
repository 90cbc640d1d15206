"""Tests for NAS-BOWL: more for the same queries."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.data import tabular as tables
from nasjax.spaces import graphs, nasbench201
from nasjax.strategies import nas_bowl
from tests.strategies import curves

_GRAPH = functools.partial(graphs.nasbench201, pruned=True, contracted=True)


def test_it_finds_more_than_four_times_as_many_random_queries():
  """Of a table that is made of labels that the kernel sees."""
  params = jax.vmap(lambda i: nasbench201.num_params(curves.SPACE.index(i)))
  params = np.asarray(params(jnp.arange(curves.SPACE.size)))
  noise = np.random.default_rng(0).normal(size=curves.SPACE.size)
  values = np.float32(50 + 10 * params / params.max() + 0.3 * noise)
  strategy = nas_bowl.nas_bowl(curves.SPACE, _GRAPH, capacity=40, depths=(1, 2))
  best = curves.best_of_each_query(strategy, values, 40, 4)[:, -1]
  assert best.mean() > ranking.expected_maximum(values, 160)


@pytest.mark.data
@pytest.mark.slow
def test_sixty_queries_of_nasbench201_find_more_than_200_random_ones(data_dir):
  table = tables.load_nasbench201(data_dir)
  values = tables.values_by_index(table, 'e200_cifar10_test')
  values = np.asarray(values, np.float32)
  strategy = nas_bowl.nas_bowl(curves.SPACE, _GRAPH, capacity=60)
  best = curves.best_of_each_query(strategy, values, 60, 10)[:, -1]
  assert best.mean() > ranking.expected_maximum(values, 200)
