"""Simulated searches against order statistics."""

import numpy as np

from nasjax import ranking
from nasjax.experiment import simulation


def test_searches_that_see_the_accuracy_find_the_expected_maximum():
  values = np.random.default_rng(0).normal(size=200)
  for size in (1, 10, 100):
    found = values[simulation.best_of_random(values, size, 4000)]
    expected = ranking.expected_maximum(values, size, replace=True)
    error = found.std() / np.sqrt(4000)
    assert abs(found.mean() - expected) < 4 * error + 1e-9


def test_failures_are_never_picked_but_among_themselves():
  scores = np.array([np.nan, 1.0, -np.inf, np.inf])
  picked = simulation.best_of_random(scores, 40, 300)
  assert (picked == 1).mean() > 0.99


def test_rows_name_every_score_and_the_baselines():
  accuracy = np.arange(50.0)
  rows = simulation.searches(
    {'good': accuracy, 'bad': -accuracy}, {'test': accuracy}, (5, 20), 100
  )
  means = {(row['score'], row['samples']): row['test'] for row in rows}
  assert set(means) == {
    (name, size) for name in ('good', 'bad', 'optimal') for size in (5, 20)
  } | {('random', 1)}
  assert means['good', 20] == means['optimal', 20] > means['good', 5] > 35
  assert means['bad', 20] < means['bad', 5] < means['random', 1]
  assert all(row['test std'] > 0 for row in rows)
