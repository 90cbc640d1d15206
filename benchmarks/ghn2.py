"""A meta-batch of networks in one program, beside a loop over compiled ones.

Random networks of `configs/ghn2_digits.py` with random weights: the loss and
its gradient with respect to the weights, on one batch. The program of all
networks is compiled once, for these and for any others; the loop compiles each
network, written out with tensors of exactly its shapes, and every meta-batch
has new ones. The hypernetwork itself is the same for both, and left out.

  python -m benchmarks.ghn2
"""

import argparse
import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import measure
from nasjax import batching
from nasjax.estimators import hypernetwork
from nasjax.networks import deepnets, deepnets_exact, deepnets_random
from nasjax.spaces import deepnets_graphs, deepnets_layouts, deepnets_splits
from nasjax.spaces import deepnets_primitives as primitives

_LAYOUT = deepnets_layouts.DIGITS
_HEAD = ('implementation', 'compile s', 's a meta-batch', 's, both together')


def _tensors(graph, seed):
  """Return random tensors of exactly the shapes of a network, by vertex."""
  generator = np.random.default_rng(seed)
  found = {}
  for place in np.flatnonzero(graph.mask):
    name = primitives.PRIMITIVES[graph.op[place]]
    outputs, inputs, *kernel = graph.shape[place]
    if name in ('conv', 'sep_conv', 'dil_conv'):
      shape = (*kernel, inputs, outputs)
    elif name in ('bn', 'bias'):
      shape = (2, outputs) if name == 'bn' else (outputs,)
    else:
      continue
    found[int(place)] = generator.normal(size=shape).astype(np.float32)
  return found


def _networks(count):
  """Return networks, random weights for all, and random tensors of each."""
  split = deepnets_splits.splits(_LAYOUT)['train']
  archs = deepnets_splits.networks(split, 0, count)
  keys = jax.random.split(jax.random.key(0), count)
  draw = functools.partial(deepnets_random.draw, _LAYOUT)
  params = jax.jit(jax.vmap(draw))(keys, archs)
  graph = jax.jit(functools.partial(deepnets_graphs.graph, _LAYOUT))
  each = [jax.tree.map(lambda x, i=i: x[i], archs) for i in range(count)]
  tensors = [
    _tensors(jax.tree.map(np.asarray, graph(arch)), i)
    for i, arch in enumerate(each)
  ]
  return archs, params, each, tensors


def _one_program(archs, params, batch):
  def loss(params, arch, batch):
    logits = deepnets.logits(_LAYOUT, params, arch, batch['image'])
    return hypernetwork.measure(logits, batch)[0]

  @jax.jit
  def run(params, archs, batch):
    return batching.map_archs(
      lambda net, batch: jax.value_and_grad(loss)(*net, batch),
      (params, archs),
      shared=(batch,),
    )

  return measure.build(run, params, archs, batch)


def _written_out(arch, tensors, batch):
  def loss(tensors, batch):
    logits = deepnets_exact.logits(_LAYOUT, tensors, arch, batch['image'])
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(
      logits, batch['label']
    )
    return jnp.mean(losses)

  return measure.build(jax.jit(jax.value_and_grad(loss)), tensors, batch)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--networks', type=int, default=8)
  parser.add_argument('--images', type=int, default=32)
  parser.add_argument('--repetitions', type=int, default=5)
  options = parser.parse_args()
  print(measure.load(), file=sys.stderr)
  archs, params, each, tensors = _networks(options.networks)
  batch = {
    'image': jax.random.normal(jax.random.key(1), (options.images, 8, 8, 1)),
    'label': jnp.arange(options.images) % 10,
  }
  program, facts = _one_program(archs, params, batch)
  built = [_written_out(*net, batch) for net in zip(each, tensors)]
  together = lambda: jax.block_until_ready(program(params, archs, batch))

  def loop():
    for (f, _), x in zip(built, tensors):
      jax.block_until_ready(f(x, batch))

  seconds = measure.interleave([together, loop], options.repetitions)
  compile_seconds = [
    sum(f['trace'] + f['compile'] for f in all_facts)
    for all_facts in ([facts], [f for _, f in built])
  ]
  names = ('one program of all networks', 'a loop over compiled networks')
  rows = [
    (name, compiling, running, compiling + running)
    for name, compiling, running in zip(names, compile_seconds, seconds)
  ]
  print(measure.table(_HEAD, rows))


if __name__ == '__main__':
  main()
