"""One self-contained page about a run: `report.html`, and its plots as PNG.

Everything is read from the run folder, so the page can be made again at any
time, of a run that is alive too. Images are part of the file; it loads nothing.
"""

import base64
from collections.abc import Sequence
import html
import pathlib
from typing import Any

from matplotlib import figure
import numpy as np

from nasjax.experiment import drawing, folder, metrics, plots, progress, results

_MAX_DRAWN = 3  # architectures
_MAX_CURVES = 8  # figures of a phase
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--dim:#667085;--line:#dde1e7;
--page:#fafbfc;--card:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;
--line:#333b47;--page:#12161c;--card:#1a2028}}
body{margin:0 auto;padding:1.2rem;max-width:70rem;background:var(--page);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.1rem;margin:2rem 0 .6rem}
p{color:var(--dim);margin:.2rem 0}
.figures{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
figure{margin:0;background:#fff;border:1px solid var(--line);
border-radius:.5rem;padding:.5rem}figcaption{color:#667085;font-size:.8rem}
img{display:block;max-width:100%;margin:auto}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-size:.85rem;
font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:right;white-space:nowrap;
border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}th{color:var(--dim)}
tr:last-child td{border-bottom:0}
code{font-size:.8rem}
"""


def _table(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
  def row(tag, cells):
    return (
      '<tr>'
      + ''.join(
        f'<{tag}>{html.escape(results.show(cell))}</{tag}>' for cell in cells
      )
      + '</tr>'
    )

  return (
    '<div class="scroll"><table>'
    + row('th', header)
    + ''.join(row('td', line) for line in lines)
    + '</table></div>'
  )


def _figure(directory, name, caption, picture: figure.Figure) -> str:
  """Store a plot in the folder and return it as part of the page."""
  data = plots.png(picture)
  (directory / f'{name}.png').write_bytes(data)
  text = base64.b64encode(data).decode()
  caption = html.escape(caption)
  return (
    f'<figure><img alt="{caption}" src="data:image/png;base64,{text}">'
    f'<figcaption>{caption}</figcaption></figure>'
  )


def _gallery(title, figures):
  if not figures:
    return ''
  head = f'<h2>{html.escape(title)}</h2>'
  return f'{head}<div class="figures">{"".join(figures)}</div>'


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
      _figure(
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
        _figure(
          plots_dir,
          f'{phase}_{name}',
          f'{name} over the search',
          plots.heat_map(steps, values, f'{phase}: {name}'),
        )
      )
  return _gallery(phase.capitalize(), figures)


def _architectures(workdir, plots_dir):
  """What was found: drawings of the first few, the spec of all."""
  path = workdir / 'best' / 'search.json'
  if not path.exists():
    return ''
  found = metrics.read_json(path)
  config = metrics.read_json(workdir / 'config.json')
  operations = config.get('network', {}).get('operations')
  figures = [
    _figure(
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
  return (_gallery('Architectures', figures) or '<h2>Architectures</h2>') + (
    _table(('', 'value', 'architecture'), lines)
  )


def _outcome(workdir, plots_dir):
  """The results table, its summary, and accuracy over size where known."""
  path = workdir / 'results.json'
  if not path.exists():
    return '<h2>Results</h2><p>None yet.</p>'
  outcome = metrics.read_json(path)
  rows, summary = outcome['rows'], outcome['summary']
  names = results.columns(rows)
  page = '<h2>Results</h2>' + _table(
    results.SUMMARY_HEADER, results.summary_lines(summary)
  )
  score = next((name for name in names if 'acc' in name or 'score' in name), '')
  if score and 'params' in names:
    groups = {}
    for row in rows:
      if row.get(score) is not None:
        x, y = groups.setdefault(row['name'], ([], []))
        x.append(row['params'])
        y.append(row[score])
    page += _gallery(
      'Accuracy and size',
      [
        _figure(
          plots_dir,
          'scatter',
          f'{score} over params',
          plots.scatter(groups, 'params', score),
        )
      ],
    )
  return (
    page
    + '<h2>Networks</h2>'
    + _table(names, [[row.get(name) for name in names] for row in rows])
  )


def _time(workdir):
  """Seconds of work that are in the files of every phase."""
  lines = [
    [phase, steps, progress.duration(seconds)]
    for phase, steps, seconds in metrics.times(workdir)
  ]
  return _table(('phase', 'steps', 'time'), lines) if lines else ''


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
  plots_dir = workdir / 'plots'
  plots_dir.mkdir(exist_ok=True)
  title = html.escape(workdir.resolve().name)
  search = html.escape(config['search']['name'])
  settings = [
    [key, str(value)] for key, value in folder.flatten(config).items()
  ]
  page = ''.join(
    (
      '<!doctype html><html lang="en"><head><meta charset="utf-8">',
      '<meta name="viewport" content="width=device-width,initial-scale=1">',
      f'<title>{title}</title><style>{_STYLE}</style></head><body>',
      f'<h1>{title}</h1><p>{search}, {config["num_seeds"]} seed(s), ',
      f'{config["num_steps"]} steps</p>',
      _outcome(workdir, plots_dir),
      _architectures(workdir, plots_dir),
      *(_phase(workdir, plots_dir, phase) for phase in ('search', 'evaluate')),
      '<h2>Time</h2>',
      _time(workdir),
      '<h2>Config</h2>',
      _table(('key', 'value'), settings),
      '<h2>Environment</h2>',
      _table(
        ('', ''), [[k, str(v)] for k, v in folder.flatten(versions).items()]
      ),
      '</body></html>',
    )
  )
  path = workdir / 'report.html'
  path.write_text(page, encoding='utf-8')
  return path
