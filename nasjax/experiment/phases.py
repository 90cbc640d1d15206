"""The phases of a job, each a `Search` in a loop and a folder of its own."""

import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax.experiment import (
  build,
  export,
  feasible,
  folder,
  loop,
  metrics,
  settings,
)
from nasjax.searches import run as runs
from nasjax.types import Arch, Search

Row = dict[str, Any]


class Job(NamedTuple):
  """Everything that was checked and built before the first step."""

  config: dict[str, Any]
  workdir: pathlib.Path
  parts: dict[str, Any]


def _keys(config):
  """One key for each use of randomness outside of the phases."""
  names = ('search', 'best', 'random', 'evaluate', 'final')
  return dict(
    zip(names, jax.random.split(jax.random.key(config['seed']), len(names)))
  )


def _options(config, **changes):
  return loop.Options(
    **{key: config[key] for key in loop.Options._fields} | changes
  )


def _arch_params(state):
  """The default snapshot: architecture parameters, one array a group."""
  leaves = jax.tree_util.tree_leaves_with_path(state.arch_params)
  return {
    jax.tree_util.keystr(path, simple=True, separator='.') or 'alphas': x
    for path, x in leaves
  }


def _snapshot(parts, search, key):
  if parts.get('snapshot') is not None:
    return parts['snapshot']
  state = jax.eval_shape(search.init, key)
  return _arch_params if hasattr(state, 'arch_params') else None


def search(job: Job) -> Arch:
  """Run the search and export what it finds at every checkpoint.

  Args:
    job: the job.

  Returns:
    What every seed found, pytree of `[S, ...]`.

  Raises:
    loop.Diverged: if the training loss is not finite.
  """
  config, keys = job.config, _keys(job.config)
  num_seeds, method = config['num_seeds'], job.parts['search']
  if num_seeds > 1:
    method = runs.replicate(method, num_seeds, config['seed_batch_size'])
  best = jax.jit(method.best)
  restrict = lambda *found: found
  if config['where'] is not None:
    holds = feasible.condition(config['where'], job.parts['describe'])
    restrict = jax.jit(lambda *found: feasible.restrict(holds, *found))

  def found(state):
    archs = best(keys['best'], state)
    if num_seeds == 1:
      archs, state = jax.tree.map(lambda x: x[None], (archs, state))
    return restrict(archs, state)

  def visit(step, state):
    del step
    export.write(
      job.workdir / 'best' / 'search.json',
      export.result(*found(state), num_seeds, config['top_k']),
    )

  folder.event(job.workdir, 'phase', phase='search')
  state = loop.loop(
    keys['search'],
    method,
    job.parts.get('batches'),
    config['num_steps'],
    job.workdir / 'search',
    _options(config),
    _snapshot(job.parts, method, keys['search']),
    visit=visit,
  )
  visit(config['num_steps'], state)
  return found(state)[0]


def contenders(job: Job, found: Arch) -> tuple[Arch, list[Row]]:
  """Add random architectures to the found ones.

  Args:
    job: the job.
    found: pytree of `[S, ...]`.

  Returns:
    All architectures `[B, ...]`, and their B rows of name and seed.
  """
  num_found = jax.tree.leaves(found)[0].shape[0]
  rows = [{'name': 'found', 'seed': seed} for seed in range(num_found)]
  num_random = job.config['num_random']
  if num_random == 0:
    return found, rows
  keys = jax.random.split(_keys(job.config)['random'], num_random)
  drawn = jax.jit(jax.vmap(job.parts['space'].sample))(keys)
  archs = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), found, drawn)
  return archs, rows + [
    {'name': 'random', 'seed': seed} for seed in range(num_random)
  ]


def build_evaluation(job: Job, archs: Arch, rows: list[Row]) -> tuple:
  """Build the training of some architectures.

  Args:
    job: the job.
    archs: pytree of `[B, ...]`.
    rows: B dicts of name, seed and repeat.

  Returns:
    The search, its `final` or None, and its batches or None.

  Raises:
    ValueError: if the section does not fit the architectures.
  """
  options, section = settings.split_evaluation(job.config['evaluation'])
  parts = job.parts | {
    'num_steps': options['num_steps'],
    'archs': archs,
    'rows': rows,
  }
  built = build.build(section, **parts)
  search, final = (built, None) if isinstance(built, Search) else built
  batches = (
    job.parts.get('batches')
    if options['batches'] is None
    else build.build(options['batches'], **parts)
  )
  return search, final, batches


def evaluate(job: Job, archs: Arch, rows: list[Row]) -> list[Row]:
  """Train all contenders, each `num_repeats` times, as one population.

  Args:
    job: the job.
    archs: pytree of `[B, ...]`.
    rows: B dicts of name and seed.

  Returns:
    B * num_repeats rows, with the numbers of each network.

  Raises:
    ValueError: if the section does not fit the architectures.
    loop.Diverged: if the training loss of no network is finite.
  """
  options, _ = settings.split_evaluation(job.config['evaluation'])
  repeats, keys = options['num_repeats'], _keys(job.config)
  archs = jax.tree.map(lambda x: jnp.repeat(x, repeats, axis=0), archs)
  rows = [dict(row, repeat=i) for row in rows for i in range(repeats)]
  search, final, batches = build_evaluation(job, archs, rows)
  folder.event(job.workdir, 'phase', phase='evaluate')
  directory = job.workdir / 'evaluate'
  state = loop.loop(
    keys['evaluate'],
    search,
    batches,
    options['num_steps'],
    directory,
    _options(job.config, checkpoint_every=None, eval_every=None),
  )
  last = metrics.read(directory / 'metrics.jsonl', last=1)[-1]
  numbers = (
    metrics.per_row(last, len(rows))
    if final is None
    else metrics.per_row(
      jax.device_get(jax.jit(final)(keys['final'], state)), len(rows)
    )
  )
  return [
    row | {key: value[i] for key, value in numbers.items()}
    for i, row in enumerate(rows)
  ]
