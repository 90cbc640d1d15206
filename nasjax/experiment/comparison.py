"""Searches of one family compared, as one study: found networks beside random.

  compare(config, workdir)

is all that the launcher does. A config has the plain values and sections of a
job (see `settings`), without `search`, which all methods share, and

  methods    by name: sections and plain values of its own, `search` among them,
             in the place of the shared ones
  random     by name: `num` architectures drawn from `space`, or from the
             shared one
  baselines  by method, which of `random` it is compared with: by default the
             first
  reference  the method that plots show beside every other: by default the
             first
  form       `(arch) -> arch`, into the form that all networks have in common,
             `separate_cells.unshared` say
  describe, evaluation   as in a job, of architectures in that form

`network` is that of the cells that are compared (its operations and number of
cells), `snapshot` that of `mixtures`, whose weights become shares of skips. The
folder then holds `results.csv` (a row a network), `comparison.csv` (a row a
method or random group), `curves.csv` (shares of skip connections over the
search), `results.json` and `report.html`.

Every method is a job in a folder of its own below that of the study, its
searches those of the job's loop; then all found and random networks are trained
as one population, in one program. Stopped at any moment, the same call
continues from the last checkpoint. A method whose training diverges in all of
its seeds is reported so, and the others go on.
"""

import pathlib
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax.experiment import (
  build,
  columns,
  comparison_records,
  comparison_report,
  comparison_settings,
  comparison_tables,
  export,
  folder,
  loop,
  phases,
  settings,
  status,
)
from nasjax.experiment import job as job_lib
from nasjax.types import Arch

_BEFORE_METHODS = ('data', 'space', 'describe')


class Study(NamedTuple):
  """Everything that was checked and built before the first step."""

  job: phases.Job  # of the study: its evaluation
  methods: dict[str, phases.Job | None]  # None where it is done
  spaces: dict[str, Any]  # of methods and of random architectures


def _is_done(workdir):
  return (workdir / 'config.json').is_file() and (
    status.read(workdir)['state'] == 'finished'
  )


def _parts(config):
  """What the evaluation needs."""
  scalars = {key: config[key] for key in settings.SCALARS}
  parts = build.build_sections(config, _BEFORE_METHODS, scalars)
  form = config.get('form')
  parts['form'] = build.build(form, **parts) if form else lambda arch: arch
  return parts


def _spaces(config, shared):
  """The space of every method and of every group of random architectures."""
  found = {}
  for group in ('methods', 'random'):
    for name, section in config[group].items():
      own = section.get('space')
      found[name] = shared if own is None else build.build(own)
  return found


def _trace(job, spaces):
  """Trace the evaluation: its networks are checked before any search."""
  if 'evaluation' not in job.config:
    return
  key = jax.random.key(0)
  try:
    arch = jax.jit(
      lambda key: job.parts['form'](next(iter(spaces)).sample(key))
    )(key)
    training, *_ = phases.build_evaluation(
      job,
      jax.tree.map(lambda leaf: leaf[None], arch),
      [{'name': 'random', 'seed': 0, 'repeat': 0}],
      job.config['evaluation'],
    )
    jax.eval_shape(training.init, key)
  except (TypeError, ValueError) as error:
    raise ValueError(f'config.evaluation: {error}') from error


def prepare(config: Any, workdir: str | pathlib.Path) -> Study:
  """Check a config and a folder, build and trace all; nothing is written.

  Args:
    config: a `ConfigDict` or nested dicts, see the head of this file.
    workdir: the folder of the study.

  Returns:
    The study.

  Raises:
    ValueError: for whatever a user can have got wrong.
  """
  config = comparison_settings.check(settings.plain(config))
  workdir = pathlib.Path(workdir)
  folder.check(workdir, config)
  job = phases.Job(config, workdir, _parts(config))
  spaces = _spaces(config, job.parts['space'])
  _trace(job, spaces.values())
  methods = {}
  for name in config['methods']:
    methods[name] = None
    if not _is_done(workdir / name):
      try:
        methods[name] = job_lib.prepare(
          comparison_settings.method(config, name), workdir / name
        )
      except folder.FolderError:
        raise
      except ValueError as error:
        raise ValueError(f'config.methods.{name}: {error}') from error
  return Study(job, methods, spaces)


def _search(study, name):
  """What every seed of a method found, in the common form; None if nothing."""
  job, workdir = study.methods[name], study.job.workdir
  directory = workdir / name
  if job is not None:
    folder.event(workdir, 'phase', phase=f'{name}/search')
    print(name, file=sys.stderr)
    try:
      with folder.work(directory, job.config):
        phases.search(job)
    except loop.Diverged as error:
      print(f'{name} found nothing: {error}', file=sys.stderr)
      return None
    jax.clear_caches()  # no later method runs these programs
  space = study.spaces[name]
  template = space.sample(jax.random.key(0))
  found = export.read(directory / 'best' / 'search.json', template)
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)


def _draw(study, number, name):
  """The random architectures of a group."""
  job, space = study.job, study.spaces[name]
  key = jax.random.key(job.config['seed'])
  # Methods use the same key for other things: a stream of its own.
  key = jax.random.fold_in(jax.random.fold_in(key, 1), number)
  keys = jax.random.split(key, job.config['random'][name]['num'])
  return jax.jit(jax.vmap(space.sample))(keys)


def _contenders(study) -> tuple[Arch, list[dict[str, Any]]]:
  """All architectures in the common form, and their names and seeds."""
  groups = {name: _search(study, name) for name in study.methods}
  for number, name in enumerate(study.job.config['random']):
    groups[name] = _draw(study, number, name)
  form = jax.jit(jax.vmap(study.job.parts['form']))
  archs = {name: form(of) for name, of in groups.items() if of is not None}
  rows = [
    {'name': name, 'seed': seed}
    for name, of in archs.items()
    for seed in range(jax.tree.leaves(of)[0].shape[0])
  ]
  return jax.tree.map(lambda *x: jnp.concatenate(x), *archs.values()), rows


def execute(study: Study) -> dict[str, Any]:
  """Run the study, or continue where it was stopped, and write its tables.

  Args:
    study: from `prepare`.

  Returns:
    What results.json holds, see `comparison_tables.write`.
  """
  job = study.job
  with folder.work(job.workdir, job.config):
    archs, rows = _contenders(study)
    described = columns.describe(job, archs, rows)
    if 'evaluation' in job.config:
      options, _ = settings.split_evaluation(job.config['evaluation'])
      trained = phases.evaluate(job, archs, rows, job.config['evaluation'])
      described = [
        described[i // options['num_repeats']] | row
        for i, row in enumerate(trained)
      ]
    found = {row['name'] for row in rows}
    records = {
      name: comparison_records.read(
        job.workdir / name, job.config['num_seeds'], job.config['network']
      )
      for name in study.methods
      if name in found
    }
    outcome = comparison_tables.write(job, described, records)
    comparison_report.write(job.workdir, job.config, outcome, records)
  return outcome


def compare(config: Any, workdir: str | pathlib.Path) -> dict[str, Any]:
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
