"""Workers that are timed in turn, and tables of what they took.

Contestants run in processes of their own and work only when asked, one after
the other, so that a change of the machine's load meets all of them. This file
needs the standard library alone: peers import it where there is no JAX.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

_MARK = '@measure '  # tells answers from whatever else a worker prints
_REST = 0.3  # seconds in which threads of the last contestant go to sleep


class Contestant(NamedTuple):
  """A worker process that waits to be asked."""

  name: str
  process: subprocess.Popen
  facts: dict[str, Any]  # what it told about its start


def parser(
  head: str, sizes: Mapping[str, int], networks: int, repetitions: int
) -> argparse.ArgumentParser:
  """Return a parser of the flags that races of networks share.

  The first line of the head is shown; all numbers are defaults.
  """
  flags = argparse.ArgumentParser(description=head.splitlines()[0])
  flags.add_argument('--peer_python', help='interpreter that has PyTorch')
  counts = {'networks': networks, 'repetitions': repetitions}
  for name, default in {**counts, **sizes}.items():
    flags.add_argument(f'--{name}', type=int, default=default)
  return flags


def forward(options: argparse.Namespace, names: Iterable[str]) -> list[str]:
  """Return the flags that hand some options over to a worker."""
  values = {name: getattr(options, name) for name in names}
  return [
    f'--{"" if value else "no-"}{name}'
    if isinstance(value, bool)
    else f'--{name}={value}'
    for name, value in values.items()
  ]


def random_cells(count: int) -> list[str]:
  """Draw cells of NAS-Bench-201, strings of six digits, one an edge."""
  generator = random.Random(0)
  digit = lambda: str(generator.randrange(5))
  return [''.join(digit() for _ in range(6)) for _ in range(count)]


def read_cells(text: str) -> list[list[int]]:
  """Return the choices of cells that are separated by commas."""
  return [[int(digit) for digit in cell] for cell in text.split(',')]


def peak_memory() -> float:
  """Return the highest resident memory of this process so far, in MB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def load() -> str:
  """Return the number of cores and the average load of the last minute."""
  return (
    f'{os.cpu_count()} cores, Python {platform.python_version()}, load of the '
    f'last minute {os.getloadavg()[0]:.1f}'
  )


def build(jitted: Any, *args: Any) -> tuple[Any, dict[str, float]]:
  """Lower and compile a jitted function.

  Args:
    jitted: from `jax.jit`.
    *args: what it is compiled for.

  Returns:
    The compiled function, and seconds of tracing and lowering (`trace`), of
    compilation by the clock (`compile`) and of all cores (`compile_cpu`), and
    MB of temporary memory (`temp`).
  """
  start = time.perf_counter()
  lowered = jitted.lower(*args)
  trace = time.perf_counter() - start
  start, cpu = time.perf_counter(), time.process_time()
  compiled = lowered.compile()
  return compiled, {
    'trace': trace,
    'compile': time.perf_counter() - start,
    'compile_cpu': time.process_time() - cpu,
    'temp': compiled.memory_analysis().temp_size_in_bytes / 1e6,
  }


def serve(step: Callable[[], Any], **facts: Any) -> None:
  """Be a worker: run `step` whenever the parent asks, until it hangs up.

  Args:
    step: returns when its work is done; warmed up.
    **facts: numbers and strings for the parent's table.
  """
  print(_MARK + json.dumps(facts), flush=True)
  for _ in sys.stdin:
    start = time.perf_counter()
    step()
    answer = {'seconds': time.perf_counter() - start, 'peak': peak_memory()}
    print(_MARK + json.dumps(answer), flush=True)


def _answer(name, process):
  for line in process.stdout:
    if line.startswith(_MARK):
      return json.loads(line[len(_MARK) :])
  raise RuntimeError(f'{name} ended with status {process.wait()}.')


def start(name: str, command: Sequence[str], **environment: str) -> Contestant:
  """Start a worker and wait until it is ready.

  Args:
    name: for the table.
    command: of the worker, which calls `serve`.
    **environment: variables added to those of this process.

  Returns:
    The contestant.

  Raises:
    RuntimeError: if it ends before it is ready.
  """
  inherited = {
    key: value
    for key, value in os.environ.items()
    if key != 'JAX_COMPILATION_CACHE_DIR'  # or compilation would look free
  }
  process = subprocess.Popen(
    command,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
    env={**inherited, **environment},
  )
  return Contestant(name, process, _answer(name, process))


def start_nasjax(
  name: str, module: str, flags: Sequence[str], devices: int = 1
) -> Contestant:
  """Start a module as a worker on some devices of the host, see `start`."""
  return start(
    name,
    [sys.executable, '-m', module, *flags],
    JAX_PLATFORMS='cpu',
    XLA_FLAGS=f'--xla_force_host_platform_device_count={devices}',
    PJRT_NPROC=str(max(os.cpu_count(), devices + 1)),
  )


def race(
  contestants: Sequence[Contestant], repetitions: int
) -> list[dict[str, Any]]:
  """Time all contestants in turn, A B C A B C ..., and end them.

  Args:
    contestants: from `start`.
    repetitions: rounds.

  Returns:
    For each its facts with `seconds` (median), `fastest`, `slowest`, and
    `peak` memory in MB.
  """
  rounds = []
  for _ in range(repetitions):
    answers = []
    for name, process, _ in contestants:
      time.sleep(_REST)
      process.stdin.write('go\n')
      process.stdin.flush()
      answers.append(_answer(name, process))
    rounds.append(answers)
  results = []
  for contestant, answers in zip(contestants, zip(*rounds)):
    seconds = [answer['seconds'] for answer in answers]
    results.append(
      {
        'name': contestant.name,
        **contestant.facts,
        'seconds': statistics.median(seconds),
        'fastest': min(seconds),
        'slowest': max(seconds),
        'peak': answers[-1]['peak'],
      }
    )
    contestant.process.stdin.close()
    contestant.process.wait()
  return results


def interleave(
  functions: Sequence[Callable[[], Any]], repetitions: int
) -> list[float]:
  """Time functions of this process in turn.

  Args:
    functions: each returns when its work is done.
    repetitions: rounds after the first, which is not counted.

  Returns:
    The median of each, in seconds.
  """
  seconds = [[] for _ in functions]
  for _ in range(1 + repetitions):
    for function, taken in zip(functions, seconds):
      start = time.perf_counter()
      function()
      taken.append(time.perf_counter() - start)
  return [statistics.median(taken[1:]) for taken in seconds]


def _cell(value):
  if value is None:
    return ''
  if not isinstance(value, float):
    return str(value)
  return f'{value:.3g}' if value < 100 else f'{value:.0f}'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
  """Return a table in markdown.

  Args:
    head: names of the columns.
    rows: strings, numbers, and None for an empty cell.
  """
  lines = [list(head), ['---'] * len(head)]
  lines += [[_cell(value) for value in row] for row in rows]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
