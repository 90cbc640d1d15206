"""Neural tangent kernels of NAS-Bench-201 networks, in seconds a network.

The kernel of the sums of logits, over kernels and scales of normalisation
without those of the classifier (Mok et al., Demystifying the Neural Tangent
Kernel from a Practical Perspective, 2022, https://arxiv.org/abs/2203.14577).
Normalisation takes running statistics at their initial values (`frozen`) or
those of the batch (`batch`), whose examples then depend on each other: a
backward pass of the whole batch for each.

  python -m benchmarks.ntk --peer_python=PATH/bin/python

`frozen` and `batch` are one network, a constant of the program; `frozen_many`
and `batch_many` are random cells, data of one program compiled for all. The
peers are plain PyTorch with the same weights and images; the last column is the
largest difference of kernels from those of the first peer over the largest
entry: a few 1e-3 where rounding tips one rectifier, as between PyTorch's own
layouts. The machine must be idle, for PyTorch's threads wait for each other.
"""

import argparse
import pathlib
import sys
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from nasjax import batching
from nasjax.estimators import ntk
from nasjax.networks import NasBench201

_SIZES = {'channels': 16, 'cells': 1, 'size': 32, 'batch': 32}
_FACTORED = ('nasjax, factored', 'factored', 1)
_JACOBIAN = ('nasjax, Jacobian', 'jacobian', 1)
_OURS = {  # case: name, implementation, devices
  'frozen': (_FACTORED, _JACOBIAN),
  'batch': (_JACOBIAN, ('nasjax, Jacobian in blocks', 'blocks', 1)),
  'frozen_many': (_FACTORED, ('nasjax, factored, 2 devices', 'factored', 2)),
  'batch_many': (_JACOBIAN, ('nasjax, Jacobian, 2 devices', 'jacobian', 2)),
}
_LOOP = ('PyTorch, a backward pass an example', 'loop', False, 1)
_LAST = ('PyTorch, a backward pass an example, channels_last', 'loop', True, 1)
_LAST_2 = ('PyTorch, loop, channels_last, 2 processes', 'loop', True, 2)
_FUNC = ('PyTorch, torch.func', 'func', False, 1)
_HOOKS = ('PyTorch, factored', 'factored', False, 1)
_HOOKS_2 = ('PyTorch, factored, 2 processes', 'factored', False, 2)
_PEERS = {  # case: name, form, channels_last, processes
  'frozen': (
    _LOOP,
    ('PyTorch, one example after another', 'examples', False, 1),
    _FUNC,
    _HOOKS,
  ),
  'batch': (_LOOP, _LAST),
  'frozen_many': (_FUNC, _HOOKS, _HOOKS_2),
  'batch_many': (_LOOP, _LAST, _LAST_2),
}
_HEAD = (
  'case',
  'implementation',
  's/network (median)',
  'fastest',
  'slowest',
  'trace s',
  'compile s',
  'temporary MB',
  'peak RSS MB',
  'times as fast as the first peer',
  'as the fastest peer',
  'relative difference',
)


def _norm(case):
  return case.removesuffix('_many')


def _archs(case, options):
  """Return the cells of a case, as strings of six digits, one an edge."""
  if not case.endswith('_many'):
    return [options.arch]
  return measure.random_cells(options.networks)


def _save(path, params):
  """Write weights under their paths, for the peers."""
  leaves = jax.tree_util.tree_leaves_with_path(params)
  named = {'/'.join(entry.key for entry in keys): leaf for keys, leaf in leaves}
  np.savez(path, **named)


def _work(options):
  """Be the worker that runs nasjax."""
  case, implementation = options.worker.split(':')
  norm, archs = _norm(case), _archs(case, options)
  network = NasBench201(
    channels=options.channels,
    cells_per_stage=options.cells,
    track=norm == 'frozen',
    unroll=options.unroll,
  )
  shape = (options.batch, options.size, options.size, 3)
  image = np.random.default_rng(0).standard_normal(shape, np.float32)
  choices = measure.read_cells(','.join(archs))
  several = {'op': jnp.array(choices)}
  many = case.endswith('_many')
  one = {'op': several['op'][0] if many else tuple(choices[0])}
  init = jax.jit(  # which leaves running statistics as they are
    lambda key, image: network.init(key, one, image[:1], train=False)
  )
  variables = init(jax.random.key(0), image)

  def kernel(arch, variables, image):
    blocks = implementation == 'blocks'
    return ntk.kernel(
      network,
      variables,
      arch,
      image,
      norm=norm,
      implementation='jacobian' if blocks else implementation,
      block_size=options.block_size if blocks else None,
    )

  def kernels(variables, several, image):
    if not many:
      return kernel(one, variables, image)[None]
    return batching.map_archs(
      lambda arch: kernel(arch, variables, image), several
    )

  arguments = (variables, several, jnp.asarray(image))
  program, facts = measure.build(jax.jit(kernels), *arguments)
  folder = pathlib.Path(options.folder)
  _save(folder / f'{case}.npz', variables['params'])
  np.save(folder / f'{options.result}.npy', program(*arguments))
  measure.serve(lambda: jax.block_until_ready(program(*arguments)), **facts)


def _contestants(case, folder, options):
  """Start the workers of a case; their kernels get the names 0, 1, ..."""
  common = [f'--folder={folder}', *measure.forward(options, _SIZES)]
  ours = measure.forward(options, ('arch', 'networks', 'block_size', 'unroll'))
  for result, (name, implementation, devices) in enumerate(_OURS[case]):
    own = [f'--worker={case}:{implementation}', f'--result={result}']
    yield measure.start_nasjax(
      name, 'benchmarks.ntk', [*ours, *common, *own], devices
    )
  if options.peer_python is None:
    return
  theirs = [
    *(options.peer_python, '-m', 'benchmarks.peers.ntk_torch'),
    *(f'--archs={",".join(_archs(case, options))}', f'--norm={_norm(case)}'),
    f'--weights={case}.npz',
  ]
  for result, (name, form, last, processes) in enumerate(_PEERS[case]):
    own = [
      f'--layout={"channels_last" if last else "contiguous_format"}',
      *(f'--form={form}', f'--threads={1 if processes > 1 else 2}'),
      *(f'--processes={processes}', f'--result={len(_OURS[case]) + result}'),
    ]
    yield measure.start(name, [*theirs, *common, *own])


def _difference(ours, theirs):
  """Return the largest difference of a network's kernels over its entries."""
  scale = np.abs(theirs).max((1, 2), keepdims=True)
  # The kernel of a network without a path is zero.
  return float(np.max(np.abs(ours - theirs) / np.where(scale > 0, scale, 1)))


def _rows(case, results, kernels, networks):
  peers = [result for result in results if 'processes' in result]
  reference = kernels[len(results) - len(peers)] if peers else kernels[0]
  fastest = min((peer['seconds'] for peer in peers), default=None)
  for result, kernel in zip(results, kernels):
    yield (
      case,
      result['name'],
      result['seconds'] / networks,
      result['fastest'] / networks,
      result['slowest'] / networks,
      result.get('trace'),
      result.get('compile'),
      result.get('temp'),
      # A parent does not know the memory of its processes.
      result['peak'] if result.get('processes', 1) == 1 else None,
      peers[0]['seconds'] / result['seconds'] if peers else None,
      fastest and fastest / result['seconds'],
      f'{_difference(kernel, reference):.1e}',
    )


def _race(case, options):
  with tempfile.TemporaryDirectory() as folder:
    contestants = list(_contestants(case, folder, options))
    kernels = [
      np.load(pathlib.Path(folder) / f'{result}.npy')
      for result in range(len(contestants))
    ]
    results = measure.race(contestants, options.repetitions)
  return _rows(case, results, kernels, len(_archs(case, options)))


def main():
  parser = measure.parser(__doc__, _SIZES, networks=16, repetitions=5)
  parser.add_argument('--cases', default=','.join(_OURS))
  parser.add_argument('--arch', default='324132', help='of a single network')
  parser.add_argument('--block_size', type=int, default=8)
  parser.add_argument(
    '--unroll',
    action=argparse.BooleanOptionalAction,
    default=True,
    help='whether edges whose operations are data are unrolled',
  )
  for name in ('worker', 'folder', 'result'):
    parser.add_argument(f'--{name}', help=argparse.SUPPRESS)
  options = parser.parse_args()
  if options.worker:
    _work(options)
    return
  rows = []
  for case in options.cases.split(','):
    print(f'{case}: {measure.load()}', file=sys.stderr)
    rows += _race(case, options)
  print(measure.table(_HEAD, rows))


if __name__ == '__main__':
  main()
