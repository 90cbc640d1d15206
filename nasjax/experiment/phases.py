"""The phases of a job, each a `Search` in a loop and a folder of its own."""

from collections.abc import Mapping
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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


def method(job: Job) -> Search:
  """Return the search that the loop runs: all seeds of the method as one.

  Args:
    job: the job.

  Returns:
    The search; with several seeds all that it gives has a leading axis.
  """
  config = job.config
  if config['num_seeds'] == 1:
    return job.parts['search']
  return runs.replicate(
    job.parts['search'], config['num_seeds'], config['seed_batch_size']
  )


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
  num_seeds, replicated = config['num_seeds'], method(job)
  best = jax.jit(replicated.best)
  restrict = feasible.restriction(config['where'], job.parts.get('describe'))

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
    replicated,
    job.parts.get('batches'),
    config['num_steps'],
    job.workdir / 'search',
    _options(config),
    _snapshot(job.parts, replicated, keys['search']),
    visit=visit,
  )
  visit(config['num_steps'], state)
  return found(state)[0]


def contenders(job: Job, found: Arch) -> tuple[Arch, list[Row]]:
  """Add random architectures and the references to the found ones.

  Args:
    job: the job.
    found: pytree of `[S, ...]`.

  Returns:
    All architectures `[B, ...]`, and their B rows of name and seed.
  """
  num_found = jax.tree.leaves(found)[0].shape[0]
  rows = [{'name': 'found', 'seed': seed} for seed in range(num_found)]
  groups, num_random = [found], job.config['num_random']
  if num_random > 0:
    keys = jax.random.split(_keys(job.config)['random'], num_random)
    groups.append(jax.jit(jax.vmap(job.parts['space'].sample))(keys))
    rows += [{'name': 'random', 'seed': seed} for seed in range(num_random)]
  for name, arch in job.parts.get('references', {}).items():
    groups.append(jax.tree.map(lambda leaf: leaf[None], arch))
    rows.append({'name': name, 'seed': 0})
  # By way of the host: what a resumed search found is bound to one device.
  groups = jax.device_get(groups)
  return jax.tree.map(
    lambda *leaves: jnp.asarray(np.concatenate(leaves)), *groups
  ), rows


def build_evaluation(
  job: Job, archs: Arch, rows: list[Row], section: Mapping[str, Any]
) -> tuple:
  """Build the training of some architectures.

  Args:
    job: the job.
    archs: pytree of `[B, ...]`.
    rows: B dicts of name, seed and repeat.
    section: config.evaluation, or that of a baseline.

  Returns:
    The search, its `final` or None, and its batches or None.

  Raises:
    ValueError: if the section does not fit the architectures.
  """
  options, section = settings.split_evaluation(section)
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


def evaluate(
  job: Job,
  archs: Arch,
  rows: list[Row],
  section: Mapping[str, Any],
  phase: str = 'evaluate',
) -> list[Row]:
  """Train all contenders, each `num_repeats` times, as one population.

  Args:
    job: the job.
    archs: pytree of `[B, ...]`.
    rows: B dicts of name and seed.
    section: config.evaluation, or that of a baseline.
    phase: name of the phase and of its folder.

  Returns:
    B * num_repeats rows, with the numbers of each network.

  Raises:
    ValueError: if the section does not fit the architectures.
    loop.Diverged: if the training loss of no network is finite.
  """
  options, _ = settings.split_evaluation(section)
  repeats, keys = options['num_repeats'], _keys(job.config)
  archs = jax.tree.map(lambda x: jnp.repeat(x, repeats, axis=0), archs)
  rows = [dict(row, repeat=i) for row in rows for i in range(repeats)]
  search, final, batches = build_evaluation(job, archs, rows, section)
  folder.event(job.workdir, 'phase', phase=phase)
  directory = job.workdir / phase
  state = loop.loop(
    keys['evaluate'],
    search,
    batches,
    options['num_steps'],
    directory,
    _options(job.config, checkpoint_every=None, eval_every=None),
  )
  measured = (
    metrics.read(directory / 'metrics.jsonl', last=1)[-1]
    if final is None
    else jax.device_get(jax.jit(final)(keys['final'], state))
  )
  numbers = metrics.per_row(measured, len(rows))
  return [
    row | {key: value[i] for key, value in numbers.items()}
    for i, row in enumerate(rows)
  ]


def baselines(job: Job, archs: Arch) -> list[Row]:
  """Train the baselines of the evaluation, networks without choices.

  Args:
    job: the job.
    archs: pytree of `[B, ...]`; networks get the first one, and ignore it.

  Returns:
    A row for each of their trainings, numbered as seeds.
  """
  first, rows = jax.tree.map(lambda leaf: leaf[:1], archs), []
  for name, section in settings.baselines(job.config['evaluation']).items():
    found = evaluate(job, first, [{'name': name}], section, f'evaluate_{name}')
    rows += [dict(row, seed=row['repeat'], repeat=0) for row in found]
  return rows
