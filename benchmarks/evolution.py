"""Regularised evolution over a table of 15,625 rows, in seeds a second.

All seeds of nasjax are one program (`queries.spend` under `map_archs`), on one
and on two devices of the host; the peer is plain Python, one process, which
takes fewer seeds, since its time a seed does not depend on their number.

  python -m benchmarks.evolution --queries=10000 --seeds=500
  python -m benchmarks.evolution --queries=300 --seeds=500

The table has random values: the work does not depend on them.
"""

import argparse
import sys

import jax
import numpy as np

from benchmarks import measure
from nasjax import batching
from nasjax import keys as keys_lib
from nasjax.estimators import tabular
from nasjax.searches import queries
from nasjax.spaces import nasbench201
from nasjax.strategies import evolution

_SIZES = ('seeds', 'queries', 'population', 'tournament')
_HEAD = (
  'implementation',
  'seeds/s (median)',
  'fastest',
  'slowest',
  'trace s',
  'compile s',
  's for all seeds with compile',
  'times as fast as Python',
  'with compile',
)


def _work(options):
  """Be the worker that runs nasjax."""
  space = nasbench201.nasbench201()
  strategy = evolution.regularized_evolution(
    space, options.population, options.tournament
  )
  values = np.random.default_rng(0).random(space.size, np.float32)
  table = tabular.tabular(nasbench201.cell_index, values)

  def best(key):
    ledger = queries.spend(
      key,
      strategy,
      table,
      nasbench201.cell_index,
      space.size,
      options.queries,
      count_duplicates=True,
    )
    return ledger.values.max()

  per_device = -(-options.seeds // len(jax.local_devices()))
  keys = jax.random.split(jax.random.key(0), options.seeds)
  keys = keys if options.jax_keys else keys_lib.unrolled(keys)
  program, facts = measure.build(
    jax.jit(lambda keys: batching.map_archs(best, keys, per_device)), keys
  )
  jax.block_until_ready(program(keys))
  measure.serve(lambda: jax.block_until_ready(program(keys)), **facts)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  defaults = dict(zip(_SIZES, (500, 10_000, 100, 10)))
  for name, default in defaults.items():
    parser.add_argument(f'--{name}', type=int, default=default)
  parser.add_argument('--peer_seeds', type=int, default=5)
  parser.add_argument('--repetitions', type=int, default=5)
  parser.add_argument(
    '--jax_keys', action='store_true', help="jax's keys, not `keys.unrolled`"
  )
  parser.add_argument('--worker', action='store_true', help=argparse.SUPPRESS)
  options = parser.parse_args()
  if options.worker:
    _work(options)
    return
  print(measure.load(), file=sys.stderr)
  ours = ['--worker', *measure.forward(options, _SIZES)]
  ours += ['--jax_keys'] * options.jax_keys
  theirs = [
    *(sys.executable, '-m', 'benchmarks.peers.evolution_python'),
    *measure.forward(options, _SIZES[1:]),
    f'--seeds={options.peer_seeds}',
  ]
  contestants = [
    *(
      measure.start_nasjax(
        f'nasjax, {devices} device{"s" * (devices > 1)}',
        'benchmarks.evolution',
        ours,
        devices,
      )
      for devices in (1, 2)
    ),
    measure.start('Python', theirs),
  ]
  results = measure.race(contestants, options.repetitions)
  peer = results[-1]['seconds'] / options.peer_seeds
  rows = []
  for result in results:
    seeds = options.seeds if 'compile' in result else options.peer_seeds
    whole = result['seconds'] + sum(
      result.get(name, 0) for name in ('trace', 'compile')
    )
    rows.append(
      (
        result['name'],
        seeds / result['seconds'],
        seeds / result['fastest'],
        seeds / result['slowest'],
        result.get('trace'),
        result.get('compile'),
        whole / seeds * options.seeds if 'compile' not in result else whole,
        peer * seeds / result['seconds'],
        peer * seeds / whole,
      )
    )
  print(measure.table(_HEAD, rows))


if __name__ == '__main__':
  main()
