"""Seconds of compilation of the largest programs, in fresh processes.

Nothing is read from or written to a folder of compiled programs:

  python -m benchmarks.compile_times

Megabytes of intermediate values are those of the compiled program: what the
memory of tangent kernels is bounded by is seen here too.
"""

import argparse
import sys

import jax
import jax.numpy as jnp

from benchmarks import measure
from nasjax.estimators import ntk, training
from nasjax.networks import Darts, NasBench201
from nasjax.searches import hypergradients
from nasjax.spaces import darts_cell
from nasjax.systems import darts

_HEAD = (
  'program',
  'trace s',
  'compile s',
  'compile CPU s',
  'temporary MB',
  'peak RSS MB',
)


def _images(count, size):
  return {
    'image': jnp.zeros((count, size, size, 3)),
    'label': jnp.zeros(count, jnp.int32),
  }


def _nasbench201_forward():
  network = NasBench201(track=True)
  arch = {'op': jnp.zeros(6, jnp.int32)}
  images = _images(64, 32)['image']
  variables = jax.eval_shape(network.init, jax.random.key(0), arch, images)
  apply = lambda variables, arch, x: network.apply(
    variables, arch, x, train=False
  )
  return jax.jit(apply), (variables, arch, images)


def _nasbench201_train():
  network = NasBench201(track=True)
  trainer = training.train_child(network, (32, 32, 3), 1000)
  arch = {'op': jnp.zeros(6, jnp.int32)}
  child = jax.eval_shape(trainer.init, jax.random.key(0), arch)
  args = (jax.random.key(0), child, arch, _images(64, 32))
  return jax.jit(trainer.update), args


def _kernel(norm, implementation, block_size):
  """Return a program that makes the tangent kernel of 64 images."""

  def make():
    network = NasBench201(track=norm == 'frozen')
    arch = {'op': jnp.zeros(6, jnp.int32)}
    image = _images(64, 32)['image']
    variables = jax.eval_shape(network.init, jax.random.key(0), arch, image)
    kernel = lambda variables, arch, image: ntk.kernel(
      network,
      variables,
      arch,
      image,
      norm=norm,
      implementation=implementation,
      block_size=block_size,
    )
    return jax.jit(kernel), (variables, arch, image)

  return make


def _darts(hypergradient, channels, num_cells, size, count):
  """Return a program that makes the update of a search."""

  def make():
    network = Darts(channels=channels, num_cells=num_cells)
    search = darts.darts(
      darts_cell.darts_cell(),
      network,
      (size, size, 3),
      1000,
      hypergradient=hypergradient(),
    )
    state = jax.eval_shape(search.init, jax.random.key(0))
    batch = {name: _images(count, size) for name in ('train', 'valid')}
    update = jax.jit(search.update, donate_argnums=1)
    return update, (jax.random.key(0), state, batch)

  return make


_KERNELS = (
  ('frozen', 'factored', None),
  ('frozen', 'jacobian', None),
  ('frozen', 'jacobian', 8),
  ('frozen', 'jacobian', 1),
  ('batch', 'jacobian', 16),
  ('batch', 'jacobian', 4),
  ('batch', 'jacobian', 1),
)
_PROGRAMS = {
  'nasbench201_forward': (
    'NAS-Bench-201, any cell, 16 channels, 3x5 cells: forward',
    _nasbench201_forward,
  ),
  'nasbench201_train': (
    'NAS-Bench-201, any cell, 16 channels, 3x5 cells: training step',
    _nasbench201_train,
  ),
  'darts_small_first': (
    'DARTS first order, 8 channels, 4 cells, 8x8: search step',
    _darts(hypergradients.first_order, 8, 4, 8, 64),
  ),
  'darts_small_second': (
    'DARTS second order, 8 channels, 4 cells, 8x8: search step',
    _darts(hypergradients.exact, 8, 4, 8, 64),
  ),
  'darts_first': (
    'DARTS first order, 16 channels, 8 cells, 32x32: search step',
    _darts(hypergradients.first_order, 16, 8, 32, 16),
  ),
  'darts_second': (
    'DARTS second order, 16 channels, 8 cells, 32x32: search step',
    _darts(hypergradients.exact, 16, 8, 32, 16),
  ),
} | {
  f'kernel_{norm}_{form}_{size}': (
    f'NAS-Bench-201: kernel of 64 images, {norm} norm, {form}, block {size}',
    _kernel(norm, form, size),
  )
  for norm, form, size in _KERNELS
}


def _work(name):
  """Be the worker that compiles one program."""
  jitted, args = _PROGRAMS[name][1]()
  _, facts = measure.build(jitted, *args)
  measure.serve(lambda: None, **facts)


def _row(name):
  worker = measure.start(
    name,
    [sys.executable, '-m', 'benchmarks.compile_times', f'--worker={name}'],
    JAX_PLATFORMS='cpu',
  )
  (result,) = measure.race([worker], 1)
  figures = ('trace', 'compile', 'compile_cpu', 'temp', 'peak')
  return _PROGRAMS[name][0], *(result[figure] for figure in figures)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--programs', default=','.join(_PROGRAMS))
  parser.add_argument('--worker', help=argparse.SUPPRESS)
  options = parser.parse_args()
  if options.worker:
    _work(options.worker)
    return
  print(measure.load(), file=sys.stderr)
  rows = [_row(name) for name in options.programs.split(',')]
  print(measure.table(_HEAD, rows))


if __name__ == '__main__':
  main()
