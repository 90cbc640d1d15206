"""The page of a comparison: table, curves of skips, heat maps, found cells."""

from collections.abc import Mapping
import math
import pathlib
from typing import Any

import numpy as np

from nasjax.experiment import (
  comparison_plots,
  comparison_records,
  comparison_tables,
  drawing,
  metrics,
  page,
  plots,
)
from nasjax.spaces import genotypes, separate_cells


def _skip_curves(directory, records, reference):
  """A small plot a method, that of reference beside it."""
  figures = []
  for name in records:
    shown = [r for r in dict.fromkeys((reference, name)) if r in records]
    lines = {
      f'{kind} cells': {
        other: (
          records[other].steps / records[other].steps[-1],
          records[other].shares[kind],
        )
        for other in shown
      }
      for kind in records[name].shares
      if kind != 'all'
    }
    figures.append(
      page.plot(
        directory,
        f'skips_{name}',
        f'{name}: share of skips in the weight of all operations, mean and '
        'one standard deviation over seeds',
        plots.panels(lines, 'part of the search', name),
      )
    )
  return page.gallery('Skip connections over the search', figures)


def _edge_names(num_edges):
  sources, targets = genotypes.edges(genotypes.num_nodes_of(num_edges))
  state = lambda i: f'c[k-{2 - i}]' if i < 2 else str(i - 2)
  return [f'{state(s)} → {state(t)}' for s, t in zip(sources, targets)]


def _distinct(cells):
  """The cells that differ, by kind where those of a kind are the same."""
  kinds = separate_cells.kinds(len(cells))
  of_kind = {kind: cells[kinds.index(kind)] for kind in dict.fromkeys(kinds)}
  if all(np.array_equal(cell, of_kind[k]) for cell, k in zip(cells, kinds)):
    return of_kind
  return {
    f'cell {i}, {k}': cell for i, (cell, k) in enumerate(zip(cells, kinds))
  }


def _maps(directory, operations, records):
  """Final weights of the first seed of every method."""
  figures = [
    page.plot(
      directory,
      f'weights_{name}',
      f'{name}: weights at the end, seed 0',
      comparison_plots.maps(
        _distinct(record.weights[-1, 0]),
        _edge_names(record.weights.shape[3]),
        operations,
        name,
      ),
    )
    for name, record in records.items()
  ]
  return page.gallery('Weights of operations', figures)


def _cells(directory, operations, outcome, methods):
  """Drawings of what the first seed of every method found."""
  found = {
    row['name']: np.asarray(row['arch']['cells'])
    for row in reversed(outcome['rows'])
    if row['seed'] == 0 and row['name'] in methods
  }
  figures = [
    page.plot(
      directory,
      f'cell_{name}_{i}',
      f'{name}: {label}',
      drawing.darts(cell, f'{name}, {label}', operations),
    )
    for name in methods
    if name in found
    for i, (label, cell) in enumerate(_distinct(found[name]).items())
  ]
  return page.gallery('Cells found with seed 0', figures)


def _figures(directory, outcome):
  """Differences with their intervals, and accuracy over size."""
  score = comparison_tables.score(outcome)
  if not score:
    return ''
  compared = {
    row['name']: (row['difference'], row['low'], row['high'])
    for row in outcome['methods']
    if math.isfinite(row.get('low', math.nan))
  }
  figures = []
  if compared:
    figures.append(
      page.plot(
        directory,
        'differences',
        f'{score} minus that of random networks, 95 % interval',
        comparison_plots.intervals(compared, f'{score} minus random'),
      )
    )
  for column in ('params', 'skips', 'parameter_free'):
    if column in outcome['rows'][0]:
      groups = {}
      for row in outcome['rows']:
        x, y = groups.setdefault(row['name'], ([], []))
        x.append(row[column])
        y.append(row[score])
      figures.append(
        page.plot(
          directory,
          f'over_{column}',
          f'{score} over {column}',
          comparison_plots.means(groups, column, score),
        )
      )
  return page.gallery('Accuracy', figures)


def write(
  workdir: pathlib.Path,
  config: Mapping[str, Any],
  outcome: Mapping[str, Any],
  records: Mapping[str, comparison_records.Record],
) -> pathlib.Path:
  """Write the page of a comparison.

  Args:
    workdir: its folder; plots go to `plots/`.
    config: of the study.
    outcome: what results.json holds.
    records: of the methods.

  Returns:
    The path of report.html.
  """
  directory = workdir / 'plots'
  directory.mkdir(exist_ok=True)
  missing = outcome['missing']
  operations = config['network']['operations']
  parts = [
    page.paragraph(outcome['protocol']),
    page.paragraph(
      f'Nothing found by: {", ".join(missing)}.' if missing else ''
    ),
    page.heading('Networks'),
    page.table(*comparison_tables.lines(outcome)),
    _figures(directory, outcome),
    page.heading('Searches'),
    page.table(*comparison_tables.search_lines(outcome)),
    _skip_curves(directory, records, config['reference']),
    _maps(directory, operations, records),
    _cells(directory, operations, outcome, config['methods']),
    page.settings(config, metrics.read_json(workdir / 'environment.json')),
  ]
  summary = (
    f'{len(config["methods"])} methods, {config["num_seeds"]} seeds, '
    f'{config["num_steps"]} updates'
  )
  return page.write(
    workdir / 'report.html', workdir.resolve().name, summary, parts
  )
