"""Scores a population of architectures with one or several proxies.

  score(config, workdir)

is all that the launcher does. Plain values of a config: `score_settings`. Its
sections, built in this order, each from those before it (see `build.py`):

  data        whatever the others refer to
  batch       `dict(image, label)`, the one batch that proxies look at
  space       the architectures
  network     the network of the proxies
  population  which architectures, see `population.py`
  describe    columns by name, as for a search: size, measured accuracies
  proxies     scores by name: factories of a `Proxy`, an `Estimator`, or of a
              `Joint`, whose scores get the columns `<name>_<score>`

`assembled` lists, by name, the scores and columns that `ranking.assembled`
makes one score of; `accuracies` says, by column of `describe`, what it is (data
set, split, how many trainings). The other columns are ranked beside the
proxies; params and macs must be among them. The folder then holds, besides what
`folder.py` says:

  <section>/metrics.jsonl  raw values of every chunk
  scores.csv, scores.npz  every architecture, raw values and scores (higher is
                          better, failures -inf), all columns
  correlations.csv        see `correlation.py`
  results.json            the same, and what every proxy took
  report.html
"""

import pathlib
from typing import Any

import jax
import numpy as np
from scipy import stats

from nasjax.experiment import (
  build,
  chunks,
  correlation,
  folder,
  phases,
  score_settings,
  score_tables,
  settings,
)


def _make_parts(config):
  """All parts but the proxies, which are built one by one."""
  keys = [key for key in score_settings.SECTIONS if key != 'proxies']
  scalars = {key: config[key] for key in score_settings.SCALARS}
  return build.build_sections(config, keys, scalars)


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
  config = score_settings.check(settings.plain(config))
  workdir = pathlib.Path(workdir)
  folder.check(workdir, config)
  parts = _make_parts(config)
  archs = parts['population']
  size = min(config['chunk_size'], len(archs.scored))
  parts['arch'] = parts['space'].sample(jax.random.key(0))
  parts |= {'scores': {}, 'programs': {}}
  for name, section in config['proxies'].items():
    try:
      made = build.build_values({name: section}, **parts)[name]
      scores = chunks.as_joint(name, made)
      run = chunks.program(scores, config['fresh'], config['arch_batch_size'])
      chunks.trace(scores, run, config['fresh'], archs, size, parts['arch'])
    except (TypeError, ValueError) as error:
      raise ValueError(f'config.proxies.{name}: {error}') from error
    parts['scores'][name], parts['programs'][name] = scores, run
  score_settings.check_columns(config, parts['scores'])
  job = phases.Job(config, workdir, parts)
  parts['described'] = score_tables.describe(job)
  return job


def _assembled(job, oriented, described):
  """Scores made of others, `f64[N]` by name: `ranking.assembled` in N log N."""
  columns = {
    name: correlation.finite_or_worst(values)
    for name, values in (oriented | described).items()
  }
  return {
    name: sum(
      np.log(stats.rankdata(columns[member]) / len(columns[member]))
      for member in members
    )
    for name, members in job.config['assembled'].items()
  }


def _outcome(job):
  """All scores, then the tables made of them."""
  raw, oriented = {}, {}
  for section, scores in job.parts['scores'].items():
    found = chunks.score(
      section,
      scores,
      job.parts['programs'][section],
      jax.random.key(job.config['seed']),
      job.parts['population'],
      job.parts['arch'],
      job.workdir,
      job.config,
    )
    for name, values in found.items():
      sign = scores.proxies[name].sign
      raw[name] = values
      oriented[name] = np.where(np.isfinite(values), sign * values, -np.inf)
  described = job.parts['described']
  together = _assembled(job, oriented, described)
  raw, oriented = raw | together, oriented | together
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
  with folder.work(job.workdir, job.config):
    return _outcome(job)


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
