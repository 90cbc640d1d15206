"""The page of a comparison: table, curves of skips, heat maps, found cells."""

from collections.abc import Mapping
import math
import pathlib
from typing import Any

import numpy as np

from nasjax.experiment import drawing, metrics, page, plots, results
from nasjax.spaces import genotypes, separate_cells


def _spread(row, name):
  if name not in row:
    return ''
  return f'{results.show(row[name])} ± {results.show(row[f"{name}_std"])}'


def _score(outcome):
  """The column that methods are compared by."""
  names = outcome['methods'][0]
  return next((name for name in names if name.startswith('test')), '')


def lines(outcome: Mapping[str, Any]) -> tuple[list, list]:
  """Return header and lines of the table of networks.

  Args:
    outcome: from `comparison_tables.write`.

  Returns:
    Names of the columns, and a line a group.
  """
  score = _score(outcome)
  columns = [
    name
    for name in outcome['methods'][0]
    if f'{name}_std' in outcome['methods'][0]
    and not name.startswith(('supernet', 'test'))
  ]
  header = ['group', 'n', score, 'minus random', '95 % interval', *columns]
  body = []
  for row in outcome['methods']:
    interval = ['', '']
    if math.isfinite(row.get('low', math.nan)):
      interval = [
        f'{row["difference"]:+.4f}',
        f'{row["low"]:+.4f} to {row["high"]:+.4f}',
      ]
    body.append(
      [row['name'], row['networks'], _spread(row, score), *interval]
      + [_spread(row, name) for name in columns]
    )
  return header, body


def search_lines(outcome: Mapping[str, Any]) -> tuple[list, list]:
  """Return header and lines of the table of searches.

  Args:
    outcome: from `comparison_tables.write`.

  Returns:
    Names of the columns, and a line a method.
  """
  names = {
    'skip_share_all': 'share of skips',
    'skip_share_normal': 'normal',
    'skip_share_reduce': 'reduce',
    'seconds': 'seconds',
    'first_step': 'to the first step',
  }
  rows = [row for row in outcome['methods'] if 'seconds' in row]
  accuracies = ('supernet_train_accuracy', 'supernet_valid_accuracy')
  return (
    ['method', 'supernet train', 'supernet valid', *names.values()],
    [
      [row['name']]
      + [_spread(row, name) for name in accuracies]
      + [row.get(name) for name in names]
      for row in rows
    ],
  )


def _skip_curves(directory, curves):
  """A small plot a method, the first method beside it."""
  first = next(iter(curves))
  figures = []
  for name in curves:
    shown = {other: curves[other] for other in dict.fromkeys((first, name))}
    figures.append(
      page.plot(
        directory,
        f'skips_{name}',
        f'{name}: share of skips in the weight of all operations, mean and '
        'one standard deviation over seeds',
        plots.panels(
          {
            f'{kind} cells': {
              other: (of['done'], of['share'][kind])
              for other, of in shown.items()
              if kind in of['share']
            }
            for kind in ('normal', 'reduce')
          },
          'part of the search',
          name,
        ),
      )
    )
  return page.gallery('Skip connections over the search', figures)


def _edge_names(num_edges):
  sources, targets = genotypes.edges(genotypes.num_nodes_of(num_edges))
  state = lambda i: f'c[k-{2 - i}]' if i < 2 else str(i - 2)
  return [f'{state(s)} → {state(t)}' for s, t in zip(sources, targets)]


def _maps(directory, config, last):
  """Final weights of the first seed: a map a cell that differs."""
  operations = config['network']['operations']
  figures = []
  for name, weight in last.items():
    of_seed = weight[0]  # [G, E, K]
    kinds = separate_cells.kinds(len(of_seed))
    cells = {kind: of_seed[kinds.index(kind)] for kind in dict.fromkeys(kinds)}
    if not all(np.array_equal(x, cells[k]) for x, k in zip(of_seed, kinds)):
      cells = {f'cell {i}': x for i, x in enumerate(of_seed)}
    figures.append(
      page.plot(
        directory,
        f'weights_{name}',
        f'{name}: weights at the end, seed 0',
        plots.maps(cells, _edge_names(of_seed.shape[1]), operations, name),
      )
    )
  return page.gallery('Weights of operations', figures)


def _cells(directory, config, outcome):
  """Drawings of what the first seed of every method found."""
  operations = config['network']['operations']
  figures = []
  for row in outcome['rows']:
    if row['seed'] or row.get('repeat') or row['name'] in config['random']:
      continue
    cells = np.asarray(row['arch']['cells'])
    kinds = separate_cells.kinds(len(cells))
    arch = {kind: cells[kinds.index(kind)] for kind in dict.fromkeys(kinds)}
    if not all(np.array_equal(x, arch[k]) for x, k in zip(cells, kinds)):
      arch = {'cells': cells}
    figures += [
      page.plot(
        directory, f'cell_{row["name"]}_{leaf}', f'{row["name"]}: {leaf}', drawn
      )
      for leaf, drawn in drawing.cells(arch, operations).items()
    ]
  return page.gallery('Cells found with seed 0', figures)


def _figures(directory, outcome):
  """Differences with their intervals, and accuracy over size."""
  score = _score(outcome)
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
        plots.intervals(compared, f'{score} minus random'),
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
          plots.scatter(groups, column, score),
        )
      )
  return page.gallery('Accuracy', figures)


def write(
  workdir: pathlib.Path,
  config: Mapping[str, Any],
  outcome: Mapping[str, Any],
  curves: Mapping[str, Any],
  last: Mapping[str, np.ndarray],
) -> pathlib.Path:
  """Write the page of a comparison.

  Args:
    workdir: its folder; plots go to `plots/`.
    config: of the study.
    outcome: what results.json holds.
    curves: by method 'done' `[T]` and 'share' `[T, S]` by kind.
    last: by method `f[S, G, E, K]`, the final weights.

  Returns:
    The path of report.html.
  """
  directory = workdir / 'plots'
  directory.mkdir(exist_ok=True)
  missing = outcome['missing']
  parts = [
    page.paragraph(outcome['protocol']),
    page.paragraph(
      f'Nothing found by: {", ".join(missing)}.' if missing else ''
    ),
    page.heading('Networks'),
    page.table(*lines(outcome)),
    _figures(directory, outcome),
    page.heading('Searches'),
    page.table(*search_lines(outcome)),
    _skip_curves(directory, curves) if curves else '',
    _maps(directory, config, last),
    _cells(directory, config, outcome),
    page.settings(config, metrics.read_json(workdir / 'environment.json')),
  ]
  summary = (
    f'{len(config["methods"])} methods, {config["num_seeds"]} seeds, '
    f'{config["num_steps"]} updates'
  )
  return page.write(
    workdir / 'report.html', workdir.resolve().name, summary, parts
  )
