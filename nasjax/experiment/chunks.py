"""Scores over a population: compiled once, in chunks, resumable.

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


def as_joint(name: str, made: Any) -> zero_cost.Joint:
  """Return whatever scores as scores by the names of their columns.

  Args:
    name: of the section: the column of what is one score, and the beginning of
      the columns, `<name>_<score>`, of what are several.
    made: a `Proxy`, a `Joint`, or an `Estimator` that needs no training.

  Returns:
    The scores.

  Raises:
    ValueError: if it is none of them.
  """
  if isinstance(made, zero_cost.Joint):

    def raw(key, variables, arch):
      values = made.raw(key, variables, arch)
      return {f'{name}_{score}': value for score, value in values.items()}

    proxies = {f'{name}_{key}': value for key, value in made.proxies.items()}
    return zero_cost.Joint(made.init, raw, proxies)
  if isinstance(made, Estimator):
    proxy = zero_cost.Proxy(
      init=lambda key, arch: made.init(key),
      raw=made.score,
      sign=1,
      norm='',
      failure=-np.inf,
      paper='',
    )
  elif isinstance(made, zero_cost.Proxy):
    proxy = made
  else:
    raise ValueError(
      'A Proxy, a Joint or an Estimator is needed, got a '
      f'{type(made).__name__}.'
    )
  raw = lambda *args: {name: proxy.raw(*args)}
  return zero_cost.Joint(proxy.init, raw, {name: proxy})


def program(
  scores: zero_cost.Joint, fresh: bool, batch_size: int | None
) -> Callable[..., dict[str, jax.Array]]:
  """Return the compiled function of all chunks.

  Args:
    scores: from `as_joint`.
    fresh: whether every architecture gets weights and draws of its own; by
      default they share both.
    batch_size: architectures in one `vmap`, see `batching.map_archs`.

  Returns:
    `(variables, key, numbers, archs) -> {name: f32[C]}`, raw values. The
    numbers of the architectures make keys of their own.
  """

  @jax.jit
  def raw_values(variables, key, numbers, archs):

    def raw(item, variables, key):
      number, arch = item
      if not fresh:
        return scores.raw(key, variables, arch)
      init_key, raw_key = jax.random.split(jax.random.fold_in(key, number))
      return scores.raw(raw_key, scores.init(init_key, arch), arch)

    return batching.map_archs(
      raw, (numbers, archs), batch_size, (variables, key)
    )

  return raw_values


def _init(scores, fresh):
  """`(key, arch) -> variables` that all architectures share."""
  return jax.jit((lambda key, arch: ()) if fresh else scores.init)


def _chunk(archs, size, t):
  """The rows of a chunk, filled up; its numbers and architectures."""
  rows = archs.scored[t * size : (t + 1) * size]
  rows = np.pad(rows, (0, size - len(rows)), mode='edge')
  numbers = archs.index[rows].astype(np.int32)
  return numbers, jax.tree.map(lambda leaf: leaf[rows], archs.archs)


def trace(
  scores: zero_cost.Joint,
  run: Callable[..., dict[str, jax.Array]],
  fresh: bool,
  archs: population.Population,
  size: int,
  arch: Arch,
) -> None:
  """Trace the program of scores: mistakes show while nothing is lost yet.

  Args:
    scores: from `as_joint`.
    run: their program.
    fresh: as for `program`.
    archs: the population.
    size: architectures in a chunk.
    arch: any architecture of the space.

  Raises:
    ValueError: if a score is not one number an architecture, or if a joint one
      gives others than it describes.
  """
  key = jax.random.key(0)
  variables = jax.eval_shape(_init(scores, fresh), key, arch)
  found = jax.eval_shape(run, variables, key, *_chunk(archs, size, 0))
  if set(found) != set(scores.proxies):
    raise ValueError(
      f'Scores and their description differ: got {sorted(found)}, described '
      f'are {sorted(scores.proxies)}.'
    )
  for name, values in found.items():
    if values.shape != (size,):
      raise ValueError(
        f'{name}: one number an architecture is needed, got shape '
        f'{values.shape[1:]}.'
      )


def _recorder() -> Search:
  """The search whose state counts failures, and whose metrics are values."""

  def update(key, state, batch):
    del key
    raw = batch['raw']  # [C, S] of S scores
    counts = jnp.arange(len(raw)) < batch['num']
    failed = jnp.any(~jnp.isfinite(raw), axis=1) & counts
    state += jnp.sum(failed, dtype=jnp.int32)
    return state, {'raw': raw, 'failures': state}

  return Search(lambda key: jnp.int32(0), update, None)


def _batches(run, names, variables, key, archs, size):
  """`(key, t) -> values of chunk t`: computed outside of the loop's update.

  So its program can be compiled, and timed, before the loop starts.
  """

  def batch(_, t):
    found = run(variables, key, *_chunk(archs, size, int(t)))
    values = np.stack([found[name] for name in names], axis=1)
    left = len(archs.scored) - int(t) * size
    return {'raw': values, 'num': np.int32(min(size, left))}

  return batch


def score(
  name: str,
  scores: zero_cost.Joint,
  run: Callable[..., dict[str, jax.Array]],
  key: Key,
  archs: population.Population,
  arch: Arch,
  workdir: pathlib.Path,
  config: dict[str, Any],
) -> dict[str, np.ndarray]:
  """Score a population, or continue where that was stopped.

  Args:
    name: of the section, and of its folder.
    scores: from `as_joint`.
    run: their program.
    key: of the weights and of what the proxy draws.
    archs: the population.
    arch: any architecture of the space.
    workdir: the run folder.
    config: with chunk_size, fresh, checkpoint_every and keep_checkpoints.

  Returns:
    Raw values, `f32[N]` by name.
  """
  size = min(config['chunk_size'], len(archs.scored))
  num_chunks = -(-len(archs.scored) // size)
  directory = workdir / name
  if len(metrics.read(directory / 'metrics.jsonl')) < num_chunks:
    folder.event(workdir, 'phase', phase=name)
    start = time.monotonic()
    init_key, raw_key = jax.random.split(key)
    variables = _init(scores, config['fresh'])(init_key, arch)
    chunk = _chunk(archs, size, 0)
    compiled = run.lower(variables, raw_key, *chunk).compile()
    seconds = time.monotonic() - start
    megabytes = compiled.memory_analysis().temp_size_in_bytes / 1e6
    folder.event(
      workdir,
      'compiled',
      phase=name,
      seconds=seconds,
      temporary_mb=megabytes,
    )
    show = progress_lib.reporter(name, len(archs.scored), unit='arch')
    loop.loop(
      key,
      _recorder(),
      _batches(
        compiled, sorted(scores.proxies), variables, raw_key, archs, size
      ),
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
  columns = raw.astype(np.float32)[archs.source].T
  return dict(zip(sorted(scores.proxies), columns))
