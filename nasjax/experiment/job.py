"""A whole job: search, training of what was found, results, report.

  run(config, workdir)

is all that the launchers do. Its phases are values of `Search` that run one
after the other in `loop`, each in a folder of its own:

  search     config.search, `num_seeds` times at once
             (not when config.spec names a file of architectures)
  evaluate   config.evaluation: one `Search` whose state is a population of
             networks: the found, `num_random` random ones and the references;
             then each of its baselines, in a folder `evaluate_NAME`

The factory of config.evaluation gets the parts and `archs` (index
architectures stacked [B, ...]), `rows` (B dicts of name, seed, repeat) and
`num_steps` as far as it has parameters of these names. It returns a `Search`,
or a pair `(search, final)` with `final: (key, state) -> {column: [B]}` for the
results table; without it the last metrics of shape [B] are the columns.
"""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.experiment import (
  build,
  checkpoint,
  columns,
  export,
  folder,
  metrics,
  phases,
  report,
  results,
  settings,
)
from nasjax.searches import memory
from nasjax.types import Search


def _example(search):
  """An architecture of the form that is found, not always that of the space."""

  def best(key):
    return search.best(key, search.init(key))

  found = jax.eval_shape(best, jax.random.key(0))
  return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), found)


def _trace(job):
  """Trace the first states: networks are checked while nothing is lost yet.

  An evaluation comes after a long search, whose folder refuses another config.
  """
  key = jax.random.key(0)
  name = 'search'
  try:
    state = jax.eval_shape(job.parts['search'].init, key)
    store = getattr(state, 'found', None)
    if job.config['where'] and not isinstance(store, archive.Archive):
      raise ValueError(
        'config.where chooses from an archive of what was found, and this '
        'search keeps none.'
      )
    if 'evaluation' in job.config:
      name = 'evaluation'
      section = job.config['evaluation']
      arch = jax.tree.map(
        lambda leaf: leaf[None], _example(job.parts['search'])
      )
      for each in (section, *settings.baselines(section).values()):
        training, *_ = phases.build_evaluation(
          job, arch, [{'name': 'found', 'seed': 0, 'repeat': 0}], each
        )
        jax.eval_shape(training.init, key)
  except (TypeError, ValueError) as error:
    raise ValueError(f'config.{name}: {error}') from error


def _check_shapes(job):
  """Compare what networks are made for with the images of a first batch."""
  if job.parts.get('batches') is None:
    return
  batch = job.parts['batches'](jax.random.key(0), 0)
  shapes = [
    leaf.shape
    for path, leaf in jax.tree_util.tree_leaves_with_path(batch)
    if jax.tree_util.keystr(path, simple=True, separator='.').endswith('image')
  ]
  for name, value in folder.flatten(job.config).items():
    if not name.endswith('.input_shape'):
      continue
    # The last axes: a stack of batches has more than one before them.
    found = {shape[-len(value) :] for shape in shapes}
    if not found <= {tuple(value)}:
      raise ValueError(
        f'config.{name}: {tuple(value)}, but the images of the batches are of '
        f'shape {", ".join(map(str, sorted(found)))}.'
      )


def _references(specs, space):
  """The architectures that the config names."""
  template = space.sample(jax.random.key(0))
  archs = {}
  for name, spec in specs.items():
    try:
      archs[name] = export.from_json(export.to_json(spec), template)
      export.check_choices(archs[name], space.mask)
    except ValueError as error:
      raise ValueError(f'config.references.{name}: {error}') from error
  return archs


def _check_memory(job):
  """Compile the update of a search that has a budget, and compare."""
  limit = job.config['max_bytes']
  if limit is None or job.config['spec'] is not None:
    return
  batches = job.parts.get('batches')
  batch = None if batches is None else batches(jax.random.key(0), 0)
  try:
    memory.check(phases.method(job), batch, limit)
  except ValueError as error:
    raise ValueError(f'config.max_bytes: {error}') from error


def prepare(config: Any, workdir: str | pathlib.Path) -> phases.Job:
  """Check a config and a folder and build all parts; nothing is written.

  Args:
    config: see `settings`.
    workdir: the run folder.

  Returns:
    The job.

  Raises:
    ValueError: for whatever a user can have got wrong.
  """
  config = settings.check(settings.plain(config))
  workdir = pathlib.Path(workdir)
  folder.check(workdir, config)
  if config['tensorboard']:
    metrics.require_tensorboard()
  parts = build.build_sections(
    config,
    [key for key in settings.SECTIONS if key != 'evaluation'],
    {key: config[key] for key in settings.SCALARS},
  )
  if not isinstance(parts['search'], Search):
    raise ValueError(
      f'config.search: {config["search"]["name"]!r} makes a '
      f'{type(parts["search"]).__name__}, not a Search.'
    )
  if config['spec'] is not None:
    specs = export.read(pathlib.Path(config['spec']), _example(parts['search']))
    for spec in specs:
      export.check_choices(spec, parts['space'].mask)
    parts['archs'] = jax.tree.map(lambda *x: jnp.stack(x), *specs)
  if 'references' in config:
    parts['references'] = _references(config['references'], parts['space'])
  job = phases.Job(config, workdir, parts)
  _check_shapes(job)
  _trace(job)
  _check_memory(job)
  return job


def _outcome(job):
  """All phases; the rows of the results table."""
  found = job.parts['archs'] if job.config['spec'] else phases.search(job)
  archs, rows = phases.contenders(job, found)
  described = columns.describe(job, archs, rows)
  if 'evaluation' not in job.config:
    return (
      described
      if 'describe' in job.config
      else columns.search_metrics(job, described)
    )
  section = job.config['evaluation']
  repeats = settings.split_evaluation(section)[0]['num_repeats']
  return [
    described[i // repeats] | row
    for i, row in enumerate(phases.evaluate(job, archs, rows, section))
  ] + phases.baselines(job, archs)


def execute(job: phases.Job) -> dict[str, Any]:
  """Run a prepared job, or continue it where it was stopped.

  Args:
    job: from `prepare`.

  Returns:
    Dict of 'rows' (one a network) and 'summary' (see `results.summarise`); the
    same as in results.json.

  Raises:
    loop.Diverged: if a training loss is not finite.
  """
  with folder.work(job.workdir, job.config):
    rows = _outcome(job)
    summary = results.summarise(rows)
    results.write(job.workdir, rows, summary)
    report.write(job.workdir)
  return {'rows': rows, 'summary': summary}


def final_state(job: phases.Job) -> Any:
  """Return the state at the end of a search, of all seeds.

  Args:
    job: of a finished run.
  """
  template = jax.eval_shape(phases.method(job).init, jax.random.key(0))
  folder = job.workdir / 'search' / 'checkpoints'
  with checkpoint.manager(folder) as checkpoints:
    return checkpoint.restore(checkpoints, template)[1]


def run(config: Any, workdir: str | pathlib.Path) -> dict[str, Any]:
  """Run the whole job that a config describes, or continue it.

  Args:
    config: a `ConfigDict` or nested dicts, see `settings`.
    workdir: the run folder; new, empty, or of the same config.

  Returns:
    As `execute`.

  Raises:
    ValueError: for whatever a user can have got wrong, before any work.
    loop.Diverged: if a training loss is not finite.
  """
  return execute(prepare(config, workdir))
