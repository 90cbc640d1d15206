"""What a study reports besides columns at the best by what a search has seen.

  picks   by name: the column `report` at the best by the column `by`, among the
          queries so far for which the condition `where` holds; NaN before the
          first of them
  fronts  by name: the queries so far of which none is better in the column `by`
          at no higher `cost`; the area that they dominate above `least` and
          below `most`, with the column `report` in place of `by`

`by` steers and `report` is only reported. They may be the same, and what
cannot be known in a search is then the best that it could have reported.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nasjax import expressions
from nasjax.experiment import correlation, names

Columns = Mapping[str, np.ndarray]
Ledgers = Mapping[str, np.ndarray]

_PICK = {'by': str, 'where': str, 'report': str}
_FRONT = {'by': str, 'cost': str, 'report': str, 'least': float, 'most': float}


def _check_entry(path, entry, kinds, columns):
  for key in entry:
    if key not in kinds:
      raise names.unknown(f'key in {path}:', key, kinds)
  for key, kind in kinds.items():
    value = entry.get(key)
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or isinstance(value, bool):
      raise ValueError(f'{path}.{key} must be {kind.__name__}, got {value!r}.')
    if key in ('by', 'cost', 'report') and value not in columns:
      raise names.unknown(f'column in {path}.{key}:', value, columns)
    if key == 'where':
      expressions.parse(value, columns)


def check(config: Mapping[str, Any], known: list[str]) -> dict[str, dict]:
  """Check the entries of a config.

  Args:
    config: of a study.
    known: names of the columns.

  Returns:
    Its `picks` and `fronts`, as dicts.

  Raises:
    ValueError: for a wrong key, type, column or condition, or a name that is a
      column already.
  """
  found, taken = {}, set(known)
  for section, kinds in (('picks', _PICK), ('fronts', _FRONT)):
    found[section] = dict(config.get(section) or {})
    for name, entry in found[section].items():
      path = f'config.{section}.{name}'
      if name in taken:
        raise ValueError(f'{path}: there is a column of that name already.')
      taken.add(name)
      _check_entry(path, entry, kinds, known)
  return found


def incumbents(values: np.ndarray) -> np.ndarray:
  """Return which query was the best so far, `int[S, Q]`; of equals the first.

  Args:
    values: of Q queries of S searches; those that failed or never came are not
      finite.
  """
  values = correlation.finite_or_worst(values)
  best = np.maximum.accumulate(values, axis=1)
  improved = np.ones(values.shape, bool)
  improved[:, 1:] = values[:, 1:] > best[:, :-1]
  return np.maximum.accumulate(
    np.where(improved, np.arange(values.shape[1]), 0), axis=1
  )


def pick(
  ledgers: Ledgers, columns: Columns, by: str, where: str, report: str
) -> np.ndarray:
  """Return a column at the best of those that fulfil a condition.

  Args:
    ledgers: of S searches of Q queries: 'rows' and 'values', `[S, Q]`.
    columns: `f32[N]` by name.
    by: the column that decides.
    where: the condition on columns.
    report: the column that is reported.

  Returns:
    `f32[S, Q]` after every query, NaN before the first that fulfils it.
  """
  rows = ledgers['rows']
  holds = np.asarray(expressions.parse(where, columns).holds(columns))
  holds = np.broadcast_to(holds, columns[by].shape)
  counts = holds[rows] & np.isfinite(ledgers['values'])
  best = incumbents(np.where(counts, columns[by][rows], -np.inf))
  found = np.take_along_axis(rows, best, axis=1)
  some = np.logical_or.accumulate(counts, axis=1)
  return np.where(some, columns[report][found], np.nan)


def front(
  ledgers: Ledgers,
  columns: Columns,
  by: str,
  cost: str,
  report: str,
  least: float,
  most: float,
) -> np.ndarray:
  """Return the area that the fronts of searches dominate.

  Of several queries of one cost, only the best is on a front, and of equal ones
  the first.

  Args:
    ledgers: of S searches of Q queries: 'rows' and 'values', `[S, Q]`.
    columns: `f32[N]` by name.
    by: the column to be maximised, which decides who is on the front.
    cost: the column to be minimised.
    report: the column whose values count.
    least: where `report` starts to count.
    most: where `cost` stops to count.

  Returns:
    `f32[S, Q]` after every query.
  """
  rows = ledgers['rows']
  known = np.isfinite(ledgers['values'])
  prices = np.where(known, columns[cost][rows], np.inf)
  values = np.where(known, columns[by][rows], -np.inf)
  order = np.lexsort((-values, prices))  # stable: of equals the first query
  prices, values, gains = (
    np.take_along_axis(array, order, axis=1)
    for array in (prices, values, columns[report][rows] - least)
  )
  # What one step of the staircase is wide: up to the price of the next query.
  ends = np.concatenate([prices[:, 1:], np.full((len(rows), 1), np.inf)], 1)
  widths = np.minimum(ends, most) - np.minimum(prices, most)
  areas = np.empty(rows.shape, np.float32)
  for q in range(rows.shape[1]):
    seen = np.where(order <= q, values, -np.inf)
    before = np.maximum.accumulate(seen, axis=1)[:, :-1]
    on_front = np.isfinite(seen)
    on_front[:, 1:] &= seen[:, 1:] > before
    heights = np.where(on_front, np.maximum(gains, 0), 0)
    areas[:, q] = np.sum(widths * np.maximum.accumulate(heights, 1), axis=1)
  return areas


def derived(
  config: Mapping[str, Any], ledgers: Ledgers, columns: Columns
) -> dict[str, np.ndarray]:
  """Return all picks and fronts of a config.

  Args:
    config: of the study, checked.
    ledgers: of a strategy.
    columns: `f32[N]` by name, the signal among them.

  Returns:
    `f32[S, Q]` by name.
  """
  picks = {
    name: pick(ledgers, columns, **entry)
    for name, entry in config['picks'].items()
  }
  return picks | {
    name: front(ledgers, columns, **entry)
    for name, entry in config['fronts'].items()
  }


def describe(config: Mapping[str, Any]) -> list[str]:
  """Return a sentence for every pick and front of a config.

  Args:
    config: of the study, checked.

  Returns:
    The sentences.
  """
  picks = [
    f'{name}: {e["report"]} at the best {e["by"]} where {e["where"]}.'
    for name, e in config['picks'].items()
  ]
  return picks + [
    f'{name}: area of {e["report"]} above {e["least"]:g} and {e["cost"]} below '
    f'{e["most"]:g} that the front of {e["by"]} and {e["cost"]} dominates.'
    for name, e in config['fronts'].items()
  ]


def whole_table(
  config: Mapping[str, Any], columns: Columns
) -> dict[str, float]:
  """Return what a search of all rows would report.

  Args:
    config: of the study, checked.
    columns: `f32[N]` by name.

  Returns:
    A number for each pick and front.
  """
  rows = np.arange(len(columns['signal']))[None]
  ledgers = {'rows': rows, 'values': np.zeros(rows.shape)}
  found = {
    name: pick(ledgers, columns, **entry)[0, -1]
    for name, entry in config['picks'].items()
  }
  for name, entry in config['fronts'].items():
    found[name] = _last_front(columns, **entry)
  return {name: float(value) for name, value in found.items()}


def _last_front(columns, by, cost, **entry):
  """The area of the front of all rows, without those before."""
  order = np.lexsort((-columns[by], columns[cost]))
  values = columns[by][order]
  better = values[1:] > np.maximum.accumulate(values)[:-1]
  rows = order[np.append(True, better)][None]
  ledgers = {'rows': rows, 'values': np.zeros(rows.shape)}
  return front(ledgers, columns, by=by, cost=cost, **entry)[0, -1]
