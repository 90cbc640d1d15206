"""Tests of studies: the numbers, the resumption, the mistakes."""

import json

import numpy as np
import pytest

from configs import study_nasbench201
from nasjax import ranking
from nasjax.data import digits_table
from nasjax.experiment import metrics, studies, study_columns, study_tables


def _config(**changes):
  config = study_nasbench201.get_config('quick').to_dict()
  return config | changes


def test_what_is_reported_is_the_column_at_the_best_by_the_signal():
  rows = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])
  signal = np.array([1.0, 5.0, 3.0, 5.0])
  values = np.array([[1, 5, 3, 5], [5, 3, 5, 1]], np.float32)
  column = np.array([10, 20, 30, 40])
  found = study_tables.found(
    {'rows': rows, 'values': values}, {'signal': signal, 'test': column}
  )
  np.testing.assert_array_equal(
    found['test'], [[10, 20, 20, 20], [40, 40, 40, 40]]
  )
  np.testing.assert_array_equal(found['signal'].max(1), [5, 5])
  # The best of the column among the queries is another number.
  assert found['test'][0, -1] != column[rows[0]].max()


def test_failures_are_never_incumbents_but_before_the_first_success():
  values = np.array([[np.nan, -np.inf, 0.5, np.nan, 0.25]])
  np.testing.assert_array_equal(
    study_columns.incumbents(values), [[0, 0, 2, 2, 2]]
  )


def test_the_quick_study_runs_to_its_report(tmp_path):
  outcome = studies.study(_config(), tmp_path / 'run')
  rows = {
    (row['strategy'], row['column'], row['amount']): row
    for row in outcome['rows']
  }
  random = rows['random_search', 'signal', 20]
  exact = rows[study_tables.EXACT, 'signal', 20]
  error = random['std'] / np.sqrt(random['seeds'])
  assert abs(random['mean'] - exact['mean']) < 4 * error
  signal = digits_table.values(digits_table.load(), 'valid', run=0)
  assert exact['mean'] == pytest.approx(ranking.expected_maximum(signal, 20))
  assert rows['evolution_10_3', 'test', 20]['low'] < 100
  # The first ten of evolution are random ones: no difference but by chance.
  assert np.isfinite(rows['evolution_10_3', 'test', 10]['p'])
  stored = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert len(stored['rows']) == len(outcome['rows'])
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>') and 'Mann' in page
  assert outcome['protocol'] in study_tables.text(outcome)


def test_a_study_that_was_stopped_ends_like_one_that_was_not(
  tmp_path, monkeypatch
):
  config = _config(num_seeds=6, chunk_size=2, num_queries=12, budgets=(12,))
  whole = studies.study(config, tmp_path / 'whole')
  write, chunks = metrics.write_arrays, []

  def stop(path, ledgers):
    write(path, ledgers)
    chunks.append(path.name)
    if len(chunks) == 5:
      raise KeyboardInterrupt

  monkeypatch.setattr(metrics, 'write_arrays', stop)
  with pytest.raises(KeyboardInterrupt):
    studies.study(config, tmp_path / 'part')
  assert chunks[-1] == 'random_search.npz'
  monkeypatch.setattr(metrics, 'write_arrays', write)
  again = studies.study(config, tmp_path / 'part')
  assert again['rows'] == whole['rows']
  assert [row['seeds'] for row in again['took']] == [6, 6]


def one_failed() -> np.ndarray:
  """Returns the signal of a table in which one training failed."""
  signal = np.array(digits_table.values(digits_table.load(), 'valid', run=0))
  signal[7] = np.nan
  return signal


def test_a_table_with_a_failure_has_no_expected_maximum(tmp_path):
  random = _config()['strategies']['random_search']
  config = _config(
    signal=dict(name='tests.experiment.studies_test:one_failed'),
    strategies={'random_search': random},
    settings={},
    num_seeds=4,
  )
  rows = studies.study(config, tmp_path / 'run')['rows']
  assert study_tables.EXACT not in {row['strategy'] for row in rows}
  assert all(np.isfinite(row['mean']) for row in rows)


def test_at_a_time_is_what_has_finished_by_then(tmp_path):
  config = _config(times=(0.5, 7.0), num_seeds=8)
  outcome = studies.study(config, tmp_path / 'run')
  rows = {
    (row['strategy'], row['unit'], row['amount']): row
    for row in outcome['rows']
    if row['column'] == 'test'
  }
  # An evaluation takes one second where nothing is said.
  assert np.isnan(rows['random_search', 'seconds', 0.5]['mean'])
  by_query = studies.study(
    _config(budgets=(7,), num_seeds=8), tmp_path / 'other'
  )
  expected = [
    row['mean']
    for row in by_query['rows']
    if row['strategy'] == 'random_search' and row['column'] == 'test'
  ]
  assert rows['random_search', 'seconds', 7.0]['mean'] == expected[0]


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'queries': 3}, "key 'queries'"),
    ({'budgets': (10, 99)}, 'num_queries'),
    ({'budgets': (10, 5)}, 'rise'),
    ({'baseline': 'luck'}, "'luck'.*random_search"),
    ({'settings': {'luck': {}}}, "'luck'"),
    ({'settings': {'random_search': {'seeds': 3}}}, 'num_seeds'),
    ({'num_rows': 5}, '5 rows'),
    ({'signal': None}, "no section 'signal'"),
  ],
)
def test_a_mistake_is_named_before_any_work(changes, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    studies.prepare(_config(**changes), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
