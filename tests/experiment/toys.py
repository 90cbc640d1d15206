"""Tiny searches that the tests of this folder run."""

import pathlib
import sys
import tempfile
import time

import jax
import jax.numpy as jnp

from nasjax.experiment import loop
from nasjax.types import Search


def folder(test):
  """A new folder that is removed after a test."""
  directory = tempfile.TemporaryDirectory()
  test.addCleanup(directory.cleanup)
  return pathlib.Path(directory.name) / 'run'


def walk(nan_at=None, size=3):
  """A random walk that counts, with every kind of leaf in its state."""

  def init(key):
    return {
      'x': jnp.zeros(size),
      'n': jnp.int32(0),
      'key': key,
      'empty': jnp.zeros((0, 2)),
      'half': jnp.ones(2, jnp.bfloat16),
      'flag': jnp.bool_(True),
    }

  def update(key, state, batch):
    step = jax.random.normal(key, (size,))
    x = state['x'] + step + (0.0 if batch is None else batch)
    loss = jnp.sum(x**2)
    if nan_at is not None:
      loss = jnp.where(state['n'] + 1 == nan_at, jnp.nan, loss)
    state = dict(
      state,
      x=x,
      n=state['n'] + 1,
      flag=~state['flag'],
      half=state['half'] * 1.5,
      key=jax.random.fold_in(state['key'], state['n']),
    )
    return state, {'loss': loss, 'x': x}

  def best(key, state):
    del key
    return {'op': jnp.argsort(state['x']).astype(jnp.int32)}

  return Search(init, update, best)


def batches(key, t):
  """A batch that depends on the step alone."""
  return jax.random.normal(jax.random.fold_in(key, t), (3,))


def slow_batches(key, t):
  """The same batches, a few milliseconds late."""
  time.sleep(0.01)
  return batches(key, t)


def run(directory, slow=False, num_steps=60, seed=0, **kwargs):
  """Run the walk in a folder; return the final state."""
  return loop.loop(
    jax.random.key(seed),
    walk(**kwargs),
    slow_batches if slow else batches,
    num_steps,
    directory,
    loop.Options(checkpoint_every=7, eval_every=5),
    snapshot=lambda state: {'x': state['x']},
    report=lambda *_: None,
  )


if __name__ == '__main__':
  run(pathlib.Path(sys.argv[1]), slow=True)
