"""The loop that every phase of a job runs in: resumable, bit for bit.

The key and the batch of step t derive from `fold_in(key, t)`, all else is in
the state; the files of a run are cut back to the checkpoint that it continues
from. So a run that was killed and started again leaves the same files and the
same state as one that was not. Per folder:

  checkpoints/      the last few states
  metrics.jsonl     one row of numbers for every `log_every` steps
  snapshots.jsonl   arrays worth drawing, every `eval_every` steps
  timings.jsonl     clock and speed, the only file that depends on the time
"""

from collections.abc import Callable
import math
import pathlib
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.experiment import checkpoint
from nasjax.experiment import metrics as metrics_lib
from nasjax.experiment import progress as progress_lib
from nasjax.types import Batch, Key, Search, State

# Metrics are fetched in chunks that take about this long (seconds).
_CHUNK_SECONDS = (0.3, 1.0)


class Diverged(FloatingPointError):
  """A training loss that is no number any more."""


class Options(NamedTuple):
  """How a phase is recorded; none of it changes what is computed."""

  checkpoint_every: int | None = None  # steps, default a tenth of all
  eval_every: int | None = None  # steps between snapshots, default a twentieth
  log_every: int = 1  # steps between rows of metrics.jsonl
  keep_checkpoints: int = 3
  tensorboard: bool = False


def _strong(tree):
  """Drop weak types: a restored state has none, and must not be another."""
  return jax.tree.map(lambda x: jnp.asarray(x, jnp.asarray(x).dtype), tree)


def _update(search, batches):
  """The step `(state, keys, t) -> (state, metrics)`; it donates the state."""

  def update(state, key, t, batch):
    state, metrics = search.update(jax.random.fold_in(key, t), state, batch)
    return _strong(state), metrics

  update = jax.jit(update, donate_argnums=0)

  def step(state, keys, t):
    # Outside of `update`: traced inside it, a data set that the batches are
    # taken from would be a constant of the program.
    batch = None if batches is None else batches(keys[0], t)
    return update(state, keys[1], t, batch)

  return step


def _start(folder, init, key):
  """Continue from the newest checkpoint, or from the first state."""
  restored = checkpoint.restore(folder, jax.eval_shape(init, key))
  first = jax.jit(init).lower(key).compile()
  if restored is None:
    return 0, first(key)
  step, state = restored
  # Where the first state lies all others do: updates are compiled once.
  return step, jax.device_put(state, first.output_shardings)


def _check_finite(rows, folder):
  """Stop when a training loss is no number for any of the networks."""
  for row in rows:
    for key, value in row.items():
      if key.endswith('loss') and not np.isfinite(value).any():
        last = folder.latest_step()
        where = (
          'there is no checkpoint yet'
          if last is None
          else (f'the last checkpoint is of step {last} in {folder.directory}')
        )
        raise Diverged(
          f'{key} is {np.ravel(value)[0]} at step {row["step"]}; {where}. '
          f'The same command would end in the same step: use a lower '
          f'learning rate, gradient clipping, or another seed.'
        )


def _recorder(directory, num_steps, options, report):
  """Return `(rows, seconds) -> None`, which writes and shows metrics."""
  board = metrics_lib.tensorboard(directory) if options.tensorboard else None

  def record(rows, seconds):
    step = rows[-1]['step']
    logged = [
      row
      for row in rows
      if row['step'] % options.log_every == 0 or row['step'] == num_steps
    ]
    metrics_lib.append(directory / 'metrics.jsonl', logged)
    if board is not None:
      for row in logged:
        board(row)
    speed = len(rows) / max(seconds, 1e-9)
    metrics_lib.append(
      directory / 'timings.jsonl',
      [
        {
          'step': step,
          'num_steps': num_steps,
          'num_updates': len(rows),
          'seconds': seconds,
          'time': time.time(),
        }
      ],
    )
    report(step, speed, rows[-1])

  return record


def _advance(update, state, keys, step, stop):
  """Run updates up to `stop`, then fetch all of their metrics at once."""
  pending = []
  for t in range(step, stop):
    state, row = update(state, keys, np.int32(t))
    pending.append(row)
  rows = [
    {'step': step + 1 + i, **row}
    for i, row in enumerate(jax.device_get(pending))
  ]
  return state, rows


def _resize(chunk, seconds):
  """Keep the time between two fetches of metrics near a second."""
  low, high = _CHUNK_SECONDS
  if seconds < low:
    return 2 * chunk
  return max(1, chunk // 2) if seconds > high else chunk


def _next(step, *periods):
  """The first multiple of any period after a step."""
  return min(period * (step // period + 1) for period in periods)


def loop(
  key: Key,
  search: Search,
  batches: Callable[[Key, jax.Array], Batch] | None,
  num_steps: int,
  directory: str | pathlib.Path,
  options: Options | None = None,
  snapshot: Callable[[State], dict[str, jax.Array]] | None = None,
  report: Callable[[int, float, dict[str, Any]], None] | None = None,
  visit: Callable[[int, State], None] | None = None,
) -> State:
  """Run a search, or continue it where it was stopped.

  Args:
    key: of the run; the same key gives the same files and state.
    search: what to run. Its state is donated to every update.
    batches: `(key, t) -> batch`, or None. It is called eagerly with the same
      key in every step, so it may read files; jit it where it is slow.
    num_steps: number of updates.
    directory: the folder of this phase.
    options: how often to write what.
    snapshot: `(state) -> arrays` to store over time, such as alphas.
    report: `(step, steps_per_second, row) -> None`, called for every chunk
      (default: a progress line).
    visit: `(step, state) -> None`, called before every checkpoint.

  Returns:
    The state after `num_steps` updates.

  Raises:
    Diverged: if a metric whose name ends in 'loss' is not finite, for a
      population: for none of its members.
    ValueError: if a checkpoint belongs to another search or all are damaged.
  """
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  options = options or Options()
  save_every = options.checkpoint_every or max(1, math.ceil(num_steps / 10))
  draw_every = options.eval_every or max(1, math.ceil(num_steps / 20))
  if report is None:
    report = progress_lib.reporter(directory.name, num_steps)
  init_key, *keys = jax.random.split(key, 3)
  update = _update(search, batches)
  record = _recorder(directory, num_steps, options, report)
  draw = None if snapshot is None else jax.jit(snapshot)

  def store_snapshot(step, state):
    if draw is not None:
      metrics_lib.append(
        directory / 'snapshots.jsonl',
        [{'step': step, **jax.device_get(draw(state))}],
      )

  with checkpoint.manager(
    directory / 'checkpoints', options.keep_checkpoints
  ) as folder:
    step, state = _start(
      folder, lambda key: _strong(search.init(key)), init_key
    )
    _rewind(directory, step)
    if step == 0:
      store_snapshot(0, state)
    chunk = 1
    while step < num_steps:
      start = time.monotonic()
      stop = min(num_steps, step + chunk, _next(step, save_every, draw_every))
      state, rows = _advance(update, state, keys, step, stop)
      seconds = time.monotonic() - start
      chunk, step = _resize(stop - step, seconds), stop
      record(rows, seconds)
      _check_finite(rows, folder)
      if step % draw_every == 0 or step == num_steps:
        store_snapshot(step, state)
      if step % save_every == 0 or step == num_steps:
        if visit is not None:
          visit(step, state)
        checkpoint.save(folder, step, state)
  return state


def _rewind(directory, step):
  """Cut the files of a phase back to a checkpoint (0: to nothing)."""
  for name in ('metrics.jsonl', 'snapshots.jsonl', 'timings.jsonl'):
    metrics_lib.truncate(directory / name, step if step else -1)
