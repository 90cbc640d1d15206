"""Gradients of convolutions inside a loop over networks, and outside of it.

On CPU, XLA's own gradients of a convolution are many times slower inside
`lax.map` than outside, which would make every training loop slow; those of
`nasjax.ops` are not. Each row divides the time of a `lax.map` over networks by
that of the same work unrolled:

  JAX_PLATFORMS=cpu python -m benchmarks.convolution_gradients
"""

import argparse
import functools
import sys

import jax
from jax import lax
import jax.numpy as jnp

from benchmarks import measure
from nasjax import ops

_LIMIT = 1.5  # how many times as much the loop may cost
_SHAPES = ((32, 16), (16, 32), (8, 64))  # pixels a side, channels
_KINDS = (  # name, pixels a side of the kernel, dilation
  ('convolution', 3, 1),
  ('depthwise', 3, 1),
  ('depthwise', 5, 1),
  ('depthwise', 5, 2),
)
_HEAD = (
  'operation',
  'images',
  'gradient of',
  'code',
  'unrolled ms/network',
  'lax.map ms/network',
  'ratio',
)


def _plain(x, kernel, dilation):
  """XLA's convolution and JAX's derivatives; depthwise for `[k, k, C]`."""
  pad = dilation * (kernel.shape[0] - 1) // 2
  depthwise = kernel.ndim == 3
  return lax.conv_general_dilated(
    x,
    kernel[:, :, None] if depthwise else kernel,
    (1, 1),
    ((pad, pad), (pad, pad)),
    rhs_dilation=(dilation, dilation),
    feature_group_count=x.shape[-1] if depthwise else 1,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _ours(x, kernel, dilation):
  function = ops.depthwise if kernel.ndim == 3 else ops.convolution
  return function(x, kernel, dilation=dilation)


def _gradient(convolution, dilation, wrt):
  """Return the pull-back to the image (0) or to the kernel (1)."""

  def pull_back(operands):
    x, kernel, cotangent = operands
    if wrt == 0:
      function, primal = lambda x: convolution(x, kernel, dilation), x
    else:
      function, primal = lambda kernel: convolution(x, kernel, dilation), kernel
    return jax.vjp(function, primal)[1](cotangent)[0]

  return pull_back


def _unrolled(f, operands):
  """Do what `lax.map` does, without a loop."""
  row = lambda i: jax.tree.map(lambda leaf: leaf[i], operands)
  return jnp.stack([f(row(i)) for i in range(len(operands[0]))])


def _operands(kind, kernel, networks, batch, pixels, channels):
  """Return images, kernels and cotangents of all networks."""
  image = (networks, batch, pixels, pixels, channels)
  weights = (networks, kernel, kernel, channels)
  if kind == 'convolution':
    weights += (channels,)
  keys = jax.random.split(jax.random.key(0), 3)
  return jax.block_until_ready(
    tuple(map(jax.random.normal, keys, (image, weights, image)))
  )


def _milliseconds(f, operands, repetitions):
  """Return what a network takes, unrolled and in `lax.map`."""
  calls = []
  for run in (_unrolled, lax.map):
    program = jax.jit(functools.partial(run, f)).lower(operands).compile()
    calls.append(functools.partial(_wait_for, program, operands))
  seconds = measure.interleave(calls, repetitions)
  return [1e3 * taken / len(operands[0]) for taken in seconds]


def _wait_for(program, operands):
  jax.block_until_ready(program(operands))


def _rows(options):
  codes = {'nasjax.ops': _ours, 'lax.conv': _plain}
  for kind, kernel, dilation in _KINDS:
    for pixels, channels in _SHAPES:
      operands = _operands(
        kind, kernel, options.networks, options.batch, pixels, channels
      )
      for wrt, what in enumerate(('image', 'kernel')):
        for name in options.code.split(','):
          unrolled, looped = _milliseconds(
            _gradient(codes[name], dilation, wrt), operands, options.repetitions
          )
          yield (
            f'{kind} {kernel}x{kernel}, dilation {dilation}',
            f'{pixels}x{pixels}x{channels}',
            what,
            name,
            unrolled,
            looped,
            looped / unrolled,
          )


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--networks', type=int, default=8)
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--repetitions', type=int, default=5)
  parser.add_argument('--code', default='nasjax.ops,lax.conv')
  options = parser.parse_args()
  print(measure.load(), file=sys.stderr)
  rows = list(_rows(options))
  print(measure.table(_HEAD, rows))
  ours = [row[-1] for row in rows if row[3] == 'nasjax.ops']
  if ours and max(ours) > _LIMIT:
    print(
      f'nasjax.ops: the loop costs up to {max(ours):.2f} times as much, more '
      f'than {_LIMIT}.',
      file=sys.stderr,
    )
    sys.exit(1)


if __name__ == '__main__':
  main()
