"""The files that scoring a population ends in."""

import os
from typing import Any

import jax
import numpy as np

from nasjax.experiment import (
  columns,
  correlation,
  metrics,
  phases,
  report,
  results,
)


def describe(job: phases.Job) -> dict[str, np.ndarray]:
  """Return the columns of config.describe, `[N]` by name.

  Args:
    job: the job.

  Raises:
    ValueError: if a column is not one number an architecture.
  """
  archs = job.parts['population'].archs
  num = len(job.parts['population'].index)
  rows = columns.describe(job, archs, [{} for _ in range(num)])
  return {
    name: np.array([row[name] for row in rows])
    for name in job.config.get('describe', {})
  }


def _leaves(archs):
  return {
    jax.tree_util.keystr(path, simple=True, separator='.'): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(archs)
  }


def write_scores(
  job: phases.Job,
  raw: dict[str, np.ndarray],
  oriented: dict[str, np.ndarray],
  described: dict[str, np.ndarray],
) -> None:
  """Write scores.npz and scores.csv, one entry an architecture.

  Args:
    job: the job.
    raw: values as published, `[N]` by proxy.
    oriented: higher is better, failures are -inf.
    described: columns of config.describe.
  """
  archs = job.parts['population']
  table = {
    'index': archs.index,
    'scored_as': archs.index[archs.scored[archs.source]],
  }
  for name in raw:
    table |= {f'{name}_raw': raw[name], f'{name}_score': oriented[name]}
  table |= described
  leaves = _leaves(archs.archs)
  metrics.write_arrays(
    job.workdir / 'scores.npz',
    table | {f'arch.{k}': leaf for k, leaf in leaves.items()},
  )
  texts = {'index': table.pop('index')}
  texts['arch'] = [
    metrics.dumps({key: leaf[i] for key, leaf in leaves.items()})
    for i in range(len(archs.index))
  ]
  temporary = job.workdir / '.scores.csv'
  table = texts | table
  rows = [dict(zip(table, row)) for row in zip(*table.values())]
  results.write_csv(temporary, rows)
  os.replace(temporary, job.workdir / 'scores.csv')


def _costs(workdir, section):
  """What a section took, by the files of its run.

  Seconds are those of scoring; of the last start there are those of tracing,
  compiling and drawing the weights, and the megabytes of intermediate values
  that the program holds on each device.
  """
  rows = metrics.read(workdir / section / 'timings.jsonl')
  compiled = [
    event
    for event in metrics.read(workdir / 'events.jsonl')
    if event['event'] == 'compiled' and event['phase'] == section
  ]
  last = compiled[-1] if compiled else {}
  return {
    'seconds': float(sum(row['seconds'] for row in rows)),
    'compile_seconds': float(last.get('seconds', np.nan)),
    'temporary_mb': float(last.get('temporary_mb', np.nan)),
  }


def _proxy_rows(job, raw):
  """What every score is, took and failed at."""
  num_scored = len(job.parts['population'].scored)
  rows = []
  for section, scores in job.parts['scores'].items():
    took = _costs(job.workdir, section)
    for name, proxy in scores.proxies.items():
      rows.append(
        {
          'proxy': name,
          'better': 'higher' if proxy.sign > 0 else 'lower',
          'norm': proxy.norm,
          'failures': int(np.sum(~np.isfinite(raw[name]))),
          'section': section,  # that what follows is of, as a whole
          **took,
          'per_second': num_scored / max(took['seconds'], 1e-9),
          'paper': proxy.paper,
        }
      )
  return rows


def write_results(
  job: phases.Job,
  raw: dict[str, np.ndarray],
  correlations: list[dict[str, Any]],
  options: correlation.Options,
) -> dict[str, Any]:
  """Write correlations.csv, results.json and the report.

  Args:
    job: the job.
    raw: values as published, `[N]` by proxy.
    correlations: from `correlation.table`.
    options: of the correlations.

  Returns:
    What results.json holds.
  """
  archs = job.parts['population']
  num = len(archs.index)
  rows = [
    row
    | {
      'split': job.config['accuracies'][row['accuracy']],
      'population': archs.label,
    }
    for row in correlations
  ]
  outcome = {
    'population': archs.label,
    'num': num,
    'num_scored': len(archs.scored),
    'accuracies': job.config['accuracies'],
    'caption': correlation.caption(num, archs.label, options),
    'correlations': rows,
    'proxies': _proxy_rows(job, raw),
  }
  results.write_csv(job.workdir / 'correlations.csv', rows)
  metrics.write_json(job.workdir / 'results.json', outcome)
  report.write(job.workdir)
  return outcome


def text(outcome: dict[str, Any]) -> str:
  """Return the outcome as tables for a terminal.

  Args:
    outcome: from `scoring.execute`.

  Returns:
    Lines.
  """
  header = [key for key in outcome['proxies'][0] if key != 'paper']
  parts = []
  if outcome['correlations']:
    parts += [
      results.grid(
        correlation.HEADER, correlation.lines(outcome['correlations'])
      ),
      outcome['caption'],
      '\n'.join(f'{k}: {v}' for k, v in outcome['accuracies'].items()),
    ]
  parts.append(
    results.grid(
      header, [[row[key] for key in header] for row in outcome['proxies']]
    )
  )
  return '\n\n'.join(parts)
