"""Latencies that were measured, kept in a file so that they are measured once.

One line of JSON an architecture:

  {"setting": {...}, "arch": ..., "ratio", "noise", "anchor", "time"}

`setting` says what was timed and where; rows of another one, such as of another
version of JAX, stay in the file and are not read. Use one file a machine. Rows
are written as blocks of architectures are done, so whoever stops and starts
again loses one block.
"""

from collections.abc import Callable, Sequence
import os
import pathlib
import time
from typing import Any, NamedTuple

import numpy as np

from nasjax import batching
from nasjax.estimators import latency
from nasjax.experiment import export, folder, metrics, progress
from nasjax.types import Arch

Row = dict[str, Any]


class Measured(NamedTuple):
  """Latencies of N architectures."""

  milliseconds: np.ndarray  # f64[N] ratio to the anchor times its median
  noise: np.ndarray  # f64[N] relative error of each, see `estimators.latency`


def setting(name: str, form: str, x: Any, anchor: Arch) -> Row:
  """Return what makes measurements comparable, as plain values.

  Args:
    name: of network and input, of the user's choice.
    form: of the program: 'child' or 'switched', and what else sets it apart.
    x: the input.
    anchor: the architecture that others are timed against.

  Returns:
    All that, with the device, the cores that the process may use, XLA's flags
    and the versions that compiled.
  """
  here = folder.environment()
  return {
    'name': name,
    'form': form,
    'input': f'{x.dtype}{list(x.shape)}',
    'anchor': export.to_json(anchor),
    'jax': here['versions']['jax'],
    'jaxlib': here['versions']['jaxlib'],
    **{key: here[key] for key in ('backend', 'device', 'system')},
    'num_cores': batching.num_cores(),
    'xla_flags': os.environ.get('XLA_FLAGS', ''),
  }


def known_setting(path: str | pathlib.Path, name: str, form: str) -> Row:
  """Return the setting that a file has measured a network in.

  Args:
    path: of the file.
    name: of network and input.
    form: of the program.

  Returns:
    The setting, here or elsewhere.

  Raises:
    ValueError: if there is none, or several, which are told.
  """
  settings = {
    metrics.dumps(row.get('setting')): row.get('setting')
    for row in metrics.read(pathlib.Path(path))
  }
  found = [
    row
    for row in settings.values()
    if (row or {}).get('name') == name and row.get('form') == form
  ]
  if len(found) != 1:
    raise ValueError(
      f'{path} has latencies of {name!r} as {form!r} in {len(found)} settings, '
      f'one is needed: {[metrics.dumps(row) for row in found]}.'
    )
  return found[0]


def read(path: str | pathlib.Path, where: Row) -> dict[str, Row]:
  """Return the rows of a setting by architecture, as `metrics.dumps` writes it.

  Args:
    path: of the file; one that does not exist has no rows.
    where: from `setting`.

  Returns:
    Of architectures that were measured again, the newest row.

  Raises:
    ValueError: if the file holds something else.
  """
  found = {}
  for row in metrics.read(pathlib.Path(path)):
    numbers = [row.get(key) for key in ('ratio', 'noise', 'anchor')]
    if not all(isinstance(n, int | float) and n >= 0 for n in numbers):
      raise ValueError(f'{path} holds a row that is no latency: {row}.')
    if row.get('setting') == where:
      found[metrics.dumps(row.get('arch'))] = row
  return found


def _to_measured(rows, names):
  anchor = np.median([row['anchor'] for row in rows.values()])
  column = lambda key: np.array([rows[name][key] for name in names])
  return Measured(1e3 * anchor * column('ratio'), column('noise'))


def measure(
  path: str | pathlib.Path,
  where: Row,
  archs: Sequence[Arch],
  compile_one: Callable[[Arch], latency.Run],
  anchor: Arch,
  max_compiles: int | None = None,
  block_size: int = 16,
  seed: int = 0,
  report: Callable[..., None] | None = None,
  **protocol: Any,
) -> Measured:
  """Measure the architectures that are not in a file, and append them to it.

  Args:
    path: of the file.
    where: from `setting`.
    archs: N index architectures; repeated ones are measured once.
    compile_one: `(arch) -> run`, from `latency.children` or
      `latency.switched`.
    anchor: the architecture timed in between; the same for all of a setting.
    max_compiles: how many may be compiled; None where nothing is.
    block_size: architectures that are compiled, timed together and written.
    seed: of the orders in which a block is timed.
    report: as of `loop.loop`; by default a progress line.
    **protocol: further arguments of `latency.measure`.

  Returns:
    Latencies of all N, of which some may have been measured before.

  Raises:
    ValueError: if more are missing than may be compiled, before anything is.
  """
  path, known = pathlib.Path(path), read(path, where)
  names = [metrics.dumps(export.to_json(arch)) for arch in archs]
  missing = {n: arch for n, arch in zip(names, archs) if n not in known}
  if max_compiles is not None and len(missing) > max_compiles:
    raise ValueError(
      f'{len(missing)} architectures are not measured yet, at most '
      f'{max_compiles} may be compiled.'
    )
  if missing:
    path.parent.mkdir(parents=True, exist_ok=True)
    report = report or progress.reporter('latency', len(missing))
    reference = compile_one(anchor)
  for start in range(0, len(missing), block_size):
    begin = time.monotonic()
    block = list(missing)[start : start + block_size]
    runs = [compile_one(missing[name]) for name in block]
    timings = latency.measure(runs, reference, seed=seed + start, **protocol)
    rows = {
      name: {
        'setting': where,
        'arch': metrics.loads(name),
        'ratio': float(timings.ratio[i]),
        'noise': float(timings.noise[i]),
        'anchor': timings.anchor,
        'time': time.time(),
      }
      for i, name in enumerate(block)
    }
    metrics.append(path, rows.values())
    known |= rows
    speed = len(block) / max(time.monotonic() - begin, 1e-9)
    noise = float(np.mean(timings.noise))
    report(start + len(block), speed, {'noise': noise})
  return _to_measured(known, names)


def column(
  path: str | pathlib.Path,
  where: Row,
  index_of: Callable[[Arch], Any],
  size: int,
) -> np.ndarray:
  """Return what a file knows as a column of a table.

  Args:
    path: of the file.
    where: from `setting`.
    index_of: `(arch) -> row`, of architectures as the file holds them, arrays
      in the place of lists.
    size: N, rows of the table.

  Returns:
    `f32[N]` in milliseconds, NaN where nothing was measured.

  Raises:
    ValueError: if nothing was measured in this setting.
  """
  known = read(path, where)
  if not known:
    raise ValueError(f'{path} has no latencies of the setting {where}.')
  values = np.full(size, np.nan, np.float32)
  rows = [
    int(index_of({k: np.array(v) for k, v in row['arch'].items()}))
    for row in known.values()
  ]
  values[rows] = _to_measured(known, list(known)).milliseconds
  return values
