"""Scores of NASWOT of random NAS-Bench-201 cells, in cells a second.

The score of Mellor et al., Neural Architecture Search without Training, 2021
(https://arxiv.org/abs/2006.04647), as they compute it: 16 channels, five cells
a stage, 128 images of 32x32. Every cell draws weights of its own. nasjax scores
all cells in one program that is compiled once for the whole space, on one and
on two devices of the host. The peer is a checkout of
github.com/BayesWatch/nas-without-training, whose networks are scored as
published, and as fast as PyTorch does it: one pass without gradients, tensors
in the layout channels_last, one Gram matrix of 8-bit integers a rectifier, in
one process and in two:

  python -m benchmarks.naswot --peer=PATH --peer_python=PATH/bin/python

A second table has the scores of both sides, for the same cells and images and
different initial weights. The published program counts most rectifiers twice
(`count='official'`), so there are two comparisons. The machine must be idle:
PyTorch's threads wait for each other, and together with other programs they
wait nearly all of the time.
"""

import argparse
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from nasjax import batching
from nasjax.estimators import zero_cost
from nasjax.networks import NasBench201

_SIZES = {'channels': 16, 'cells': 5, 'size': 32, 'batch': 128}
_OURS = (  # devices, how rectifiers are counted; the first is timed
  (1, 'relu,official'),
  (2, 'relu'),
)
_PEERS = (  # name, form, threads, processes
  ('PyTorch, as published', 'published', 2, 1),
  ('PyTorch, one pass', 'one_pass', 2, 1),
  ('PyTorch, one pass, 2 processes of 1 thread', 'one_pass', 1, 2),
)
_HEAD = (
  'implementation',
  'cells/s (median)',
  'fastest',
  'slowest',
  'trace s',
  'compile s',
  'cells/s with compile',
  'temporary MB',
  'peak RSS MB',
  'times as fast as published',
  'as one tuned process',
  'as two tuned processes',
)
_SCORES_HEAD = (
  'cell',
  'nasjax',
  'PyTorch, one pass',
  'difference %',
  'nasjax, official count',
  'PyTorch, as published',
  'difference %',
)


def _program(options, count):
  """Return a jitted function from `(keys, archs)` to the scores."""
  network = NasBench201(
    num_classes=1,
    channels=options.channels,
    cells_per_stage=options.cells,
    unroll=options.unroll,
  )
  shape = (options.batch, options.size, options.size, 3)
  image = np.random.default_rng(0).standard_normal(shape, np.float32)
  proxy = zero_cost.naswot(network, {'image': jnp.asarray(image)}, count)

  def score(key_and_arch):
    key, arch = key_and_arch
    return proxy.raw(key, proxy.init(key, arch), arch)

  return jax.jit(lambda pairs: batching.map_archs(score, pairs))


def _work(options):
  """Be the worker that runs nasjax."""
  archs = {'op': jnp.array(options.archs)}
  pairs = (jax.random.split(jax.random.key(1), len(options.archs)), archs)
  timed, *others = options.counts.split(',')
  program, facts = measure.build(_program(options, timed), pairs)
  scores = {timed: program(pairs).tolist()}
  for count in others:
    scores[count] = _program(options, count)(pairs).tolist()
  measure.serve(
    lambda: jax.block_until_ready(program(pairs)), scores=scores, **facts
  )


def _contestants(options):
  archs = f'--archs={",".join(measure.random_cells(options.networks))}'
  sizes = measure.forward(options, _SIZES)
  ours = [archs, *sizes, *measure.forward(options, ['unroll'])]
  for devices, counts in _OURS:
    yield measure.start_nasjax(
      f'nasjax, {devices} device{"s" * (devices > 1)}',
      'benchmarks.naswot',
      [*ours, f'--counts={counts}'],
      devices,
    )
  if options.peer is None:
    return
  for name, form, threads, processes in _PEERS:
    yield measure.start(
      name,
      [
        options.peer_python,
        '-m',
        'benchmarks.peers.naswot_torch',
        f'--peer={options.peer}',
        archs,
        f'--form={form}',
        f'--threads={threads}',
        f'--processes={processes}',
        *sizes,
      ],
    )


def _rows(results, networks):
  peers = {
    (result['form'], result['processes']): result['seconds']
    for result in results
    if 'form' in result
  }
  rivals = [('published', 1), ('one_pass', 1), ('one_pass', 2)]
  for result in results:
    once = result.get('trace', 0.0) + result.get('compile', 0.0)
    yield (
      result['name'],
      networks / result['seconds'],
      networks / result['fastest'],
      networks / result['slowest'],
      result.get('trace'),
      result.get('compile'),
      networks / (result['seconds'] + once),
      result.get('temp'),
      # A parent does not know the memory of its processes.
      result['peak'] if result.get('processes', 1) == 1 else None,
      *(
        peers[rival] / result['seconds'] if rival in peers else None
        for rival in rivals
      ),
    )


def _difference(ours, theirs):
  """Return by how many percent two scores differ; None if both have none."""
  if ours == theirs:  # both -inf: no path through the cell
    return None
  if not math.isfinite(ours) or not math.isfinite(theirs):
    return math.inf
  return 100 * (ours / theirs - 1)


def _score_rows(archs, results):
  ours = results[0]['scores']
  theirs = {
    result['form']: result['scores'] for result in results if 'form' in result
  }
  columns = zip(
    archs,
    ours['relu'],
    theirs['one_pass'],
    ours['official'],
    theirs['published'],
  )
  for arch, relu, one_pass, official, published in columns:
    yield (
      arch,
      *(f'{score:.1f}' for score in (relu, one_pass)),
      _difference(relu, one_pass),
      *(f'{score:.1f}' for score in (official, published)),
      _difference(official, published),
    )


def main():
  parser = measure.parser(__doc__, _SIZES, networks=16, repetitions=5)
  parser.add_argument(
    '--peer', help='checkout of github.com/BayesWatch/nas-without-training'
  )
  parser.add_argument(
    '--unroll',
    action=argparse.BooleanOptionalAction,
    default=True,
    help="whether the cell's edges are unrolled rather than looped over",
  )
  parser.add_argument('--counts', help=argparse.SUPPRESS)
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
  if options.peer is not None:
    archs = measure.random_cells(options.networks)
    print()
    print(measure.table(_SCORES_HEAD, _score_rows(archs, results)))


if __name__ == '__main__':
  main()
