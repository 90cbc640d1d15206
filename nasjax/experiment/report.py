"""One self-contained page about a run: `report.html`, and its plots as PNG.

Everything is read from the run folder, so the page can be made again at any
time, of a run that is alive too. Images are part of the file; it loads nothing.
"""

import pathlib

import numpy as np

from nasjax.experiment import (
  drawing,
  metrics,
  page,
  plots,
  progress,
  results,
  score_report,
)

_MAX_DRAWN = 3  # architectures
_MAX_CURVES = 16  # figures of a phase


def _families(rows):
  """Metrics that share a plot: train_loss and valid_loss go together."""
  families = {}
  for name, value in rows[-1].items():
    if name != 'step' and np.ndim(value) <= 1:
      families.setdefault(name.rpartition('_')[2], []).append(name)
  return list(families.items())[:_MAX_CURVES]


def _phase(workdir, plots_dir, phase):
  """The curves and heat maps of one phase."""
  figures = []
  rows = metrics.read(workdir / phase / 'metrics.jsonl')
  for family, names in _families(rows) if rows else ():
    figures.append(
      page.plot(
        plots_dir,
        f'{phase}_{family}',
        ', '.join(names),
        plots.curves(rows, names, f'{phase}: {family}'),
      )
    )
  snapshots = metrics.read(workdir / phase / 'snapshots.jsonl')
  for name in snapshots[-1] if snapshots else ():
    steps, values = metrics.column(snapshots, name)
    values = values[:, 0] if values.ndim == 4 else values  # of the first seed
    if values.ndim == 3:
      figures.append(
        page.plot(
          plots_dir,
          f'{phase}_{name}',
          f'{name} over the search',
          plots.heat_map(steps, values, f'{phase}: {name}'),
        )
      )
  return page.gallery(phase.capitalize(), figures)


def _architectures(workdir, plots_dir):
  """What was found: drawings of the first few, the spec of all."""
  path = workdir / 'best' / 'search.json'
  if not path.exists():
    return ''
  found = metrics.read_json(path)
  config = metrics.read_json(workdir / 'config.json')
  operations = config.get('network', {}).get('operations')
  figures = [
    page.plot(
      plots_dir,
      f'cell_seed{row["seed"]}_{name}',
      f'found with seed {row["seed"]}: {name}',
      picture,
    )
    for row in found['found'][:_MAX_DRAWN]
    for name, picture in drawing.cells(row['arch'], operations).items()
  ]
  lines = [
    [f'found, seed {row["seed"]}', '', metrics.dumps(row['arch'])]
    for row in found['found']
  ]
  for kind in ('top', 'pareto'):
    lines += [
      [
        f'{kind}, seed {row["seed"]}',
        ', '.join(map(results.show, np.ravel(row['value']).tolist())),
        metrics.dumps(row['arch']),
      ]
      for row in found.get(kind, ())
    ]
  names = list(config.get('describe') or {})
  figures += _fronts(plots_dir, found.get('pareto', ()), names)
  return (
    page.gallery('Architectures', figures) or page.heading('Architectures')
  ) + page.table(('', 'value', 'architecture'), lines)


def _fronts(plots_dir, rows, names):
  """The fronts of all seeds, if there are two objectives."""
  values = np.array([row['value'] for row in rows])
  if values.ndim != 2 or values.shape[1] != 2:
    return []
  first = np.array([row['seed'] == 0 for row in rows])
  groups = {'other seeds': values[~first].T, 'seed 0': values[first].T}
  groups = {name: points for name, points in groups.items() if points.size}
  if len(names) != 2:
    names = ['first objective', 'second objective']
  caption = 'Pareto fronts: none is worse than another in both'
  return [
    page.plot(plots_dir, 'fronts', caption, plots.scatter(groups, *names))
  ]


def _outcome(workdir, plots_dir):
  """The results table, its summary, and accuracy over size where known."""
  path = workdir / 'results.json'
  if not path.exists():
    return page.heading('Results') + page.paragraph('None yet.')
  outcome = metrics.read_json(path)
  rows, summary = outcome['rows'], outcome['summary']
  names = results.columns(rows)
  part = page.heading('Results') + page.table(
    results.SUMMARY_HEADER, results.summary_lines(summary)
  )
  score = next((name for name in names if 'acc' in name or 'score' in name), '')
  if score and 'params' in names:
    groups = {}
    for row in rows:
      if None not in (row.get(score), row.get('params')):
        x, y = groups.setdefault(row['name'], ([], []))
        x.append(row['params'])
        y.append(row[score])
    part += page.gallery(
      'Accuracy and size',
      [
        page.plot(
          plots_dir,
          'scatter',
          f'{score} over params',
          plots.scatter(groups, 'params', score),
        )
      ],
    )
  return (
    part
    + page.heading('Networks')
    + page.table(names, [[row.get(name) for name in names] for row in rows])
  )


def _time(workdir):
  """Seconds of work that are in the files of every phase."""
  lines = [
    [phase, steps, progress.duration(seconds)]
    for phase, steps, seconds in metrics.times(workdir)
  ]
  return page.table(('phase', 'steps', 'time'), lines) if lines else ''


def write(workdir: str | pathlib.Path) -> pathlib.Path:
  """Write the page of a run.

  Args:
    workdir: a run folder.

  Returns:
    The path of report.html; the plots lie in `plots/`.

  Raises:
    ValueError: if the folder holds no run.
  """
  workdir = pathlib.Path(workdir)
  if not (workdir / 'config.json').is_file():
    raise ValueError(f'{workdir} holds no run (no config.json).')
  config = metrics.read_json(workdir / 'config.json')
  versions = metrics.read_json(workdir / 'environment.json')
  if 'proxies' in config:
    return score_report.write(workdir, config, versions)
  plots_dir = workdir / 'plots'
  plots_dir.mkdir(exist_ok=True)
  baselines = config.get('evaluation', {}).get('baselines') or {}
  phases = ['search', 'evaluate', *(f'evaluate_{name}' for name in baselines)]
  return page.write(
    workdir / 'report.html',
    workdir.resolve().name,
    f'{config["search"]["name"]}, {config["num_seeds"]} seed(s), '
    f'{config["num_steps"]} steps',
    [
      _outcome(workdir, plots_dir),
      _architectures(workdir, plots_dir),
      *(_phase(workdir, plots_dir, phase) for phase in phases),
      page.heading('Time'),
      _time(workdir),
      page.settings(config, versions),
    ],
  )
