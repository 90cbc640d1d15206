"""Columns of the results table that are not those of an evaluation."""

import numpy as np

from nasjax import batching
from nasjax.experiment import export, feasible, metrics, phases
from nasjax.types import Arch

Row = metrics.Row


def describe(job: phases.Job, archs: Arch, rows: list[Row]) -> list[Row]:
  """Return the rows with the columns of config.describe, and the architecture.

  Args:
    job: the job.
    archs: pytree of `[B, ...]`.
    rows: B dicts.

  Returns:
    B dicts; with config.where also 'feasible', 1 where it holds, else 0.

  Raises:
    ValueError: if a column is not one number an architecture.
  """
  columns = {}
  described = job.parts.get('describe', {})
  for name, part in described.items():
    columns[name] = np.asarray(batching.map_archs(feasible.column(part), archs))
    if columns[name].shape != (len(rows),):
      raise ValueError(
        f'config.describe.{name} must give one number an architecture, got '
        f'shape {columns[name].shape[1:]}.'
      )
  if job.config.get('where') is not None:
    holds = feasible.condition(job.config['where'], described)
    fulfils = np.asarray(batching.map_archs(holds, archs))
    columns['feasible'] = fulfils.astype(np.float32)
  return [
    row
    | {name: values[i] for name, values in columns.items()}
    | {'arch': export.to_json(export.at(archs, i))}
    for i, row in enumerate(rows)
  ]


def search_metrics(job: phases.Job, rows: list[Row]) -> list[Row]:
  """Return the rows of found architectures with the last metrics of the search.

  Args:
    job: the job.
    rows: dicts of name and seed.

  Returns:
    The rows; those of random architectures unchanged.
  """
  last = metrics.read(job.workdir / 'search' / 'metrics.jsonl', last=1)[-1]
  del last['step']
  num_seeds = job.config['num_seeds']
  if num_seeds == 1:
    last = {key: [value] for key, value in last.items()}
  numbers = metrics.per_row(last, num_seeds)
  return [
    row | {key: value[row['seed']] for key, value in numbers.items()}
    if row['name'] == 'found'
    else row
    for row in rows
  ]
