"""One score over a population: compiled once, in chunks, resumable.

Architectures are arguments of one program of a fixed number of them; the last
chunk is filled up with copies. Every chunk is a step of `loop.loop`, whose file
holds the raw values of all chunks so far, so a run that was killed continues
behind its last complete chunk. What a value is depends on the seed and the
architecture alone, not on chunks and resumptions.
"""

from collections.abc import Callable
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import batching
from nasjax.estimators import zero_cost
from nasjax.experiment import folder, loop, metrics, population
from nasjax.experiment import progress as progress_lib
from nasjax.types import Arch, Estimator, Key, Search


def as_proxy(made: Any) -> zero_cost.Proxy:
  """Return a proxy as it is, and an estimator as one.

  Args:
    made: a `Proxy`, or an `Estimator` that needs no training.

  Returns:
    The proxy.

  Raises:
    ValueError: if it is neither.
  """
  if isinstance(made, zero_cost.Proxy):
    return made
  if isinstance(made, Estimator):
    return zero_cost.Proxy(
      init=lambda key, arch: made.init(key),
      raw=made.score,
      sign=1,
      norm='',
      failure=-np.inf,
      paper='',
    )
  raise ValueError(
    f'A Proxy or an Estimator is needed, got a {type(made).__name__}.'
  )


def program(
  proxy: zero_cost.Proxy, fresh: bool, batch_size: int | None
) -> Callable[..., jax.Array]:
  """Return the compiled function of all chunks.

  Args:
    proxy: the score.
    fresh: whether every architecture gets weights and draws of its own; by
      default they share both.
    batch_size: architectures in one `vmap`, see `batching.map_archs`.

  Returns:
    `(variables, key, numbers, archs) -> f32[C]`, raw values. The numbers of
    the architectures make keys of their own.
  """

  @jax.jit
  def raw_values(variables, key, numbers, archs):

    def raw(item, variables, key):
      number, arch = item
      if not fresh:
        return proxy.raw(key, variables, arch)
      init_key, raw_key = jax.random.split(jax.random.fold_in(key, number))
      return proxy.raw(raw_key, proxy.init(init_key, arch), arch)

    return batching.map_archs(
      raw, (numbers, archs), batch_size, variables, key
    )

  return raw_values


def _init(proxy, fresh):
  """`(key, arch) -> variables` that all architectures share."""
  return jax.jit((lambda key, arch: ()) if fresh else proxy.init)


def _chunk(archs, size, t):
  """The rows of a chunk, filled up; its numbers and architectures."""
  rows = archs.scored[t * size : (t + 1) * size]
  rows = np.pad(rows, (0, size - len(rows)), mode='edge')
  numbers = archs.index[rows].astype(np.int32)
  return numbers, jax.tree.map(lambda leaf: leaf[rows], archs.archs)


def trace(
  proxy: zero_cost.Proxy,
  run: Callable[..., jax.Array],
  fresh: bool,
  archs: population.Population,
  size: int,
  arch: Arch,
) -> None:
  """Trace the program of a proxy: mistakes show while nothing is lost yet.

  Args:
    proxy: the score.
    run: its program.
    fresh: as for `program`.
    archs: the population.
    size: architectures in a chunk.
    arch: any architecture of the space.

  Raises:
    ValueError: if it is not one number an architecture.
  """
  key = jax.random.key(0)
  variables = jax.eval_shape(_init(proxy, fresh), key, arch)
  found = jax.eval_shape(run, variables, key, *_chunk(archs, size, 0))
  if found.shape != (size,):
    raise ValueError(
      f'One number an architecture is needed, got shape {found.shape[1:]}.'
    )


def _recorder() -> Search:
  """The search whose state counts failures, and whose metrics are values."""

  def update(key, state, batch):
    del key
    counts = jnp.arange(batch['raw'].size) < batch['num']
    failed = jnp.sum(~jnp.isfinite(batch['raw']) & counts, dtype=jnp.int32)
    return state + failed, {'raw': batch['raw'], 'failures': state + failed}

  return Search(lambda key: jnp.int32(0), update, None)


def _batches(run, variables, key, archs, size):
  """`(key, t) -> values of chunk t`: computed outside of the loop's update.

  So its program can be compiled, and timed, before the loop starts.
  """

  def batch(_, t):
    values = np.asarray(run(variables, key, *_chunk(archs, size, int(t))))
    left = len(archs.scored) - int(t) * size
    return {'raw': values, 'num': np.int32(min(size, left))}

  return batch


def score(
  name: str,
  proxy: zero_cost.Proxy,
  run: Callable[..., jax.Array],
  key: Key,
  archs: population.Population,
  arch: Arch,
  workdir: pathlib.Path,
  config: dict[str, Any],
) -> np.ndarray:
  """Score a population, or continue where that was stopped.

  Args:
    name: of the score, and of its folder.
    proxy: the score.
    run: its program.
    key: of the weights and of what the proxy draws.
    archs: the population.
    arch: any architecture of the space.
    workdir: the run folder.
    config: with chunk_size, fresh, checkpoint_every and keep_checkpoints.

  Returns:
    Raw values, `f32[N]`.
  """
  size = min(config['chunk_size'], len(archs.scored))
  num_chunks = -(-len(archs.scored) // size)
  directory = workdir / name
  if len(metrics.read(directory / 'metrics.jsonl')) < num_chunks:
    folder.event(workdir, 'phase', phase=name)
    start = time.monotonic()
    init_key, raw_key = jax.random.split(key)
    variables = _init(proxy, config['fresh'])(init_key, arch)
    chunk = _chunk(archs, size, 0)
    compiled = run.lower(variables, raw_key, *chunk).compile()
    seconds = time.monotonic() - start
    folder.event(workdir, 'compiled', phase=name, seconds=seconds)
    show = progress_lib.reporter(name, len(archs.scored), unit='arch')
    loop.loop(
      key,
      _recorder(),
      _batches(compiled, variables, raw_key, archs, size),
      num_chunks,
      directory,
      loop.Options(
        checkpoint_every=config['checkpoint_every'],
        eval_every=num_chunks,
        keep_checkpoints=config['keep_checkpoints'],
      ),
      report=lambda step, speed, row: show(
        min(step * size, len(archs.scored)),
        speed * size,
        {'failures': row['failures']},
      ),
    )
  rows = metrics.read(directory / 'metrics.jsonl')
  raw = np.concatenate([row['raw'] for row in rows])[: len(archs.scored)]
  return raw.astype(np.float32)[archs.source]


def seconds(workdir: pathlib.Path, name: str) -> dict[str, float]:
  """Return what a score took, by the files of its run.

  Args:
    workdir: the run folder.
    name: of the score.

  Returns:
    Dict of 'seconds' of scoring and 'compile_seconds', those of tracing,
    compiling and drawing the weights when it was started last.
  """
  rows = metrics.read(workdir / name / 'timings.jsonl')
  compiled = [
    event['seconds']
    for event in metrics.read(workdir / 'events.jsonl')
    if event['event'] == 'compiled' and event['phase'] == name
  ]
  return {
    'seconds': float(sum(row['seconds'] for row in rows)),
    'compile_seconds': float(compiled[-1]) if compiled else np.nan,
  }
