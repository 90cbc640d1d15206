"""One line that says how far a run is, how fast, and when it will be done."""

from collections.abc import Callable, Mapping
import math
import sys
import time
from typing import Any, TextIO

import numpy as np

from nasjax.experiment import metrics


def duration(seconds: float) -> str:
  """Return a time span for people.

  Args:
    seconds: the span; one that is not finite is shown as '?'.

  Returns:
    Such as '42s', '3m05s', '2h07m', '3d04h'.
  """
  if not math.isfinite(seconds):
    return '?'
  seconds = max(0, round(seconds))
  minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
  if days:
    return f'{days}d{hours % 24:02d}h'
  if hours:
    return f'{hours}h{minutes % 60:02d}m'
  return f'{minutes}m{seconds % 60:02d}s' if minutes else f'{seconds}s'


def rate(steps_per_second: float, unit: str = 'step') -> str:
  """Return a speed for people, per second or, when slow, per step."""
  if not math.isfinite(steps_per_second) or steps_per_second <= 0:
    return '?'
  if steps_per_second < 1:
    return f'{1 / steps_per_second:.3g} s/{unit}'
  return f'{steps_per_second:.3g} {unit}s/s'


def values(row: Mapping[str, Any], limit: int = 4) -> str:
  """Return a few metrics of a row as text.

  Args:
    row: numbers or arrays by name.
    limit: how many at most; scores, losses and accuracies come first.

  Returns:
    Such as 'loss 1.02  accuracy 0.61±0.02': of arrays mean and deviation.
  """
  # Those that people look for come first.
  names = sorted(
    (key for key in row if key != 'step'),
    key=lambda key: not key.endswith(('best', 'loss', 'accuracy', 'score')),
  )
  words = []
  for key in names[:limit]:
    value = np.asarray(row[key], float)
    if not value.size:
      words.append(key)
      continue
    mean, std = metrics.mean_and_std(value)
    spread = f'±{std:.2g}' if value.size > 1 else ''
    words.append(f'{key} {mean:.4g}{spread}')
  return '  '.join(words)


def line(
  name: str,
  step: int,
  num_steps: int,
  speed: float,
  row: Mapping[str, Any],
  unit: str = 'step',
) -> str:
  """Return the progress line.

  Args:
    name: of the phase.
    step: updates done.
    num_steps: updates in total.
    speed: steps a second.
    row: the newest metrics.
    unit: what a step is.

  Returns:
    Such as `search  120/400  30%  8.1 steps/s  ETA 34s  loss 1.02`.
  """
  left = (num_steps - step) / speed if speed > 0 else math.inf
  eta = f'  ETA {duration(left)}' if step < num_steps else ''
  return (
    f'{name}  {step}/{num_steps}  {100 * step // max(num_steps, 1)}%  '
    f'{rate(speed, unit)}{eta}  {values(row)}'
  ).rstrip()


def reporter(
  name: str,
  num_steps: int,
  stream: TextIO | None = None,
  quiet_seconds: float = 60.0,
  unit: str = 'step',
) -> Callable[[int, float, Mapping[str, Any]], None]:
  """Return a function that shows the progress of a phase.

  In a terminal one line is rewritten in place. Elsewhere (a log file, a pipe) a
  line appears at most every `quiet_seconds`, and one at the end.

  Args:
    name: of the phase.
    num_steps: updates in total.
    stream: where to (default: standard error).
    quiet_seconds: shortest time between two lines when not in a terminal.
    unit: what a step is.

  Returns:
    `(step, steps_per_second, row) -> None`.
  """
  stream = sys.stderr if stream is None else stream
  in_place = stream.isatty()
  shown = {'time': time.monotonic(), 'width': 0}

  def show(step, speed, row):
    done = step >= num_steps
    text = line(name, step, num_steps, speed, row, unit)
    if in_place:
      stream.write('\r' + text.ljust(shown['width']) + ('\n' if done else ''))
      shown['width'] = len(text)
    elif done or time.monotonic() - shown['time'] > quiet_seconds:
      stream.write(text + '\n')
      shown['time'] = time.monotonic()
    stream.flush()

  return show
