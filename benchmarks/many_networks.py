"""Training of many tiny networks of NAS-Bench-201, in networks a second.

Random cells with 4 channels and one cell a stage, on 8x8 images, each trained
by 100 steps of SGD. nasjax trains them in one program that is compiled once for
the whole space, on one and on two devices of the host; PyTorch trains one
network after another, with one thread, with two, and in two processes:

  python -m benchmarks.many_networks --peer_python=PATH/bin/python

The machine must be idle: PyTorch's threads wait for each other, and together
with other programs they wait nearly all of the time.
"""

import argparse
import sys

import jax
from jax import lax
import jax.numpy as jnp

from benchmarks import measure
from nasjax import batching
from nasjax.estimators import training
from nasjax.networks import NasBench201

_SIZES = {
  'channels': 4,
  'cells': 1,
  'size': 8,
  'batch': 32,
  'batches': 10,  # the data, seen again and again
  'steps': 100,
}
_PEERS = (  # name, threads, processes, layout
  ('PyTorch, 2 threads', 2, 1, 'contiguous_format'),
  ('PyTorch, 1 thread', 1, 1, 'contiguous_format'),
  ('PyTorch, 1 thread, channels_last', 1, 1, 'channels_last'),
  ('PyTorch, 2 processes of 1 thread', 1, 2, 'contiguous_format'),
)
_HEAD = (
  'implementation',
  'networks/s (median)',
  'fastest',
  'slowest',
  'compile s',
  'networks/s with compile',
  'peak RSS MB',
  'times as fast as one PyTorch process',
  'as all PyTorch processes',
)


def _program(options):
  """Return a jitted function from `(keys, archs)` to the last losses."""
  network = NasBench201(
    channels=options.channels, cells_per_stage=options.cells, track=True
  )
  size = options.size
  trainer = training.train_child(network, (size, size, 3), options.steps)
  images = jax.random.normal(
    jax.random.key(0), (options.batches, options.batch, size, size, 3)
  )
  label = jnp.arange(options.batch) % 10

  def train(key_and_arch):
    key, arch = key_and_arch

    def step(child, t):
      batch = {'image': images[t % options.batches], 'label': label}
      child, metrics = trainer.update(key, child, arch, batch)
      return child, metrics['train_loss']

    child = trainer.init(key, arch)
    return lax.scan(step, child, jnp.arange(options.steps))[1][-1]

  return jax.jit(lambda pairs: batching.map_archs(train, pairs))


def _work(options):
  """Be the worker that runs nasjax."""
  archs = {'op': jnp.array(options.archs)}
  pairs = (jax.random.split(jax.random.key(1), len(options.archs)), archs)
  program, facts = measure.build(_program(options), pairs)
  run = lambda: jax.block_until_ready(program(pairs))
  run()
  measure.serve(run, **facts)


def _contestants(options):
  archs = f'--archs={",".join(measure.random_cells(options.networks))}'
  sizes = measure.forward(options, _SIZES)
  for devices in (1, 2):
    yield measure.start_nasjax(
      f'nasjax, {devices} device{"s" * (devices > 1)}',
      'benchmarks.many_networks',
      [archs, *sizes],
      devices,
    )
  if options.peer_python is None:
    return
  for name, threads, processes, layout in _PEERS:
    yield measure.start(
      name,
      [
        options.peer_python,
        '-m',
        'benchmarks.peers.nasbench201_torch',
        archs,
        f'--threads={threads}',
        f'--processes={processes}',
        f'--layout={layout}',
        *sizes,
      ],
    )


def _rows(results, networks):
  peers = [result for result in results if 'compile' not in result]
  seconds = lambda several: min(
    (peer['seconds'] for peer in peers if (peer['processes'] > 1) == several),
    default=float('nan'),
  )
  for result in results:
    once = result.get('trace', 0.0) + result.get('compile', 0.0)
    yield (
      result['name'],
      networks / result['seconds'],
      networks / result['fastest'],
      networks / result['slowest'],
      once or None,
      networks / (result['seconds'] + once),
      result['peak'],
      seconds(False) / result['seconds'],
      seconds(True) / result['seconds'],
    )


def main():
  parser = measure.parser(__doc__, _SIZES, networks=32, repetitions=3)
  parser.add_argument(
    '--archs', type=measure.read_cells, help=argparse.SUPPRESS
  )
  options = parser.parse_args()
  if options.archs:
    _work(options)
    return
  print(measure.load(), file=sys.stderr)
  results = measure.race(list(_contestants(options)), options.repetitions)
  print(measure.table(_HEAD, _rows(results, options.networks)))


if __name__ == '__main__':
  main()
