"""Training of many sub-networks of a perceptron, in networks a second.

Masks of nodes of one parent at several sparsities, each trained by 200 steps of
Adam on batches of 64 digits. nasjax trains them all in one program; the loop
trains them one after another:

  program   all masks under `vmap`, compiled once
  masked    a jitted step in a Python loop, masks as data: compiled once
  compact   the nodes that are kept, extracted: fewer operations, and compiled
            once a sparsity

  python -m benchmarks.sparse_networks

The first run compiles, the second does not; seconds of all cores do not depend
on what else a machine has to do.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import measure
from nasjax.data import arrays, streams
from nasjax.estimators import training
from nasjax.networks import masked_mlp
from nasjax.spaces import node_masks

_SPARSITIES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
_BATCH = 64


def _masks(width, num_each):
  """Masks by sparsity, `[N, ...]` each."""
  keys = jax.random.split(jax.random.key(0), len(_SPARSITIES) * num_each)
  rows = []
  for i, sparsity in enumerate(_SPARSITIES):
    sample = node_masks.node_masks((width, width), sparsity).sample
    rows.append(jax.vmap(sample)(keys[i * num_each : (i + 1) * num_each]))
  return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *rows)


def _compact(parent, mask):
  """Weights of the nodes that are kept, and a mask that keeps them all."""
  kept = [np.flatnonzero(leaf) for leaf in mask.values()]
  ends = [np.arange(len(parent[0]['kernel'])), *kept, np.arange(10)]
  params = [
    {'kernel': layer['kernel'][np.ix_(a, b)], 'bias': layer['bias'][b]}
    for layer, a, b in zip(parent, ends, ends[1:])
  ]
  whole = {name: jnp.ones(len(k), jnp.int32) for name, k in zip(mask, kept)}
  return params, whole


def _trainer(parent):
  network = masked_mlp.sub_networks(parent)
  return training.train_child(network, (), 1, optimizer=optax.adam(1e-3))


def _program(parent, masks, batches):
  """Train all; their last losses."""

  @jax.jit
  def train(masks, batches):
    trainer = _trainer(parent)

    def one(mask):
      def step(child, batch):
        child, metrics = trainer.update(jax.random.key(0), child, mask, batch)
        return child, metrics['train_loss']

      start = trainer.init(jax.random.key(0), mask)
      return jax.lax.scan(step, start, batches)[1][-1]

    return jax.vmap(one)(masks)

  return lambda: np.asarray(train(masks, batches))


def _loop(parent, masks, batches, compact):
  """Train one after another; their last losses."""
  update = jax.jit(_trainer(parent).update)
  num_steps = len(batches['label'])
  steps = [
    jax.tree.map(lambda leaf, t=t: leaf[t], batches) for t in range(num_steps)
  ]

  def run():
    losses = []
    for i in range(len(masks['layer_0'])):
      mask = jax.tree.map(lambda leaf, i=i: leaf[i], masks)
      params = parent
      if compact:
        params, mask = _compact(parent, mask)
      child = _trainer(params).init(jax.random.key(0), mask)
      for batch in steps:
        child, metrics = update(jax.random.key(0), child, mask, batch)
      losses.append(metrics['train_loss'])
    return np.asarray(losses)

  return run


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--width', type=int, default=96)
  parser.add_argument(
    '--num_each', type=int, default=10, help='masks a sparsity'
  )
  parser.add_argument('--steps', type=int, default=200)
  options = parser.parse_args()
  sizes = (64, options.width, options.width, 10)
  parent = masked_mlp.init(jax.random.key(1), sizes)
  stream = streams.batches(arrays.digits()['train'], _BATCH)
  batches = streams.stack(stream, options.steps)(jax.random.key(2), 0)
  masks = _masks(options.width, options.num_each)
  ways = {
    'program': _program(parent, masks, batches),
    'masked': _loop(parent, masks, batches, False),
    'compact': _loop(parent, masks, batches, True),
  }
  num, rows, losses = len(masks['layer_0']), [], {}
  for name, run in ways.items():
    seconds = []
    for _ in range(2):
      clocks = (time.perf_counter, time.process_time)
      start = [clock() for clock in clocks]
      losses[name] = run()
      seconds += [clock() - s for clock, s in zip(clocks, start)]
    rows.append((name, *seconds, num / seconds[1], num / seconds[3]))
  np.testing.assert_allclose(losses['program'], losses['masked'], rtol=0.01)
  np.testing.assert_allclose(losses['program'], losses['compact'], rtol=0.01)
  head = (
    'way',
    'first s',
    'of all cores',
    'second s',
    'of all cores',
    'networks a core second, compiled once',
    'without compilation',
  )
  print(measure.load())
  print(f'{num} networks, {options.steps} steps\n')
  print(measure.table(head, rows))


if __name__ == '__main__':
  main()
