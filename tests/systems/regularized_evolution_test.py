"""Tests that evolution and local search find more than random search."""

import jax
import numpy as np
import pytest
from scipy import stats

from nasjax import batching
from nasjax.data import tabular as data
from nasjax.estimators import tabular
from nasjax.searches import black_box, run
from nasjax.spaces import nasbench201
from nasjax.strategies import local_search
from nasjax.systems import random_search, regularized_evolution

_SPACE = nasbench201.nasbench201()


def _run(search, num_queries, num_seeds):
  """Returns the best score after every query, and the cell it belongs to."""

  def seed(key):
    state, metrics = run.run(key, search, None, num_queries)
    cell = nasbench201.cell_index(search.best(key, state))
    return metrics['score_best'], cell

  keys = jax.random.split(jax.random.key(0), num_seeds)
  return jax.tree.map(
    np.asarray, jax.jit(lambda k: batching.map_archs(seed, k, num_seeds))(keys)
  )


def _additive_table():
  """A table in which edges contribute independently, plus some noise."""
  rng = np.random.default_rng(0)
  cells = jax.vmap(_SPACE.index)(np.arange(_SPACE.size))['op']
  effects = rng.normal(size=(6, 5))
  values = effects[np.arange(6), np.asarray(cells)].sum(1)
  return np.float32(values + 0.3 * rng.normal(size=len(values)))


def _evolution(estimator, population=10, tournament=3):
  return regularized_evolution.regularized_evolution(
    _SPACE, estimator, population, tournament, archive_size=1
  )


def _local(estimator):
  return black_box.black_box(
    local_search.local_search(_SPACE), estimator, archive_size=1
  )


def test_evolution_and_local_search_beat_random_search():
  estimator = tabular.tabular(nasbench201.cell_index, _additive_table())
  baseline = random_search.random_search(_SPACE, estimator, archive_size=1)
  random, _ = _run(baseline, 60, 100)
  for method in (_evolution, _local):
    found, _ = _run(method(estimator), 60, 100)
    test = stats.mannwhitneyu(
      found[:, -1], random[:, -1], alternative='greater'
    )
    assert test.pvalue < 0.01


@pytest.mark.data
@pytest.mark.parametrize(
  'method, expected',
  [
    (lambda e: _evolution(e, 10, 3), {100: 94.138, 200: 94.294}),
    # Its first 100 queries are random search, whose mean is exact.
    (lambda e: _evolution(e, 100, 10), {100: 93.847, 200: 94.298}),
    (_local, {100: 94.320, 200: 94.372}),
  ],
  ids=['evolution_10_3', 'evolution_100_10', 'local_search'],
)
def test_the_real_table_gives_the_reference_result(data_dir, method, expected):
  table = data.load_nasbench201(data_dir)
  values = data.values_by_index(table, 'e200_cifar10_test')
  estimator = tabular.tabular(nasbench201.cell_index, values)
  best, _ = _run(method(estimator), 200, 400)
  for queries, mean in expected.items():
    np.testing.assert_allclose(best[:, queries - 1].mean(), mean, atol=0.04)


@pytest.mark.data
def test_the_published_protocol_gives_the_published_test_accuracy(data_dir):
  # 12-epoch validation steers, 200-epoch test is reported; about 100 queries.
  table = data.load_nasbench201(data_dir)
  estimator = tabular.tabular(
    nasbench201.cell_index, data.values_by_index(table, 'e12_cifar10_valid')
  )
  _, cells = _run(_evolution(estimator), 100, 400)
  report = data.values_by_index(table, 'e200_cifar10_test')[cells]
  np.testing.assert_allclose(report.mean(), 93.90, atol=0.1)
  np.testing.assert_allclose(report.std(), 0.45, atol=0.1)
