"""Scores a population of architectures with one or several proxies.

  score(config, workdir)

is all that the launcher does. Plain values of a config: see `SCALARS`. Its
sections, built in this order, each from those before it (see `build.py`):

  data        whatever the others refer to
  batch       `dict(image, label)`, the one batch that proxies look at
  space       the architectures
  network     the network of the proxies
  population  which architectures, see `population.py`
  describe    columns by name, as for a search: size, measured accuracies
  proxies     scores by name: factories of a `Proxy` or an `Estimator`

and `accuracies`: by column of `describe` what it is (data set, split, how many
trainings). The other columns are ranked beside the proxies; params and macs
must be among them. The folder then holds, besides what `folder.py` says:

  <proxy>/metrics.jsonl   raw values of every chunk
  scores.csv, scores.npz  every architecture, raw values and scores (higher is
                          better, failures -inf), all columns
  correlations.csv        see `correlation.py`
  results.json            the same, and what every proxy took
  report.html
"""

import pathlib
import sys
from typing import Any

import jax
import numpy as np

from nasjax.experiment import (
  build,
  chunks,
  correlation,
  folder,
  names,
  phases,
  score_tables,
  settings,
)

# name: (type, default or None where there is none)
SCALARS = {
  'seed': (int, 0),  # of the weights, and of whatever takes a seed
  'chunk_size': (int, 64),  # architectures in one call of a program
  'arch_batch_size': (int, None),  # of them in one vmap
  'fresh': (bool, False),  # whether every architecture has weights of its own
  'share': (float, 0.1),  # of the best, for precision
  'num_resamples': (int, 200),  # of a bootstrap
  'checkpoint_every': (int, 1),  # chunks
  'keep_checkpoints': (int, 2),
}
SECTIONS = (
  'data',
  'batch',
  'space',
  'network',
  'population',
  'describe',
  'proxies',
)
_REQUIRED = ('space', 'population', 'proxies')
_SIZES = ('params', 'macs')
_OF_FOLDER = ('plots',)


def check(config: dict[str, Any]) -> dict[str, Any]:
  """Check a whole config and fill in defaults, without building anything.

  Args:
    config: nested dicts.

  Returns:
    The resolved config.

  Raises:
    ValueError: for the first thing that is unknown, missing or of a wrong type.
  """
  known = (*SCALARS, *SECTIONS, 'accuracies')
  for key in config:
    if key not in known:
      raise names.unknown('config key', key, known)
  resolved = settings.scalars(config, SCALARS)
  if not 0 < resolved['share'] <= 1:
    raise ValueError(
      f'config.share must lie in (0, 1], got {resolved["share"]}.'
    )
  sections = {
    key: config[key] for key in SECTIONS if config.get(key) is not None
  }
  for key in _REQUIRED:
    if not sections.get(key):
      raise ValueError(f'The config has no section {key!r}.')
  parts = list(SCALARS)
  for key, section in sections.items():
    plural = key in ('describe', 'proxies')
    try:
      (build.check_values if plural else build.check)(section, parts)
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from None
    parts.append(key)
  sections['accuracies'] = dict(config.get('accuracies') or {})
  _check_columns(sections)
  return resolved | sections


def _check_columns(sections):
  """Names of columns are distinct, and every accuracy has sizes beside it."""
  described, accuracies = sections.get('describe', {}), sections['accuracies']
  for name in sections['proxies']:
    if name in described or name in _OF_FOLDER or not name.isidentifier():
      raise ValueError(
        f'config.proxies: {name!r} is no name for a score: an identifier that '
        f'is no column of config.describe ({", ".join(described)}) and not '
        f'{", ".join(_OF_FOLDER)}.'
      )
  for column in accuracies:
    if column not in described:
      raise names.unknown('column in config.accuracies:', column, described)
  missing = [name for name in _SIZES if name not in described]
  if accuracies and missing:
    raise ValueError(
      'Scores are compared with the size of networks: config.describe needs '
      f'{" and ".join(missing)} where there are config.accuracies.'
    )


def _make_parts(config):
  """All parts, each mistake with the section that it is in."""
  parts = {key: config[key] for key in SCALARS}
  for key in SECTIONS:
    if key in config and key != 'proxies':
      make = build.build_values if key == 'describe' else build.build
      try:
        parts[key] = make(config[key], **parts)
      except ValueError as error:
        raise ValueError(f'config.{key}: {error}') from error
  return parts


def prepare(config: Any, workdir: str | pathlib.Path) -> phases.Job:
  """Check a config and a folder, build and trace all; nothing is written.

  Args:
    config: a `ConfigDict` or nested dicts, see the head of this file.
    workdir: the run folder.

  Returns:
    The job.

  Raises:
    ValueError: for whatever a user can have got wrong.
  """
  config = check(settings.plain(config))
  workdir = pathlib.Path(workdir)
  folder.check(workdir, config)
  parts = _make_parts(config)
  archs = parts['population']
  size = min(config['chunk_size'], len(archs.scored))
  parts['arch'] = parts['space'].sample(jax.random.key(0))
  parts |= {'proxies': {}, 'programs': {}}
  for name, section in config['proxies'].items():
    try:
      made = build.build_values({name: section}, **parts)[name]
      proxy = chunks.as_proxy(made)
      run = chunks.program(proxy, config['fresh'], config['arch_batch_size'])
      chunks.trace(proxy, run, config['fresh'], archs, size, parts['arch'])
    except (TypeError, ValueError) as error:
      raise ValueError(f'config.proxies.{name}: {error}') from error
    parts['proxies'][name], parts['programs'][name] = proxy, run
  return phases.Job(config, workdir, parts)


def _outcome(job):
  """All scores, then the tables made of them."""
  raw = {
    name: chunks.score(
      name,
      proxy,
      job.parts['programs'][name],
      jax.random.key(job.config['seed']),
      job.parts['population'],
      job.parts['arch'],
      job.workdir,
      job.config,
    )
    for name, proxy in job.parts['proxies'].items()
  }
  oriented = {
    name: np.where(np.isfinite(values), proxy.sign * values, -np.inf)
    for (name, values), proxy in zip(raw.items(), job.parts['proxies'].values())
  }
  described = score_tables.describe(job)
  score_tables.write_scores(job, raw, oriented, described)
  accuracies = job.config['accuracies']
  options = correlation.Options(
    share=job.config['share'],
    num_resamples=job.config['num_resamples'],
    seed=job.config['seed'],
  )
  columns = oriented | {
    name: values for name, values in described.items() if name not in accuracies
  }
  rows = correlation.table(
    columns, {name: described[name] for name in accuracies}, options
  )
  return score_tables.write_results(job, raw, rows, options)


def execute(job: phases.Job) -> dict[str, Any]:
  """Score all, or continue where that was stopped, and write the tables.

  Args:
    job: from `prepare`.

  Returns:
    What results.json holds: population, num, num_scored, accuracies, caption,
    'correlations' and 'proxies', one row each.
  """
  with folder.claim(job.workdir, job.config) as resumed:
    if resumed:
      print(f'Continuing the run in {job.workdir}.', file=sys.stderr)
    folder.event(job.workdir, 'started')
    try:
      outcome = _outcome(job)
    except Exception as error:
      folder.event(job.workdir, 'failed', message=str(error))
      raise
    folder.event(job.workdir, 'finished')
  return outcome


def score(config: Any, workdir: str | pathlib.Path) -> dict[str, Any]:
  """Score the population that a config describes, or continue.

  Args:
    config: a `ConfigDict` or nested dicts, see the head of this file.
    workdir: the run folder; new, empty, or of the same config.

  Returns:
    As `execute`.

  Raises:
    ValueError: for whatever a user can have got wrong, before any work.
  """
  return execute(prepare(config, workdir))
