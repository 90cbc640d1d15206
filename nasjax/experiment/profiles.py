"""How long the architectures of a space take here, and tables of it.

  profile(config, workdir)

is all that `experiments.profile` does. Sections of a config:

  space    the architectures
  network  `init(key, arch, x)` and `apply(variables, arch, x, train)`

and the plain values of `SCALARS`. Architectures are compiled and timed
(`estimators.latency`), each by a program of its own; where `num_switched` is
given, so many also by one program with switches. A look-up table is then fitted
to architectures that are one option apart, and compared with both. To see what
a single measurement is worth, all programs are timed again, in another order.

The folder then holds, besides what `folder.py` says: `latencies.jsonl` (what
was measured, see `latencies.py`; nothing in it is measured again),
`profile.csv` (an architecture a row), `table.csv` (milliseconds of every
option), `results.json` and `report.html`. Latencies are of the machine, so one
folder belongs to one machine.
"""

from collections.abc import Mapping
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive
from nasjax.estimators import latency
from nasjax.experiment import (
  build,
  export,
  folder,
  latencies,
  metrics,
  names,
  phases,
  profile_tables,
  settings,
)
from nasjax.types import Arch, Space

SCALARS = {
  'seed': (int, 0),  # of the architectures
  'network_name': (str, None),  # of network and input, in latencies.jsonl
  'num_children': (int, 100),  # architectures with programs of their own
  'num_switched': (int, None),  # architectures that one program runs, if any
  'max_compiles': (int, 200),  # more are refused before any is compiled
  'num_rounds': (int, 20),  # timings of each program
  'batch_size': (int, 1),  # images
}
SECTIONS = ('space', 'network')
FILE = 'latencies.jsonl'


def draw(space: Space, num: int, seed: int) -> list[Arch]:
  """Return distinct random architectures, index choices on the host.

  Args:
    space: the space.
    num: how many; all there are where they are fewer.
    seed: of the draw; a smaller number gives the first of a larger.

  Returns:
    The architectures.
  """
  if space.index is not None and space.size is not None:
    order = np.random.default_rng(seed).permutation(space.size)[:num]
    drawn = jax.jit(jax.vmap(space.index))(jnp.asarray(order))
  else:
    keys = jax.random.split(jax.random.key(seed), 2 * num)
    drawn = jax.jit(jax.vmap(space.sample))(keys)
    rows = np.flatnonzero(archive.first_of_equals(drawn))[:num]
    drawn = jax.tree.map(lambda leaf: leaf[rows], drawn)
  drawn = jax.device_get(drawn)
  count = len(jax.tree.leaves(drawn)[0])
  return [export.at(drawn, i) for i in range(count)]


def check(config: Mapping[str, Any]) -> dict[str, Any]:
  """Check a config and fill in defaults, without building anything.

  Args:
    config: nested dicts.

  Returns:
    The resolved config.

  Raises:
    ValueError: for the first thing that is unknown, missing or of a wrong type.
  """
  known = (*SCALARS, *SECTIONS, 'input_shape')
  for key in config:
    if key not in known:
      raise names.unknown('config key', key, known)
  for key in (*SECTIONS, 'input_shape', 'network_name'):
    if not config.get(key):
      raise ValueError(f'The config has no {key!r}.')
  for key in SECTIONS:
    try:
      build.check(config[key], SECTIONS[: SECTIONS.index(key)])
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from error
  return settings.scalars(config, SCALARS) | {
    key: config[key] for key in (*SECTIONS, 'input_shape')
  }


def _check_archs(config, space):
  """Refuse what would say nothing, or would be refused after hours."""
  if np.sum(space.mask.get('resolution', 1)) > 1:
    raise ValueError(
      f'All networks are timed at input_shape {config["input_shape"]}, and '
      'those of the space have several resolutions: give it one.'
    )
  num_compiles = config['num_children']
  if not config['num_switched']:
    first = draw(space, 1, config['seed'])[0]
    num_compiles += len(latency.variants(space.mask, first))
  if num_compiles > config['max_compiles']:
    raise ValueError(
      f'{num_compiles} architectures would be compiled, at most max_compiles = '
      f'{config["max_compiles"]} may be: num_children is too large.'
    )


def prepare(config: Any, workdir: str | pathlib.Path) -> phases.Job:
  """Check a config and a folder and build its parts; nothing is written.

  Args:
    config: a `ConfigDict` or nested dicts, see the head of this file.
    workdir: the folder.

  Returns:
    The job.

  Raises:
    ValueError: for whatever a user can have got wrong.
  """
  config = check(settings.plain(config))
  workdir = pathlib.Path(workdir)
  folder.check(workdir, config)
  parts = build.build_sections(config, SECTIONS, {})
  shape = (config['batch_size'], *config['input_shape'])
  x = jax.random.normal(jax.random.key(0), shape)
  _check_archs(config, parts['space'])
  arch = parts['space'].sample(jax.random.key(0))
  try:
    jax.eval_shape(parts['network'].init, jax.random.key(0), arch, x)
  except (AssertionError, TypeError, ValueError) as error:
    raise ValueError(f'config.network: {error}') from error
  return phases.Job(config, workdir, parts | {'x': x})


def _measured(job):
  """Random architectures, those one option apart, and latencies by form."""
  config, network, x = job.config, job.parts['network'], job.parts['x']
  mask, num_switched = job.parts['space'].mask, config['num_switched']
  num = max(config['num_children'], num_switched or 0)
  archs = draw(job.parts['space'], num, config['seed'])
  children = archs[: config['num_children']]
  exchanged = latency.variants(mask, archs[0])
  compiled = {}  # programs that are timed again must be the same

  def compile_child(arch):
    name = metrics.dumps(export.to_json(arch))
    if name not in compiled:
      compiled[name] = latency.children(network, x, train=False)(arch)
    return compiled[name]

  @functools.cache
  def program():
    return latency.switched(network, x, archs[0], train=False)

  def timed(form, archs, compile_one, **options):
    return latencies.measure(
      job.workdir / FILE,
      latencies.setting(config['network_name'], form, x, children[-1]),
      archs,
      compile_one,
      children[-1],  # the anchor
      num_rounds=config['num_rounds'],
      **options,
    )

  def both(form, archs, compile_one, **options):
    # In one call: latencies of a form are in units of the same anchor.
    of_all = timed(form, [*exchanged, *archs], compile_one, **options)
    at = len(exchanged)
    return (
      latencies.Measured(*(x[rows] for x in of_all))
      for rows in (slice(at), slice(at, None))
    )

  of_children = dict(
    compile_one=compile_child,
    max_compiles=config['max_compiles'],
    block_size=len(exchanged) + len(children),
  )
  found = {'again': timed('child again', children, seed=1, **of_children)}
  if num_switched:
    found['child'] = timed('child', children, **of_children)
    found['exchanged'], found['switched'] = both(
      'switched', archs, lambda arch: program()(arch), block_size=128
    )
  else:
    found['exchanged'], found['child'] = both('child', children, **of_children)
  return archs, exchanged, found


def execute(job: phases.Job) -> dict[str, Any]:
  """Measure what is not measured yet, and write what came out.

  Args:
    job: from `prepare`.

  Returns:
    As `profile_tables.write`.
  """
  with folder.work(job.workdir, job.config):
    return profile_tables.write(job, *_measured(job))
