"""What the launchers share: flags, JAX in time, mistakes without noise."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import os
import pathlib
import re
import sys
from typing import Any, NamedTuple

from absl import app, flags, logging
import jax
from ml_collections import config_flags

from nasjax import batching
from nasjax.experiment import (
  checkpoint,
  folder,
  loop,
  metrics,
  names,
  phases,
  results,
  status,
)
from nasjax.experiment import job as job_lib

_DEVICE_FLAG = '--xla_force_host_platform_device_count'
CACHE_DIR = '~/.cache/nasjax/xla'

# Flags belong to the launcher that asks for them: its --help shows them.
flags.disclaim_key_flags()


class Flags(NamedTuple):
  """What a launcher of jobs is told."""

  config: flags.FlagHolder
  workdir: flags.FlagHolder
  cache_dir: flags.FlagHolder
  status: flags.FlagHolder | None  # None where there is no such flag


def define_flags(has_status: bool = True) -> Flags:
  """Define the flags of a launcher of jobs; call it where modules are loaded.

  Args:
    has_status: whether the launcher tells how a run is doing; the config may
      then be left out.

  Returns:
    Holders of their values, which are known when the program runs.
  """
  given = Flags(
    config_flags.DEFINE_config_file(
      'config',
      None,
      'A file with get_config(); options after a colon.',
      # What the file leaves out may be given; `prepare` names what is unknown.
      lock_config=False,
      accept_new_attributes=True,
    ),
    flags.DEFINE_string(
      'workdir', None, 'The run folder: new, empty, or of the same config.'
    ),
    flags.DEFINE_string(
      'cache_dir',
      None,
      "Folder for compiled programs, '' for none (default: "
      f'$JAX_COMPILATION_CACHE_DIR or {CACHE_DIR}).',
    ),
    flags.DEFINE_bool(
      'status', False, 'Say how the run in the folder is doing, and end.'
    )
    if has_status
    else None,
  )
  flags.mark_flags_as_required(['workdir'] + ['config'] * (not has_status))
  return given


def run(
  given: Flags,
  prepare: Callable[[Any, str], Any],
  finish: Callable[[Any], None],
) -> None:
  """Be the program: do what the command line says.

  Args:
    given: from `define_flags`.
    prepare: `(config, workdir) -> job`, whose ValueErrors are mistakes of the
      user.
    finish: runs the job and prints its results.
  """

  def main(argv):
    del argv  # `launch.parse_flags` lets nothing through.
    with clear_errors():
      if given.status is not None and given.status.value:
        print(status.status(given.workdir.value))
        return
      if given.config.value is None:
        raise app.UsageError('Flag --config is needed.')
      set_up_jax(given.cache_dir.value)
      job = prepare(given.config.value, given.workdir.value)
    finish(job)

  app.run(main, flags_parser=parse_flags)


def set_up_jax(cache_dir: str | None = None) -> None:
  """Give JAX one CPU device a core and a folder for compiled programs.

  Also silences the libraries that log every file they write.

  It must come before the first computation. `XLA_FLAGS` that name a number of
  devices are respected, and so is `JAX_COMPILATION_CACHE_DIR`. XLA gets more
  threads than devices, see `batching.num_threads`.

  Args:
    cache_dir: folder for compiled programs; '' for none.
  """
  logging.set_verbosity(logging.WARNING)
  given = os.environ.get('XLA_FLAGS', '')
  named = re.search(f'{_DEVICE_FLAG}=(\\d+)', given)
  num_devices = int(named[1]) if named else batching.num_cores()
  if not named:
    os.environ['XLA_FLAGS'] = f'{given} {_DEVICE_FLAG}={num_devices}'.strip()
  if batching.num_threads() <= num_devices:
    os.environ[batching.THREADS] = str(num_devices + 1)
  if cache_dir is None:
    cache_dir = os.environ.get('JAX_COMPILATION_CACHE_DIR', CACHE_DIR)
  if cache_dir:
    jax.config.update(
      'jax_compilation_cache_dir', str(pathlib.Path(cache_dir).expanduser())
    )
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.3)


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
  """Turn a user's mistake into a message and exit status 1."""
  try:
    yield
  except ValueError as error:
    print(f'Error: {error}', file=sys.stderr)
    sys.exit(1)
  except OSError as error:  # a config that does not exist, among others
    print(f'Error: {_ends(str(error))}', file=sys.stderr)
    sys.exit(1)


def _ends(text):
  """The first and the last line of a text that may hold a whole traceback."""
  first, last = text.splitlines()[0].strip(), text.splitlines()[-1].strip()
  return first if first == last else f'{first} {last}'


def parse_flags(argv: Sequence[str]) -> list[str]:
  """Parse the command line; a mistake in it is a message and exit status 1.

  Args:
    argv: the command line.

  Returns:
    The name of the program.
  """
  try:
    if left := flags.FLAGS(list(argv))[1:]:
      raise flags.Error(f'Unexpected arguments: {" ".join(left)}')
    return [argv[0]]
  except (flags.Error, AttributeError, KeyError, OSError, TypeError) as error:
    # Errors in a config file come with the whole traceback as their text, and
    # unknown keys as the text of one error in another.
    text = str(error).replace('\\n', ' ').replace("\\'", "'").strip()
    text = text[1:-1] if text[0] == text[-1] == "'" else text
    if isinstance(error, KeyError):
      text = f'Unknown config key {text}'
    print(f'Error: {_ends(text)}', file=sys.stderr)
    sys.exit(1)


@contextlib.contextmanager
def clear_refusals() -> Iterator[None]:
  """Turn what ends a run that is no bug into a message and exit status 1."""
  try:
    yield
  except (loop.Diverged, folder.FolderError, checkpoint.CheckpointError) as e:
    print(f'Error: {e}', file=sys.stderr)
    sys.exit(1)


def finish(job: phases.Job) -> None:
  """Run a prepared job and print its results.

  Args:
    job: from `job.prepare`.
  """
  with clear_refusals():
    outcome = job_lib.execute(job)
  print(results.text(outcome['rows'], outcome['summary']))
  times = ', '.join(
    f'{phase} {seconds:.0f} s'
    for phase, _, seconds in metrics.times(job.workdir)
  )
  print(f'\nTime, compilation included: {times}')
  print(f'Report: {job.workdir / "report.html"}')


def override(config: Any, name: str, value: Any) -> None:
  """Set a value of a config by its dotted name.

  Args:
    config: a `ConfigDict` or nested dicts.
    name: such as 'search.population'.
    value: of the type that is there.

  Raises:
    ValueError: if there is no such key.
  """
  *path, last = name.split('.')
  for key in path:
    if key not in config:
      raise names.unknown(f'config key in {name!r}:', key, list(config))
    config = config[key]
  if last not in config:
    raise names.unknown(f'config key in {name!r}:', last, list(config))
  config[last] = value


def apply_sweep(
  config: Any, points: Sequence[Mapping[str, Any]], index: int
) -> None:
  """Apply one point of a sweep to a config.

  Args:
    config: a `ConfigDict`.
    points: dicts of values by dotted name, what `sweep()` of a config returns.
    index: which of them.

  Raises:
    ValueError: if there is no such point or key.
  """
  if not 0 <= index < len(points):
    raise ValueError(
      f'--sweep_index={index}: the sweep has {len(points)} points, '
      f'0 to {len(points) - 1}.'
    )
  for name, value in points[index].items():
    override(config, name, value)
