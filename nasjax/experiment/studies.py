"""Any strategies over hundreds of seeds on a table, compared honestly.

  study(config, workdir)

is all that the launcher does. Each strategy is one program: all of its seeds,
all of their queries (`searches.queries`). Plain values: `study_settings`.
Sections of a config, built in this order, each from those before it:

  data        whatever the others refer to, e.g. '@data'
  space       the architectures; predictors get one of them as `example`
  index_of    `(arch) -> i32[]`, the row of an architecture
  signal      `f32[N]`, what the searches see
  estimator   the same as an estimator, where it takes fidelities or is noisy;
              by default the table of the signal
  cost        `(arch, fidelity) -> f32[]`, seconds of the simulated clock
  columns     `f32[N]` by name, reported for the best by the signal
  strategies  by name
  settings    by strategy: numbers of seeds and the like that are its own, and
              `sees`, the column that it sees in place of the signal
  picks, fronts  what else is reported of the queries, see `study_columns`
  budgets     numbers of queries, and
  times       seconds on the simulated clock, at which results are reported

The folder then holds, besides what `folder.py` says: `<strategy>.npz` (rows,
values and times of every query of every seed), `study.csv` (mean, spread,
difference from the baseline with its interval), `curves.csv`, `results.json`
and `report.html`. Stopped at any moment, the same call continues behind the
last chunk of seeds.
"""

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import batching
from nasjax import keys as keys_lib
from nasjax.estimators import tabular
from nasjax.experiment import (
  build,
  folder,
  metrics,
  phases,
  settings,
  study_settings,
  study_tables,
)
from nasjax.experiment import progress as progress_lib
from nasjax.searches import queries

Ledgers = dict[str, np.ndarray]


def _vector(name, values, num_rows):
  values = np.asarray(values, np.float32)
  if values.shape != (num_rows,):
    raise ValueError(
      f'config.{name} must be one value for each of {num_rows} rows, got shape '
      f'{values.shape}.'
    )
  return values


def _make_parts(config):
  """All parts, each mistake with the section that it is in."""
  parts = {key: config[key] for key in study_settings.SCALARS}
  for key in (*study_settings.SECTIONS, 'columns', 'strategies'):
    if key not in config:
      continue
    try:
      if key in ('index_of', 'cost'):
        parts |= build.build_values({key: config[key]}, **parts)
      elif key in ('columns', 'strategies'):
        parts[key] = build.build_values(config[key], **parts)
      else:
        parts[key] = build.build(config[key], **parts)
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from error
    if key == 'space':
      parts['example'] = jax.jit(parts['space'].sample)(jax.random.key(0))
  parts['num_rows'] = num_rows = config['num_rows'] or parts['space'].size
  parts['signal'] = _vector('signal', parts['signal'], num_rows)
  parts['columns'] = {
    name: _vector(f'columns.{name}', values, num_rows)
    for name, values in parts['columns'].items()
  }
  return parts


def _sees(job, name):
  """The column that a strategy sees."""
  own = study_settings.own(job.config, name)
  if own['sees'] is None:
    return job.parts['signal']
  return job.parts['columns'][own['sees']]


def _program(job, name):
  """`(keys [C], column [N]) -> Ledger` of a chunk of seeds, jitted."""
  parts, own = job.parts, study_settings.own(job.config, name)

  def spend(key, column):
    estimator = parts.get('estimator')
    if estimator is None or own['sees'] is not None:
      estimator = tabular.tabular(parts['index_of'], column)
    return queries.spend(
      key,
      parts['strategies'][name],
      estimator,
      parts['index_of'],
      parts['num_rows'],
      job.config['num_queries'],
      parts.get('cost'),
      own['num_workers'],
      own['count_duplicates'],
    )._asdict()

  return jax.jit(
    lambda keys, column: batching.map_archs(
      spend, keys, own['seed_batch_size'], (column,)
    )
  )


def _identity(job, name):
  """Equal for strategies that differ in what they see only: one program."""
  own = study_settings.own(job.config, name)
  fixed = 'estimator' in job.parts and own['sees'] is None
  ways = [own[key] for key in ('num_workers', 'count_duplicates')]
  section = repr(job.config['strategies'][name])
  return (section, own['seed_batch_size'], *ways, fixed)


def _keys(job, name):
  own = study_settings.own(job.config, name)
  key = jax.random.key(job.config['seed'])
  seeds = jnp.arange(own['num_seeds'])
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, seeds)
  if own['seed_batch_size']:
    # Seeds in one vmap draw few words a step; others train models.
    keys = keys_lib.unrolled(keys)
  return keys, own['chunk_size'] or own['num_seeds']


def prepare(config: Any, workdir: str | pathlib.Path) -> phases.Job:
  """Check a config and a folder, build and trace all; nothing is written.

  Args:
    config: a `ConfigDict` or nested dicts, see the head of this file.
    workdir: the folder of the study.

  Returns:
    The job.

  Raises:
    ValueError: for whatever a user can have got wrong.
  """
  config = study_settings.check(settings.plain(config))
  workdir = pathlib.Path(workdir)
  folder.check(workdir, config)
  job = phases.Job(config, workdir, _make_parts(config))
  for name in config['strategies']:
    keys, size = _keys(job, name)
    try:
      jax.eval_shape(_program(job, name), keys[:size], _sees(job, name))
    except (TypeError, ValueError) as error:
      raise ValueError(f'config.strategies.{name}: {error}') from error
  return job


def _read(path):
  if not path.is_file():
    return None
  with np.load(path, allow_pickle=False) as file:
    return {name: file[name] for name in file.files}


def _run(job: phases.Job, name: str, compiled: dict) -> Ledgers:
  """Run the seeds of a strategy that its file does not hold yet."""
  path = job.workdir / f'{name}.npz'
  keys, size = _keys(job, name)
  ledgers = _read(path)
  done = 0 if ledgers is None else len(ledgers['rows'])
  if done == len(keys):
    return ledgers
  folder.event(job.workdir, 'phase', phase=name)
  show = progress_lib.reporter(name, len(keys), unit='seed')
  program, seconds, column = _program(job, name), 0.0, _sees(job, name)
  for first in range(done, len(keys), size):
    chunk = keys[first : first + size]
    took = {'compile_seconds': 0.0}
    known = (*_identity(job, name), len(chunk))
    if known not in compiled:
      start = time.monotonic()
      compiled[known] = program.lower(chunk, column).compile()
      took['compile_seconds'] = time.monotonic() - start
    start = time.monotonic()
    found = jax.tree.map(np.asarray, compiled[known](chunk, column))
    took['seconds'] = time.monotonic() - start
    if ledgers is not None:
      found = {k: np.concatenate([ledgers[k], found[k]]) for k in found}
    ledgers = found
    metrics.write_arrays(path, ledgers)
    folder.event(job.workdir, 'ran', phase=name, num_seeds=len(chunk), **took)
    seconds += took['seconds']
    num = len(ledgers['rows'])
    show(num, (num - done) / max(seconds, 1e-9), {})
  return ledgers


def execute(job: phases.Job) -> dict[str, Any]:
  """Run the study, or continue where it was stopped, and write its tables.

  Args:
    job: from `prepare`.

  Returns:
    What results.json holds, see `study_tables.write`.
  """
  with folder.work(job.workdir, job.config):
    compiled = {}
    ledgers = {
      name: _run(job, name, compiled) for name in job.config['strategies']
    }
    return study_tables.write(job, ledgers)


def study(config: Any, workdir: str | pathlib.Path) -> dict[str, Any]:
  """Run the study that a config describes, or continue it.

  Args:
    config: a `ConfigDict` or nested dicts, see the head of this file.
    workdir: its folder; new, empty, or of the same config.

  Returns:
    As `execute`.

  Raises:
    ValueError: for whatever a user can have got wrong, before any work.
  """
  return execute(prepare(config, workdir))
