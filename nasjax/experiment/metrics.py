"""Rows of numbers in append-only files, one JSON object a line.

The file of a run holds nothing that depends on the clock, so a resumed run and
an uninterrupted one write the same bytes. Numbers that are not finite are
written as the strings 'NaN', 'Infinity' and '-Infinity', which keeps every line
strict JSON; float32 values are written with the digits that identify them.
"""

from collections.abc import Callable, Iterable, Mapping
import importlib.util
import json
import math
import os
import pathlib
from typing import Any

import numpy as np

Row = dict[str, Any]


def _plain(value):
  """Numbers, arrays and containers of them as values that JSON can hold."""
  if isinstance(value, Mapping):
    return {str(key): _plain(v) for key, v in value.items()}
  if isinstance(value, list | tuple):
    return [_plain(v) for v in value]
  if value is None or isinstance(value, str | bool | int):
    return value
  array = np.asarray(value)
  if array.ndim:
    return [_plain(v) for v in array]
  if array.dtype.kind in 'biu':
    return array.item()
  # The shortest digits that give this float back, at its own precision.
  number = float(str(array)) if array.dtype == np.float32 else float(array)
  if math.isnan(number):
    return 'NaN'
  if math.isinf(number):
    return 'Infinity' if number > 0 else '-Infinity'
  return number


def _numbers(value):
  """The inverse of `_plain` for numbers that are not finite."""
  if isinstance(value, dict):
    return {key: _numbers(v) for key, v in value.items()}
  if isinstance(value, list):
    return [_numbers(v) for v in value]
  return float(value) if value in ('NaN', 'Infinity', '-Infinity') else value


def dumps(value: Any, indent: int | None = None) -> str:
  """Return strict JSON of numbers, arrays and containers of them."""
  return json.dumps(
    _plain(value), indent=indent, sort_keys=indent is None, allow_nan=False
  )


def loads(text: str) -> Any:
  """Return what `dumps` was given, with lists in place of arrays."""
  return _numbers(json.loads(text))


def write_json(path: pathlib.Path, value: Any) -> None:
  """Write a JSON file in one step: readers see the old or the new content."""
  temporary = path.with_name(f'.{path.name}.tmp')
  temporary.write_text(dumps(value, indent=2) + '\n')
  os.replace(temporary, path)


def write_arrays(path: pathlib.Path, arrays: Mapping[str, Any]) -> None:
  """Write an npz file in one step, as `write_json` does."""
  temporary = path.with_name(f'.{path.name}')
  np.savez(temporary, **arrays)
  os.replace(temporary, path)


def read_json(path: pathlib.Path) -> Any:
  """Read a file that `write_json` wrote; ValueError if it is no JSON."""
  try:
    return loads(path.read_text())
  except ValueError as error:
    raise ValueError(f'{path} is damaged: {error}.') from error


def append(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
  """Append rows to a file and wait until they are on disk.

  Args:
    path: the file, created when it does not exist.
    rows: numbers or arrays by name; a row of a run has the key 'step'.
  """
  lines = ''.join(dumps(row) + '\n' for row in rows)
  with open(path, 'a', encoding='utf-8') as file:
    file.write(lines)
    file.flush()
    os.fsync(file.fileno())


def read(path: pathlib.Path, last: int | None = None) -> list[Row]:
  """Read the rows of a file that may still be growing.

  Args:
    path: the file; one that does not exist has no rows.
    last: number of rows to read from the end (default: all).

  Returns:
    The complete rows; a line that was cut while it was written is left out.
  """
  path = pathlib.Path(path)
  if not path.exists():
    return []
  text = path.read_bytes()
  lines = text[: text.rfind(b'\n') + 1].splitlines()
  return [loads(line) for line in (lines[-last:] if last else lines)]


def truncate(path: pathlib.Path, step: int) -> None:
  """Drop all rows after a step, and a last line that is incomplete.

  Args:
    path: the file; nothing happens when it does not exist.
    step: the last step whose row stays.
  """
  path = pathlib.Path(path)
  if not path.exists():
    return
  end = 0
  with open(path, 'rb') as file:
    for line in file:
      if not line.endswith(b'\n') or json.loads(line)['step'] > step:
        break
      end += len(line)
  os.truncate(path, end)


def column(rows: Iterable[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
  """Return the steps [T] and values [T, ...] of one metric."""
  rows = [row for row in rows if name in row]
  return (
    np.asarray([row['step'] for row in rows]),
    np.asarray([row[name] for row in rows], float),
  )


def require_tensorboard() -> None:
  """Raise a ValueError that says what to install if tensorboardX is absent."""
  if importlib.util.find_spec('tensorboardX') is None:
    raise ValueError(
      'config.tensorboard needs tensorboardX: pip install tensorboardX, or '
      'set config.tensorboard = False (metrics.jsonl is always written).'
    )


def tensorboard(directory: pathlib.Path) -> Callable[[Row], None]:
  """Return a function that writes the scalars of a row for TensorBoard.

  Args:
    directory: where the event files go.

  Returns:
    `(row) -> None`; arrays are written as their mean.

  Raises:
    ValueError: if tensorboardX is not installed.
  """
  require_tensorboard()
  import tensorboardX  # optional: only imported when it is asked for

  writer = tensorboardX.SummaryWriter(str(directory))

  def write(row):
    for key, value in row.items():
      if key != 'step':
        writer.add_scalar(key, float(np.mean(value)), row['step'])
    writer.flush()

  return write


def times(workdir: pathlib.Path) -> list[tuple[str, int, float]]:
  """Return how long the phases of a run took.

  Args:
    workdir: a run folder.

  Returns:
    `(phase, steps, seconds)` in order of time; seconds are those of the work
    that is in the files, compilation included.
  """
  phases = [
    (path.parent.name, read(path)) for path in workdir.glob('*/timings.jsonl')
  ]
  phases = sorted(
    (item for item in phases if item[1]), key=lambda item: item[1][0]['time']
  )
  return [
    (name, rows[-1]['step'], sum(row['seconds'] for row in rows))
    for name, rows in phases
  ]


def per_row(row: Mapping[str, Any], num_rows: int) -> dict[str, np.ndarray]:
  """Pick the entries that hold one number a network.

  Args:
    row: metrics of several networks at once.
    num_rows: number of networks.

  Returns:
    The arrays of shape `(num_rows,)`, by name.
  """
  return {
    key: np.asarray(value)
    for key, value in row.items()
    if np.shape(value) == (num_rows,)
  }


def mean_and_std(values: Any, ddof: int = 0) -> tuple[float, float]:
  """Return mean and standard deviation of numbers that may be infinite.

  None is left out: of -inf and 1 the mean is -inf and the deviation NaN.

  Args:
    values: one or more numbers.
    ddof: what is subtracted from their number in the variance.

  Returns:
    The two; the deviation of a single finite number is zero.
  """
  values = np.asarray(values)
  with np.errstate(invalid='ignore'):  # inf - inf is NaN, as it should be
    ddof = min(ddof, values.size - 1)
    return float(np.mean(values)), float(np.std(values, ddof=ddof))
