"""How a run is doing, read from its folder alone, while it runs or after."""

import pathlib
import time
from typing import Any

import numpy as np

from nasjax.experiment import folder, metrics, progress

# The speed is that of the last chunks: older ones may hold the compilation.
_NUM_CHUNKS = 20


def _phase(directory):
  """What the files of one phase say, or None before its first chunk."""
  timings = metrics.read(directory / 'timings.jsonl', last=_NUM_CHUNKS)
  if not timings:
    return None
  last = timings[-1]
  recent = timings[1:] or timings
  speed = sum(row['num_updates'] for row in recent) / max(
    sum(row['seconds'] for row in recent), 1e-9
  )
  rows = metrics.read(directory / 'metrics.jsonl', last=1)
  return {
    'step': int(last['step']),
    'num_steps': int(last['num_steps']),
    'time': last['time'],
    'speed': speed,
    'row': rows[-1] if rows else {},
    'best': _best(directory / 'metrics.jsonl'),
  }


def _best(path):
  """The extreme of every accuracy and loss so far, with its step."""
  found = {}
  for row in metrics.read(path):
    for key, value in row.items():
      sign = (
        1
        if 'acc' in key or 'score' in key or 'best' in key
        else (-1 if 'loss' in key else 0)
      )
      if not sign:
        continue
      mean = float(np.mean(value))
      if np.isfinite(mean) and (
        key not in found or sign * mean > sign * found[key]['value']
      ):
        found[key] = {'value': mean, 'step': row['step']}
  return found


def read(workdir: str | pathlib.Path) -> dict[str, Any]:
  """Read the state of a run.

  Args:
    workdir: a run folder.

  Returns:
    Dict of 'state' ('running', 'stopped', 'failed' or 'finished'), 'message',
    'phase', 'phases' (step, num_steps, speed, newest row, best by name) and
    'age' in seconds since the last write.

  Raises:
    ValueError: if the folder holds no run.
  """
  workdir = pathlib.Path(workdir)
  if not (workdir / 'config.json').is_file():
    raise ValueError(f'{workdir} holds no run (no config.json).')
  events = metrics.read(workdir / 'events.jsonl')
  last = events[-1] if events else {'event': 'started', 'time': 0.0}
  names = list(
    dict.fromkeys(
      event['phase'] for event in events if event['event'] == 'phase'
    )
  )
  phases = {name: _phase(workdir / name) for name in names}
  written = max([last['time']] + [p['time'] for p in phases.values() if p])
  state = (
    last['event']
    if last['event'] in ('finished', 'failed')
    else ('running' if folder.is_locked(workdir) else 'stopped')
  )
  return {
    'state': state,
    'message': last.get('message', ''),
    'phase': names[-1] if names else None,
    'phases': phases,
    'age': max(0.0, time.time() - written),
  }


def status(workdir: str | pathlib.Path) -> str:
  """Return the state of a run as text.

  Args:
    workdir: a run folder; a run in it may be alive.

  Returns:
    A few lines: what it does, how far, how fast, ETA, newest and best numbers.

  Raises:
    ValueError: if the folder holds no run.
  """
  run = read(workdir)
  hints = {
    'running': '',
    'finished': '',
    'stopped': ' (no process of this machine works on it; the same command '
    'resumes it)',
    'failed': f': {run["message"]}',
  }
  lines = [
    f'{workdir}: {run["state"]}{hints[run["state"]]}',
    f'last write {progress.duration(run["age"])} ago',
  ]
  for name, phase in run['phases'].items():
    if phase is None:
      lines.append(f'{name}  starting (compiling the first step)')
      continue
    lines.append(
      progress.line(
        name, phase['step'], phase['num_steps'], phase['speed'], phase['row']
      )
    )
    lines += [
      f'  best {key} {best["value"]:.4g} at step {best["step"]}'
      for key, best in phase['best'].items()
    ]
  return '\n'.join(lines)
