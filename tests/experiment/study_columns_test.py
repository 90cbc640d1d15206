"""Tests of picks and fronts against slow loops over all queries."""

import numpy as np
import pytest

from configs import study_nasbench201
from nasjax.experiment import studies, study_columns

_N, _Q = 40, 12


def _columns(seed):
  rng = np.random.default_rng(seed)
  # Few values: ties of every kind.
  return {
    'signal': rng.integers(0, 9, _N).astype(np.float32),
    'valid': rng.integers(0, 9, _N).astype(np.float32),
    'test': rng.uniform(0, 9, _N).astype(np.float32),
    'ms': rng.integers(1, 8, _N).astype(np.float32),
  }


def _ledgers(seed, columns):
  rows = np.random.default_rng(seed).integers(0, _N, (5, _Q))
  values = columns['signal'][rows]
  values[0, 3] = np.nan  # a failure
  rows[1, 8:], values[1, 8:] = -1, -np.inf  # a budget that was not spent
  return {'rows': rows, 'values': values}


def _usable(ledgers, s, q):
  for row, value in zip(ledgers['rows'][s, : q + 1], ledgers['values'][s]):
    if np.isfinite(value):
      yield row


@pytest.mark.parametrize('seed', range(3))
def test_a_pick_is_the_first_best_of_those_that_fulfil_the_condition(seed):
  columns = _columns(seed)
  ledgers = _ledgers(seed, columns)
  found = study_columns.pick(
    ledgers, columns, 'valid', 'ms < 5 and valid < 8', 'test'
  )
  for s, q in np.ndindex(5, _Q):
    best, value = None, np.nan
    for row in _usable(ledgers, s, q):
      holds = columns['ms'][row] < 5 and columns['valid'][row] < 8
      if holds and (best is None or columns['valid'][row] > best):
        best, value = columns['valid'][row], columns['test'][row]
    np.testing.assert_equal(found[s, q], np.float32(value))


def _area(points, least, most):
  """Of cells of a fine grid: those below and to the right of a point."""
  fine = 2000
  x = (np.arange(fine) + 0.5) / fine * most
  heights = np.zeros(fine)
  for cost, value in points:
    heights = np.where(x >= cost, np.maximum(heights, value - least), heights)
  return heights.sum() / fine * most


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('report', ['valid', 'test'])
def test_a_front_has_the_area_that_its_members_dominate(seed, report):
  columns = _columns(seed)
  ledgers = _ledgers(seed, columns)
  entry = {'by': 'valid', 'cost': 'ms', 'report': report}
  found = study_columns.front(ledgers, columns, least=2.0, most=6.0, **entry)
  for s, q in np.ndindex(5, _Q):
    members = []
    rows = list(_usable(ledgers, s, q))
    for i, row in enumerate(rows):
      price, value = columns['ms'][row], columns['valid'][row]
      others = [(columns['ms'][r], columns['valid'][r]) for r in rows]
      beaten = any(
        (p <= price and v > value)
        or (p < price and v >= value)
        or ((p, v) == (price, value) and j < i)
        for j, (p, v) in enumerate(others)
      )
      if not beaten:
        members.append((price, columns[report][row]))
    assert found[s, q] == pytest.approx(_area(members, 2.0, 6.0), abs=0.02)
  # More queries never shrink the area that they are chosen by.
  if report == 'valid':
    assert np.all(np.diff(found, axis=1) >= 0)


def test_the_whole_table_is_a_search_of_all_of_it():
  columns = _columns(0)
  config = {
    'picks': {'best': {'by': 'valid', 'where': 'ms < 5', 'report': 'valid'}},
    'fronts': {
      'area': {
        'by': 'valid',
        'cost': 'ms',
        'report': 'test',
        'least': 2.0,
        'most': 6.0,
      }
    },
  }
  found = study_columns.whole_table(config, columns)
  assert found['best'] == columns['valid'][columns['ms'] < 5].max()
  rows = np.arange(_N)[None]
  everything = {'rows': rows, 'values': np.zeros(rows.shape)}
  area = study_columns.front(everything, columns, **config['fronts']['area'])
  assert found['area'] == pytest.approx(area[0, -1], rel=1e-6)


def _config(**changes):
  config = study_nasbench201.get_config('quick').to_dict()
  return (
    config | {'num_seeds': 6, 'num_queries': 12, 'budgets': (12,)} | changes
  )


def _pick(by='test', where='test < 3'):
  return {'by': by, 'where': where, 'report': 'test'}


def test_a_study_reports_them_and_lets_strategies_see_their_own(tmp_path):
  config = _config(
    settings={'evolution_10_3': {'sees': 'test'}},
    picks={'low': {'by': 'test', 'where': 'valid < 80', 'report': 'test'}},
    fronts={
      'area': {
        'by': 'test',
        'cost': 'valid',
        'report': 'test',
        'least': 0.0,
        'most': 100.0,
      }
    },
  )
  outcome = studies.study(config, tmp_path / 'run')
  rows = {(row['strategy'], row['column']): row for row in outcome['rows']}
  whole = rows['the whole table', 'low']['mean']
  assert rows['random_search', 'low']['mean'] <= whole
  assert np.isfinite(rows['evolution_10_3', 'area']['low'])
  assert 'low: test at the best test where valid < 80' in outcome['protocol']
  ledger = np.load(tmp_path / 'run' / 'evolution_10_3.npz')
  job = studies.prepare(config, tmp_path / 'other')
  np.testing.assert_array_equal(
    ledger['values'], job.parts['columns']['test'][ledger['rows']]
  )


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'settings': {'random_search': {'sees': 'luck'}}}, "'luck'.*test, valid"),
    ({'sees': 'luck'}, "config.sees: 'luck'"),
    ({'picks': {'a': {'by': 'test', 'report': 'test'}}}, 'picks.a.where must'),
    (
      {'picks': {'a': _pick(by='x')}},
      "config.picks.a.by: 'x'",
    ),
    (
      {'picks': {'a': _pick(where='x < 3')}},
      "column 'x'.*signal, test, valid",
    ),
    (
      {'picks': {'test': _pick()}},
      'a column of that name',
    ),
    ({'fronts': {'a': {'price': 'test'}}}, "'price'.*Known: by, cost"),
  ],
)
def test_a_mistake_is_named_before_any_work(changes, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    studies.prepare(_config(**changes), tmp_path / 'run')
