"""What a comparison ends in: a row a method, and skip connections over time.

Of every group of networks mean and standard deviation of all columns, and the
difference of the methods' from the random ones with Welch's interval. From the
folder of every method: the share of skip connections in the weight of all
operations (`mixtures`, `cell_statistics.share`) at every snapshot, the
supernet's accuracy in the last eighth of the search, and what it took.
"""

from collections.abc import Mapping
import math
import pathlib
from typing import Any

import numpy as np

from nasjax.experiment import comparison_report, metrics, phases, results
from nasjax.spaces import cell_statistics, separate_cells

_LAST = 8  # the supernet is judged by this part of a search
_SUPERNET = ('train_accuracy', 'valid_accuracy')
_KINDS = ('all', 'normal', 'reduce')


def _layers(snapshot, num_cells):
  """Weights `[T, S, G, E, K]` from leaves `[T, S, E, K]` or of separate cells."""
  if 'cells' in snapshot:
    return snapshot['cells']
  kinds = separate_cells.kinds(num_cells)
  return np.stack([snapshot[kind] for kind in kinds], axis=-3)


def weights(directory: pathlib.Path, num_seeds: int, num_cells: int) -> Any:
  """Return how strongly a method weighed every operation over its search.

  Args:
    directory: of the method.
    num_seeds: S.
    num_cells: G, of the networks that are compared.

  Returns:
    Steps `[T]` and `f[T, S, G, E, K]`.
  """
  rows = metrics.read(directory / 'search' / 'snapshots.jsonl')
  leaves = {
    name: metrics.column(rows, name)[1] for name in rows[-1] if name != 'step'
  }
  if num_seeds == 1:
    leaves = {name: leaf[:, None] for name, leaf in leaves.items()}
  steps = np.asarray([row['step'] for row in rows])
  return steps, _layers(leaves, num_cells)


def shares(weights: np.ndarray, skip: int) -> dict[str, np.ndarray]:
  """Return the share of skip connections, in all cells and in each kind.

  Args:
    weights: `f[..., G, E, K]`.
    skip: their number among the operations.

  Returns:
    `f[...]` by name.
  """
  kinds = np.array(separate_cells.kinds(weights.shape[-3]))
  chosen = {kind: kinds == kind for kind in _KINDS} | {'all': kinds != ''}
  return {
    kind: cell_statistics.share(weights[..., which, :, :], skip)
    for kind, which in chosen.items()
    if which.any()
  }


def _supernet(directory):
  """Mean accuracies of every seed in the last part of its search, `[S]`."""
  rows = metrics.read(directory / 'search' / 'metrics.jsonl')
  found = {}
  for name in _SUPERNET:
    _, values = metrics.column(rows, name)
    if not values.size:
      continue  # of one level: no validation images
    values = values.reshape(len(values), -1)
    num = max(1, math.ceil(len(values) / _LAST))
    if 'stopped' in rows[-1]:
      # Steps after the stop measure nothing: the last ones before it.
      running = metrics.column(rows, 'stopped')[1].reshape(values.shape) == 0
      values = [of[at][-num:] for of, at in zip(values.T, running.T)]
      found[name] = [float(np.mean(of)) for of in values]
    else:
      found[name] = values[-num:].mean(0).tolist()
  return found


def took(directory: pathlib.Path) -> dict[str, float]:
  """Return what the search of a method took, from the clock of its folder.

  Args:
    directory: of the method.

  Returns:
    'seconds' of all of the search; 'first_step', those until its first step was
    done, which has tracing and compilation in it.
  """
  rows = metrics.read(directory / 'search' / 'timings.jsonl')
  return {
    'seconds': float(sum(row['seconds'] for row in rows)),
    'first_step': float(rows[0]['seconds']),
  }


def _of_method(job, name):
  """The curves of a method, and numbers about its search."""
  directory, num_seeds = job.workdir / name, job.config['num_seeds']
  network = job.config['network']
  skip = list(network['operations']).index(cell_statistics.SKIP)
  steps, weight = weights(directory, num_seeds, network['num_cells'])
  share = shares(weight, skip)
  curves = {'done': steps / steps[-1], 'step': steps, 'share': share}
  numbers = took(directory)
  for kind, values in share.items():
    numbers[f'skip_share_{kind}'] = float(values[-1].mean())
  for key, values in _supernet(directory).items():
    mean, std = metrics.mean_and_std(values, ddof=1)
    numbers |= {f'supernet_{key}': mean, f'supernet_{key}_std': std}
  return curves, numbers, weight[-1]


def _group(job, rows, name):
  """Mean and spread of a group, and its difference from its baseline."""
  of = [row for row in rows if row['name'] == name]
  baseline = job.config['baselines'].get(name)
  found = {'name': name, 'networks': len({row['seed'] for row in of})}
  for column in results.columns(of):
    if column in ('name', 'seed', 'repeat'):
      continue
    values = results.group_means(rows, column)
    mean, std = metrics.mean_and_std(values[name], ddof=1)
    found |= {column: mean, f'{column}_std': std}
    if baseline is not None and column.startswith('test'):
      found['baseline'] = baseline
      found |= results.difference(values[name], values[baseline])
  return found


def _curve_rows(curves):
  return [
    {
      'method': name,
      'step': int(step),
      'done': float(done),
      'kind': kind,
      'mean': float(values[i].mean()),
      'std': float(values[i].std()),
    }
    for name, of in curves.items()
    for kind, values in of['share'].items()
    for i, (step, done) in enumerate(zip(of['step'], of['done']))
  ]


def write(job: phases.Job, rows: list[dict[str, Any]]) -> dict[str, Any]:
  """Write results.csv, comparison.csv, curves.csv, results.json, report.html.

  Args:
    job: the study.
    rows: one a trained network, with 'name', 'seed', 'arch' and numbers.

  Returns:
    What results.json holds: 'methods', a row each and one a random group;
    'rows', the networks; 'missing', methods that found nothing; 'protocol'.
  """
  present = list(dict.fromkeys(row['name'] for row in rows))
  methods = [name for name in job.config['methods'] if name in present]
  curves, numbers, last = {}, {}, {}
  for name in methods:
    curves[name], numbers[name], last[name] = _of_method(job, name)
  outcome = {
    'protocol': _protocol(job.config),
    'methods': [
      _group(job, rows, name) | numbers.get(name, {}) for name in present
    ],
    'missing': [name for name in job.config['methods'] if name not in present],
    'rows': rows,
  }
  results.write_csv(job.workdir / 'results.csv', rows)
  results.write_csv(job.workdir / 'comparison.csv', outcome['methods'])
  results.write_csv(job.workdir / 'curves.csv', _curve_rows(curves))
  metrics.write_json(job.workdir / 'results.json', outcome)
  comparison_report.write(job.workdir, job.config, outcome, curves, last)
  return outcome


def _protocol(config: Mapping[str, Any]) -> str:
  num_random = ', '.join(
    f'{section["num"]} of {name}' for name, section in config['random'].items()
  )
  return (
    f'{config["num_seeds"]} searches of each method; all networks, the random '
    f'ones too ({num_random}), are trained in one program on the same batches. '
    'Mean and standard deviation over networks; differences are from the '
    'random networks of the same space, with the 95 % interval of Welch. Skips '
    'and operations without parameters are counted over all cells. The share '
    'of skips is that of the weight of all operations but none.'
  )


def text(outcome: Mapping[str, Any]) -> str:
  """Return the outcome as tables for a terminal.

  Args:
    outcome: from `write`.

  Returns:
    Lines.
  """
  parts = [results.grid(*comparison_report.lines(outcome))]
  parts += [results.grid(*comparison_report.search_lines(outcome))]
  if outcome['missing']:
    parts.append(f'Nothing found by: {", ".join(outcome["missing"])}.')
  return '\n\n'.join([*parts, outcome['protocol']])
