"""The page of a study: curves with bands, and a table a column."""

from collections.abc import Mapping
import pathlib
from typing import Any

import numpy as np

from nasjax.experiment import folder, page, plots

_SKIPPED = 0.02  # share of the queries that plots leave out: far below the rest


def lines(outcome: dict[str, Any], column: str) -> tuple[list, list]:
  """Return header and lines of the table of a column.

  Args:
    outcome: from `write`.
    column: of the benchmark, or 'signal'.

  Returns:
    Names of the table's columns, and its lines: strategies by amounts.
  """
  rows = [row for row in outcome['rows'] if row['column'] == column]
  amounts = list(dict.fromkeys((row['amount'], row['unit']) for row in rows))
  cells = {}
  for row in rows:
    text = f'{row["mean"]:.3f}'
    if 'std' in row:
      text += f' ± {row["std"]:.2f}'
    if row.get('low', np.nan) > 0 or row.get('high', np.nan) < 0:
      text += ' +' if row['low'] > 0 else ' -'
    key = row['strategy']
    cells.setdefault(key, {})[row['amount'], row['unit']] = text
  header = [column, *(f'{amount:g} {unit}' for amount, unit in amounts)]
  return header, [
    [name, *(of.get(amount, '') for amount in amounts)]
    for name, of in cells.items()
  ]


def write(
  workdir: pathlib.Path,
  config: Mapping[str, Any],
  outcome: Mapping[str, Any],
  curves: Mapping[str, Mapping[str, np.ndarray]],
) -> pathlib.Path:
  """Write the page of a study.

  Args:
    workdir: its folder; plots go to `plots/`.
    config: of the study.
    outcome: what results.json holds.
    curves: `f32[S, Q]` by strategy and column.

  Returns:
    The path of report.html.
  """
  directory = workdir / 'plots'
  directory.mkdir(exist_ok=True)
  names = list(next(iter(curves.values())))
  first = int(_SKIPPED * config['num_queries'])
  x = np.arange(first, config['num_queries']) + 1
  figures = [
    page.plot(
      directory,
      f'curves_{column}',
      f'{column} at the best by the signal: mean and one standard deviation',
      plots.panels(
        {
          column: {
            name: (x, of[column][:, first:].T) for name, of in curves.items()
          }
        },
        'queries',
      ),
    )
    for column in names
  ]
  header = list(outcome['took'][0])
  parts = [page.paragraph(outcome['protocol']), page.gallery('Curves', figures)]
  for column in names:
    parts += [page.heading(column), page.table(*lines(outcome, column))]
  parts += [
    page.heading('What it took'),
    page.table(
      header, [[row[key] for key in header] for row in outcome['took']]
    ),
    page.settings(config, folder.environment()),
  ]
  summary = f'{len(curves)} strategies, {config["num_queries"]} queries'
  return page.write(
    workdir / 'report.html', workdir.resolve().name, summary, parts
  )
