"""The folder of a run: whose it is, what made it, and who writes to it now.

  config.json       the resolved config; another config is refused
  environment.json  versions and devices
  events.jsonl      when phases started, ended or failed
  .lock             held by the process that runs

plus one folder a phase (see `loop.py`), `best/`, `plots/`, `results.json`,
`results.csv` and `report.html`.
"""

from collections.abc import Iterator, Mapping
import contextlib
import importlib.metadata
import os
import pathlib
import platform
import sys
import time
from typing import Any
import warnings

import jax

from nasjax.experiment import metrics

_PACKAGES = (
  'nasjax',
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'numpy',
  'scipy',
)
# Keys that say how a run is recorded, not what it computes.
_HARMLESS = ('checkpoint_every', 'keep_checkpoints', 'tensorboard')


class FolderError(ValueError):
  """A folder that this run may not or cannot use."""


def flatten(tree: Any, prefix: str = '') -> dict[str, Any]:
  """Return the leaves of nested dicts by dotted name."""
  if not isinstance(tree, Mapping):
    return {prefix: tree}
  leaves = {}
  for key, value in tree.items():
    leaves |= flatten(value, f'{prefix}.{key}' if prefix else str(key))
  return leaves


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """Return one line for every dotted key whose value differs.

  Args:
    old: nested dicts.
    new: nested dicts.

  Returns:
    Lines such as 'seed: 0 there, 1 here'; keys that do not change what is
    computed are left out.
  """
  old, new = flatten(old), flatten(new)
  absent = object()

  def show(value):
    return 'absent' if value is absent else repr(value)

  return [
    f'{key}: {show(old.get(key, absent))} there, '
    f'{show(new.get(key, absent))} here'
    for key in sorted(old.keys() | new.keys())
    if key.split('.')[0] not in _HARMLESS
    and old.get(key, absent) != new.get(key, absent)
  ]


def check(workdir: pathlib.Path, config: Mapping[str, Any]) -> bool:
  """Check that a run may use a folder; nothing is written.

  Args:
    workdir: the folder.
    config: the resolved config.

  Returns:
    Whether the folder already holds this run.

  Raises:
    FolderError: if it is a file, holds something else, or another config.
  """
  workdir = pathlib.Path(workdir)
  if not workdir.exists():
    return False
  if not workdir.is_dir():
    raise FolderError(f'workdir {workdir} is a file; a folder is needed.')
  if not (workdir / 'config.json').exists():
    # A process that was killed at once leaves its lock and environment only.
    if any(
      not item.name.startswith('.') and item.name != 'environment.json'
      for item in workdir.iterdir()
    ):
      raise FolderError(
        f'workdir {workdir} is not empty and holds no run (no config.json). '
        f'Choose a new or an empty folder.'
      )
    return False
  found = differences(
    metrics.read_json(workdir / 'config.json'),
    metrics.loads(metrics.dumps(config)),
  )
  if found:
    raise FolderError(
      f'workdir {workdir} holds a run of another config:\n  '
      + '\n  '.join(found)
      + '\nChoose another folder, or the same config to resume.'
    )
  return True


def environment() -> dict[str, Any]:
  """Describe what a run runs on, without naming a machine or a person.

  Returns:
    Versions of packages, the backend and its devices, as plain values.
  """
  versions = {}
  for package in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      versions[package] = importlib.metadata.version(package)
  devices = jax.local_devices()
  return {
    'versions': versions,
    'python': platform.python_version(),
    'system': f'{platform.system()} {platform.machine()}',
    'backend': jax.default_backend(),
    'device': devices[0].device_kind,
    'num_devices': len(devices),
    'num_cores': os.cpu_count(),
  }


@contextlib.contextmanager
def claim(workdir: pathlib.Path, config: Mapping[str, Any]) -> Iterator[bool]:
  """Hold the folder of a run: create it or continue it, alone.

  Args:
    workdir: the folder.
    config: the resolved config.

  Returns:
    A context whose value is whether the run continues an earlier one.

  Raises:
    FolderError: as `check`, or if the folder cannot be written or another
      process is running in it.
  """
  workdir = pathlib.Path(workdir)
  resumed = check(workdir, config)
  with contextlib.ExitStack() as stack:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      lock = stack.enter_context(open(workdir / '.lock', 'a'))
    except OSError as error:
      raise FolderError(
        f'workdir {workdir} cannot be written: {error.strerror}.'
      ) from None
    if not _lock(lock):
      raise FolderError(f'Another process is running in {workdir}.')
    here = environment()
    if resumed:
      found = differences(metrics.read_json(workdir / 'environment.json'), here)
      if found:
        warnings.warn(
          'The run continues in another environment, its numbers may differ '
          'in the last bits:\n  ' + '\n  '.join(found),
          stacklevel=3,
        )
    else:
      metrics.write_json(workdir / 'environment.json', here)
      # Last: a folder with a config is a folder that can be resumed.
      metrics.write_json(workdir / 'config.json', config)
    yield resumed


@contextlib.contextmanager
def work(workdir: pathlib.Path, config: Mapping[str, Any]) -> Iterator[None]:
  """Hold the folder of a run while it works, and log how that goes.

  Args:
    workdir: the folder.
    config: the resolved config.

  Returns:
    A context; what fails in it is logged and raised again.

  Raises:
    FolderError: as `claim`.
  """
  with claim(workdir, config) as resumed:
    if resumed:
      print(f'Continuing the run in {workdir}.', file=sys.stderr)
    event(workdir, 'started')
    try:
      yield
    except Exception as error:
      event(workdir, 'failed', message=str(error))
      raise
    event(workdir, 'finished')


def _lock(file):
  """Take the lock of an open file; False when another process has it."""
  try:
    import fcntl
  except ImportError:  # not a POSIX system: no protection, no refusal
    return True
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError:
    return False
  return True


def is_locked(workdir: pathlib.Path) -> bool:
  """Return whether a process on this machine is running in a folder."""
  path = pathlib.Path(workdir) / '.lock'
  if not path.exists():
    return False
  with open(path, 'rb') as file:
    return not _lock(file)


def event(workdir: pathlib.Path, name: str, **fields: Any) -> None:
  """Append to the log of what happened to a run.

  Args:
    workdir: the folder.
    name: 'started', 'phase', 'failed' or 'finished'.
    **fields: numbers and texts that belong to it.
  """
  metrics.append(
    pathlib.Path(workdir) / 'events.jsonl',
    [{'event': name, 'time': time.time(), **fields}],
  )
