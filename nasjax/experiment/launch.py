"""What the launchers share: JAX set up in time, mistakes without noise."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import os
import pathlib
import sys
from typing import Any

from absl import flags, logging
import jax

from nasjax.experiment import (
  checkpoint,
  folder,
  loop,
  metrics,
  names,
  phases,
  results,
)
from nasjax.experiment import job as job_lib

_DEVICE_FLAG = '--xla_force_host_platform_device_count'
CACHE_DIR = '~/.cache/nasjax/xla'


def set_up_jax(cache_dir: str | None = None) -> None:
  """Give JAX one CPU device a core and a folder for compiled programs.

  Also silences the libraries that log every file they write.

  It must come before the first computation. `XLA_FLAGS` that name a number of
  devices are respected, and so is `JAX_COMPILATION_CACHE_DIR`.

  Args:
    cache_dir: folder for compiled programs; '' for none.
  """
  logging.set_verbosity(logging.WARNING)
  given = os.environ.get('XLA_FLAGS', '')
  if _DEVICE_FLAG not in given:
    os.environ['XLA_FLAGS'] = f'{given} {_DEVICE_FLAG}={os.cpu_count()}'.strip()
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
    What is left of it.
  """
  try:
    return flags.FLAGS(list(argv))
  except (flags.Error, AttributeError, KeyError, OSError, TypeError) as error:
    # Errors in a config file come with the whole traceback as their text, and
    # unknown keys as the text of one error in another.
    text = str(error).replace('\\n', ' ').replace("\\'", "'").strip()
    if text[0] == text[-1] == "'":
      text = text[1:-1]
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
