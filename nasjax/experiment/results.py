"""The table at the end of a job: one row a network, and found against random.

The difference of two group means comes with the 95 % interval of Welch's
t-test, which does not take the two spreads to be equal:

  B. L. Welch, The generalization of 'Student's' problem when several different
  population variances are involved, 1947, https://doi.org/10.1093/biomet/34.1-2.28
"""

from collections.abc import Mapping, Sequence
import csv
import math
import pathlib
from typing import Any

import numpy as np
from scipy import stats

from nasjax.experiment import metrics

Row = dict[str, Any]
_MAX_ROWS = 24  # shown in a terminal
_LABELS = ('name', 'seed', 'repeat')


def columns(rows: Sequence[Row]) -> list[str]:
  """Return the names of all columns that hold single numbers or labels."""
  names = dict.fromkeys(key for row in rows for key in row)
  return [
    name
    for name in names
    if all(np.ndim(row.get(name)) == 0 for row in rows)
    and not any(isinstance(row.get(name), Mapping) for row in rows)
  ]


def difference(a: Sequence[float], b: Sequence[float]) -> dict[str, float]:
  """Return the difference of two means and its 95 % interval (Welch).

  Args:
    a: values of the first group.
    b: values of the second.

  Returns:
    Dict of 'difference', 'low' and 'high'; the interval is NaN for groups of
    fewer than two or with a value that is not finite, and a point when neither
    group has a spread.
  """
  delta = metrics.mean_and_std(a)[0] - metrics.mean_and_std(b)[0]
  if min(len(a), len(b)) < 2 or not np.all(np.isfinite([*a, *b])):
    return {'difference': delta, 'low': math.nan, 'high': math.nan}
  if np.ptp(a) == 0 and np.ptp(b) == 0:
    return {'difference': delta, 'low': delta, 'high': delta}
  interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
  return {
    'difference': delta,
    'low': float(interval.low),
    'high': float(interval.high),
  }


def group_means(rows: Sequence[Row], column: str) -> dict[str, list[float]]:
  """Return the values of a column by name; repeats of a network count once.

  Args:
    rows: one a trained network, with 'name', 'seed' and numbers.
    column: which number; rows without it are left out.

  Returns:
    The mean of every network, by name.
  """
  groups = {}
  for row in rows:
    if row.get(column) is not None:
      networks = groups.setdefault(row['name'], {})
      networks.setdefault(row.get('seed'), []).append(row[column])
  return {
    name: [metrics.mean_and_std(v)[0] for v in networks.values()]
    for name, networks in groups.items()
  }


def _describe(values):
  mean, std = metrics.mean_and_std(values, ddof=1)
  return {
    'mean': mean,
    'std': std,
    'min': float(np.min(values)),  # NaN if one is
    'max': float(np.max(values)),
    'n': len(values),
  }


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
  """Return mean and spread by group, and the found minus the random ones.

  Values that are not finite count as such, see `metrics.mean_and_std`.

  Args:
    rows: one a trained network, with 'name' (group), 'seed' and numbers.
      Repeats of a network are averaged before groups are compared.

  Returns:
    For each column a dict of groups (mean, std, min, max, n) and, with both
    'found' and 'random' among them, 'found - random' (see `difference`).
  """
  summary = {}
  for column in columns(rows):
    if column in _LABELS:
      continue
    groups = group_means(rows, column)
    summary[column] = {name: _describe(v) for name, v in groups.items()}
    if {'found', 'random'} <= groups.keys():
      summary[column]['found - random'] = difference(
        groups['found'], groups['random']
      )
  return summary


def show(value: Any) -> str:
  """Return one cell of a table: thousands whole, others to four digits."""
  if isinstance(value, str | bool | None.__class__):
    return '' if value is None else str(value)
  if isinstance(value, int | np.integer) or (
    math.isfinite(value) and abs(value) >= 1e4
  ):
    return f'{value:,.0f}'
  return f'{value:.4g}'


def grid(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
  """Return a table as aligned text."""
  cells = [list(header)] + [[show(value) for value in line] for line in lines]
  widths = [max(map(len, column)) for column in zip(*cells)]
  return '\n'.join(
    '  '.join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip()
    for line in cells
  )


def _interval(found):
  """The interval of a difference, or why there is none."""
  if not math.isfinite(found['difference']):
    return 'no interval of values that are not finite'
  if not math.isfinite(found['low']):
    return 'too few networks for an interval'
  return f'95 % CI {show(found["low"])} to {show(found["high"])} (Welch)'


def summary_lines(summary: Mapping[str, Any]) -> list[list[Any]]:
  """Return the summary as the lines of a table.

  Args:
    summary: from `summarise`.

  Returns:
    Cells as in `SUMMARY_HEADER`; for differences the range is the interval.
  """
  lines = []
  for column, groups in summary.items():
    for name, s in groups.items():
      if 'mean' in s:
        lines.append(
          [
            column,
            name,
            show(s['mean']),
            show(s['std']),
            s['n'],
            f'{show(s["min"])} to {show(s["max"])}',
          ]
        )
      else:
        lines.append(
          [
            column,
            name,
            show(s['difference']),
            '',
            '',
            _interval(s),
          ]
        )
  return lines


SUMMARY_HEADER = ('metric', 'group', 'mean', 'std', 'n', 'range')


def text(rows: Sequence[Row], summary: Mapping[str, Any]) -> str:
  """Return a results table as text.

  Args:
    rows: one dict a network; left out where they are many.
    summary: from `summarise`.

  Returns:
    Lines for a terminal.
  """
  names = columns(rows)
  table = grid(SUMMARY_HEADER, summary_lines(summary))
  if len(rows) > _MAX_ROWS:
    return table + f'\n\nAll {len(rows)} networks are in results.csv.'
  return (
    grid(names, [[row.get(name) for name in names] for row in rows])
    + '\n\n'
    + table
  )


def write(
  workdir: pathlib.Path, rows: Sequence[Row], summary: Mapping[str, Any]
) -> None:
  """Write results.json (everything) and results.csv (the rows).

  Args:
    workdir: the run folder.
    rows: one a network.
    summary: from `summarise`.
  """
  metrics.write_json(
    workdir / 'results.json', {'rows': rows, 'summary': summary}
  )
  write_csv(workdir / 'results.csv', rows)


def write_csv(path: pathlib.Path, rows: Sequence[Row]) -> None:
  """Write the single numbers and labels of rows, one line a row."""
  names = columns(rows)
  with open(path, 'w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows([row.get(name) for name in names] for row in rows)
