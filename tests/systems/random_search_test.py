"""Tests for random search: its result is known exactly."""

import jax
import numpy as np
import pytest

from nasjax import batching, ranking
from nasjax.data import tabular as data
from nasjax.estimators import tabular
from nasjax.searches import run
from nasjax.spaces import nasbench201
from nasjax.systems import random_search

_SPACE = nasbench201.nasbench201()


def _best_scores(values, num_queries, num_seeds, **settings):
  """Returns the best score after every query, `[seeds, queries]`."""
  estimator = tabular.tabular(nasbench201.cell_index, values)
  search = random_search.random_search(
    _SPACE, estimator, archive_size=1, **settings
  )
  seed = lambda key: run.run(key, search, None, num_queries)[1]['score_best']
  keys = jax.random.split(jax.random.key(0), num_seeds)
  return np.asarray(
    jax.jit(lambda k: batching.map_archs(seed, k, num_seeds))(keys)
  )


def _assert_exact(best, values, queries):
  for n in queries:
    found = best[:, n - 1]
    error = found.std() / np.sqrt(len(found))
    expected = ranking.expected_maximum(values, n, replace=True)
    np.testing.assert_allclose(found.mean(), expected, atol=4 * error)


def test_the_best_score_follows_order_statistics():
  values = np.random.default_rng(0).normal(size=_SPACE.size)
  best = _best_scores(values.astype(np.float32), 100, 500)
  _assert_exact(best, values, (1, 10, 30, 100))


def test_without_replacement_the_whole_space_is_seen():
  space = _SPACE.restrict(
    {'op': np.arange(5)[None] < np.array([[2], [2], [3], [1], [1], [1]])}
  )
  values = np.random.default_rng(0).normal(size=_SPACE.size)
  estimator = tabular.tabular(nasbench201.cell_index, values)
  search = random_search.random_search(
    space, estimator, num_samples=4, replace=False, batch_size=4
  )
  state, _ = jax.jit(lambda key: run.run(key, search, None, 3))(
    jax.random.key(0)
  )
  cells = jax.vmap(space.index)(np.arange(12))
  rows = jax.vmap(nasbench201.cell_index)(cells)
  best = search.best(jax.random.key(0), state)
  assert nasbench201.cell_index(best) == rows[np.argmax(values[rows])]


@pytest.mark.data
def test_the_real_table_gives_its_known_result(data_dir):
  table = data.load_nasbench201(data_dir)
  values = data.values_by_index(table, 'e200_cifar10_test')
  known = {1: 87.0563, 10: 93.0950, 100: 93.8468, 300: 94.0401, 1000: 94.2109}
  for n, expected in known.items():
    np.testing.assert_allclose(
      ranking.expected_maximum(values, n), expected, atol=1e-3
    )
  _assert_exact(_best_scores(values, 100, 500), values, (10, 50, 100))
