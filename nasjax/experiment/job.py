"""A whole job: search, training of what was found, results, report.

  run(config, workdir)

is all that the launchers do. Its phases are values of `Search` that run one
after the other in `loop`, each in a folder of its own:

  search     config.search, `num_seeds` times at once
             (not when config.spec names a file of architectures)
  evaluate   config.evaluation: one `Search` whose state is a population of
             networks, the found and `num_random` random ones

The factory of config.evaluation gets the parts and `archs` (index
architectures stacked [B, ...]), `rows` (B dicts of name, seed, repeat) and
`num_steps` as far as it has parameters of these names. It returns a `Search`,
or a pair `(search, final)` with `final: (key, state) -> {column: [B]}` for the
results table; without it the last metrics of shape [B] are the columns.
"""
import pathlib
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import batching
from nasjax.experiment import build
from nasjax.experiment import export
from nasjax.experiment import folder
from nasjax.experiment import loop
from nasjax.experiment import metrics
from nasjax.experiment import report
from nasjax.experiment import results
from nasjax.experiment import settings
from nasjax.searches import run as runs
from nasjax.types import Arch, Estimator, Search


class Job(NamedTuple):
  """Everything that was checked and built before the first step."""

  config: dict[str, Any]
  workdir: pathlib.Path
  parts: dict[str, Any]


def prepare(config: Any, workdir: str | pathlib.Path) -> Job:
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
  parts = {key: config[key] for key in settings.SCALARS}
  for key in settings.SECTIONS:
    if key in config and key != 'evaluation':
      try:
        make = build.build_values if key == 'describe' else build.build
        parts[key] = make(config[key], **parts)
      except ValueError as error:
        raise ValueError(f'config.{key}: {error}') from error
  if not isinstance(parts['search'], Search):
    raise ValueError(
        f'config.search: {config["search"]["name"]!r} makes a '
        f'{type(parts["search"]).__name__}, not a Search.')
  if config['spec'] is not None:
    template = parts['space'].sample(jax.random.key(0))
    specs = export.read(pathlib.Path(config['spec']), template)
    parts['archs'] = jax.tree.map(lambda *x: jnp.stack(x), *specs)
  return Job(config, workdir, parts)


def _keys(config):
  """One key for each use of randomness outside of the phases."""
  names = ('search', 'best', 'random', 'evaluate', 'final')
  return dict(zip(names, jax.random.split(
      jax.random.key(config['seed']), len(names))))


def _options(config, **changes):
  return loop.Options(**{
      key: config[key] for key in loop.Options._fields} | changes)


def _arch_params(state):
  """The default snapshot: architecture parameters, one array a group."""
  leaves = jax.tree_util.tree_leaves_with_path(state.arch_params)
  return {jax.tree_util.keystr(path, simple=True, separator='.') or 'alphas': x
          for path, x in leaves}


def _snapshot(parts, search, key):
  if parts.get('snapshot') is not None:
    return parts['snapshot']
  state = jax.eval_shape(search.init, key)
  return _arch_params if hasattr(state, 'arch_params') else None


def _search(job) -> Arch:
  """Run the search; return what was found, [S, ...]."""
  config, keys = job.config, _keys(job.config)
  num_seeds, search = config['num_seeds'], job.parts['search']
  if num_seeds > 1:
    search = runs.replicate(search, num_seeds, config['seed_batch_size'])
  best = jax.jit(search.best)

  def found(state):
    archs = best(keys['best'], state)
    if num_seeds > 1:
      return archs, state
    return jax.tree.map(lambda x: x[None], (archs, state))

  def visit(step, state):
    del step
    export.write(job.workdir / 'best' / 'search.json', export.result(
        *found(state), num_seeds, config['top_k']))

  folder.event(job.workdir, 'phase', phase='search')
  state = loop.loop(
      keys['search'], search, job.parts.get('batches'), config['num_steps'],
      job.workdir / 'search', _options(config),
      _snapshot(job.parts, search, keys['search']), visit=visit)
  visit(config['num_steps'], state)
  return found(state)[0]


def _contenders(job, found):
  """The found and the random architectures, with one row for each."""
  num_found = jax.tree.leaves(found)[0].shape[0]
  rows = [{'name': 'found', 'seed': seed} for seed in range(num_found)]
  num_random = job.config['num_random']
  if num_random == 0:
    return found, rows
  keys = jax.random.split(_keys(job.config)['random'], num_random)
  drawn = jax.jit(jax.vmap(job.parts['space'].sample))(keys)
  archs = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), found, drawn)
  return archs, rows + [
      {'name': 'random', 'seed': seed} for seed in range(num_random)]


def _per_row(row, num_rows):
  """The entries of a row of metrics that hold one number a network."""
  return {key: np.asarray(value) for key, value in row.items()
          if np.shape(value) == (num_rows,)}


def _evaluate(job, archs, rows):
  """Train all contenders as one population; return rows with its numbers."""
  options, section = settings.split_evaluation(job.config['evaluation'])
  repeats, keys = options['num_repeats'], _keys(job.config)
  archs = jax.tree.map(lambda x: jnp.repeat(x, repeats, axis=0), archs)
  rows = [dict(row, repeat=i) for row in rows for i in range(repeats)]
  parts = job.parts | {'num_steps': options['num_steps']}
  built = build.build(section, **parts, archs=archs, rows=rows)
  search, final = (built, None) if isinstance(built, Search) else built
  batches = job.parts.get('batches') if options['batches'] is None else (
      build.build(options['batches'], **parts))
  folder.event(job.workdir, 'phase', phase='evaluate')
  directory = job.workdir / 'evaluate'
  state = loop.loop(
      keys['evaluate'], search, batches, options['num_steps'], directory,
      _options(job.config, checkpoint_every=None, eval_every=None))
  last = metrics.read(directory / 'metrics.jsonl', last=1)[-1]
  numbers = _per_row(last, len(rows)) if final is None else _per_row(
      jax.device_get(jax.jit(final)(keys['final'], state)), len(rows))
  return [row | {key: value[i] for key, value in numbers.items()}
          for i, row in enumerate(rows)]


def _column(described):
  """The function `(arch) -> f32[]` of an entry of config.describe."""
  if not isinstance(described, Estimator):
    return described
  key = jax.random.key(0)
  return lambda arch: described.score(key, described.init(key), arch)


def _described(job, archs, rows):
  """Rows with the numbers of config.describe and the architecture itself."""
  columns = {}
  for name, described in job.parts.get('describe', {}).items():
    columns[name] = np.asarray(batching.map_archs(_column(described), archs))
    if columns[name].shape != (len(rows),):
      raise ValueError(
          f'config.describe.{name} must give one number an architecture, got '
          f'shape {columns[name].shape[1:]}.')
  return [
      row | {name: values[i] for name, values in columns.items()}
      | {'arch': export.to_json(export.at(archs, i))}
      for i, row in enumerate(rows)]


def _search_numbers(job, rows):
  """Rows of found architectures with the last metrics of their search."""
  last = metrics.read(job.workdir / 'search' / 'metrics.jsonl', last=1)[-1]
  del last['step']
  num_seeds = job.config['num_seeds']
  if num_seeds == 1:
    last = {key: [value] for key, value in last.items()}
  numbers = _per_row(last, num_seeds)
  return [
      row | {key: value[row['seed']] for key, value in numbers.items()}
      if row['name'] == 'found' else row for row in rows]


def _outcome(job):
  """All phases; the rows of the results table."""
  found = job.parts['archs'] if job.config['spec'] else _search(job)
  archs, rows = _contenders(job, found)
  described = _described(job, archs, rows)
  if 'evaluation' not in job.config:
    return described if 'describe' in job.config else (
        _search_numbers(job, described))
  repeats = settings.split_evaluation(job.config['evaluation'])[0][
      'num_repeats']
  return [described[i // repeats] | row
          for i, row in enumerate(_evaluate(job, archs, rows))]


def execute(job: Job) -> dict[str, Any]:
  """Run a prepared job, or continue it where it was stopped.

  Args:
    job: from `prepare`.

  Returns:
    Dict of 'rows' (one a network) and 'summary' (see `results.summarise`); the
    same as in results.json.

  Raises:
    loop.Diverged: if a training loss is not finite.
  """
  with folder.claim(job.workdir, job.config) as resumed:
    if resumed:
      print(f'Continuing the run in {job.workdir}.', file=sys.stderr)
    folder.event(job.workdir, 'started')
    try:
      rows = _outcome(job)
      summary = results.summarise(rows)
      results.write(job.workdir, rows, summary)
      report.write(job.workdir)
    except Exception as error:
      folder.event(job.workdir, 'failed', message=str(error))
      raise
    folder.event(job.workdir, 'finished')
  return {'rows': rows, 'summary': summary}


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
