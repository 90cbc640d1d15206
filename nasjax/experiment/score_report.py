"""The page about a scored population: correlations, scatter plots, times."""

from collections.abc import Mapping
import pathlib
from typing import Any

import numpy as np
from scipy import stats

from nasjax.experiment import correlation, metrics, page, plots

_NUM_BEST = 3  # architectures of every score


def _scatter(directory, outcome, table):
  """For every accuracy one plot with a panel a score."""
  figures = []
  for column, split in outcome['accuracies'].items():
    panels = {}
    for row in outcome['correlations']:
      if row['accuracy'] == column:
        values = correlation.finite_or_worst(
          table.get(f'{row["score"]}_score', table.get(row['score']))
        )
        # Ranks: scores differ in scale, and failures have a place.
        share = (stats.rankdata(values) - 1) / max(len(values) - 1, 1)
        title = f'{row["score"]}\ntau {row["tau"]:.2f}'
        if row['failures']:
          title += f', {row["failures"]:,} failed'
        panels[title] = (share, table[column])
    figures.append(
      page.plot(
        directory,
        f'scatter_{column}',
        f'{column} ({split}) over the rank of every score',
        plots.scatter_panels(panels, 'share that scores lower', column),
      )
    )
  return ''.join(figures)


def _best(outcome, table):
  """The architectures that every score likes best, and their accuracies."""
  leaves = [name for name in table if name.startswith('arch.')]
  columns = list(outcome['accuracies'])
  lines = []
  for row in outcome['proxies']:
    score = table[f'{row["proxy"]}_score']
    for rank, i in enumerate(np.argsort(-score, kind='stable')[:_NUM_BEST]):
      arch = {name[5:]: table[name][i] for name in leaves}
      lines.append(
        [row['proxy'], rank + 1, str(table['index'][i]), float(score[i])]
        + [float(table[column][i]) for column in columns]
        + [metrics.dumps(arch)]
      )
  header = ('score', 'rank', 'index', 'value', *columns, 'architecture')
  return page.table(header, lines)


def write(
  workdir: pathlib.Path, config: Mapping[str, Any], versions: Mapping[str, Any]
) -> pathlib.Path:
  """Write the page of a scored population.

  Args:
    workdir: a run folder that holds results.json and scores.npz.
    config: of the run.
    versions: its environment.

  Returns:
    The path of report.html; the plots lie in `plots/`.

  Raises:
    ValueError: if not everything is scored yet.
  """
  if not (workdir / 'results.json').is_file():
    raise ValueError(
      f'{workdir} holds no results yet: run the same command again to finish.'
    )
  outcome = metrics.read_json(workdir / 'results.json')
  with np.load(workdir / 'scores.npz', allow_pickle=False) as file:
    table = {name: file[name] for name in file.files}
  directory = workdir / 'plots'
  directory.mkdir(exist_ok=True)
  parts = []
  if outcome['correlations']:
    splits = '; '.join(f'{k}: {v}' for k, v in outcome['accuracies'].items())
    parts += [
      page.heading('Correlations'),
      page.paragraph(outcome['caption']),
      page.paragraph(splits),
      page.table(
        correlation.HEADER, correlation.lines(outcome['correlations'])
      ),
      page.heading('Accuracy and score'),
      _scatter(directory, outcome, table),
    ]
  header = list(outcome['proxies'][0])
  parts += [
    page.heading('Scores'),
    page.table(
      header, [[row[key] for key in header] for row in outcome['proxies']]
    ),
    page.heading('The best by every score'),
    _best(outcome, table),
    page.settings(config, versions),
  ]
  summary = (
    f'{outcome["population"]}: {outcome["num"]:,} architectures, '
    f'{outcome["num_scored"]:,} scored'
  )
  return page.write(
    workdir / 'report.html', workdir.resolve().name, summary, parts
  )
