"""One search step of DARTS beside the authors' program in PyTorch.

The supernet of Liu, Simonyan, Yang, DARTS, 2019
(https://arxiv.org/abs/1806.09055): an update of the architecture, then one of
the weights. The peer is a checkout of github.com/quark0/darts, as published and
with tensors in the layout that is fastest on CPU (channels_last):

  python -m benchmarks.darts_step --peer=PATH --peer_python=PATH/bin/python

Second order: ours is exact, the peer's a finite difference (two more gradients
of the architecture); `--orders=finite_difference` times ours in that form.
The machine must be idle: PyTorch's threads wait for each other, and together
with other programs they wait nearly all of the time.
"""

import argparse
import os
import sys

import jax
import jax.numpy as jnp

from benchmarks import measure
from nasjax.networks import Darts
from nasjax.searches import hypergradients
from nasjax.spaces import darts_cell
from nasjax.systems import darts

_SIZES = ('channels', 'cells', 'size', 'batch', 'threads')
_EPOCH = 25_000  # images of the training half of CIFAR-10
_HEAD = (
  'order',
  'implementation',
  's/step (median)',
  'fastest',
  'slowest',
  'trace s',
  'compile s',
  'compile CPU s',
  's/step over one epoch with compile',
  'temporary MB',
  'peak RSS MB',
  'times as fast as published',
)


def _hypergradient(order):
  return {
    'first': hypergradients.first_order,
    'second': hypergradients.exact,
    'finite_difference': hypergradients.finite_difference,
  }[order]()


def _work(options):
  """Be the worker that runs nasjax."""
  size, count = options.size, options.batch
  network = Darts(channels=options.channels, num_cells=options.cells)
  search = darts.darts(
    darts_cell.darts_cell(),
    network,
    (size, size, 3),
    _EPOCH // count,
    hypergradient=_hypergradient(options.worker),
  )
  state = jax.jit(search.init)(jax.random.key(0))
  num_weights = sum(leaf.size for leaf in jax.tree.leaves(state.weights))
  images = jax.random.normal(jax.random.key(1), (2, count, size, size, 3))
  label = jnp.arange(count) % 10
  batch = {
    name: {'image': image, 'label': label}
    for name, image in zip(('train', 'valid'), images)
  }
  update, facts = measure.build(
    jax.jit(search.update, donate_argnums=1), jax.random.key(2), state, batch
  )
  held = {'state': state}

  def step():
    held['state'], metrics = update(jax.random.key(2), held['state'], batch)
    jax.block_until_ready((held['state'], metrics))

  step()
  measure.serve(step, num_weights=num_weights, **facts)


def _contestants(order, options):
  sizes = [f'--{name}={getattr(options, name)}' for name in _SIZES]
  ours = [sys.executable, '-m', 'benchmarks.darts_step', f'--worker={order}']
  yield measure.start('nasjax', ours + sizes, JAX_PLATFORMS='cpu')
  if options.peer is None:
    return
  peer_order = 'first' if order == 'first' else 'second'
  theirs = [
    options.peer_python,
    '-m',
    'benchmarks.peers.darts_torch',
    f'--peer={options.peer}',
    f'--order={peer_order}',
  ]
  for name, layout in (
    ('PyTorch, as published', 'contiguous_format'),
    ('PyTorch, channels_last', 'channels_last'),
  ):
    yield measure.start(name, [*theirs, f'--layout={layout}', *sizes])


def _rows(order, results, steps):
  weights = {result['num_weights'] for result in results}
  if len(weights) > 1:
    raise RuntimeError(f'The networks differ: {weights} weights.')
  published = results[1]['seconds'] if len(results) > 1 else None
  for result in results:
    once = result.get('trace', 0.0) + result.get('compile', 0.0)
    yield (
      order,
      result['name'],
      result['seconds'],
      result['fastest'],
      result['slowest'],
      result.get('trace'),
      result.get('compile'),
      result.get('compile_cpu'),
      result['seconds'] + once / steps,
      result.get('temp'),
      result['peak'],
      published and published / result['seconds'],
    )


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--peer', help='checkout of github.com/quark0/darts')
  parser.add_argument('--peer_python', help='interpreter that has PyTorch')
  parser.add_argument('--orders', default='first,second')
  parser.add_argument('--repetitions', type=int, default=5)
  parser.add_argument('--worker', help=argparse.SUPPRESS)
  for name, default in zip(_SIZES, (16, 8, 32, 16, os.cpu_count())):
    parser.add_argument(f'--{name}', type=int, default=default)
  options = parser.parse_args()
  if options.worker:
    _work(options)
    return
  rows = []
  for order in options.orders.split(','):
    print(f'{order}: {measure.load()}', file=sys.stderr)
    contestants = list(_contestants(order, options))
    results = measure.race(contestants, options.repetitions)
    rows += _rows(order, results, _EPOCH // options.batch)
  print(measure.table(_HEAD, rows))


if __name__ == '__main__':
  main()
