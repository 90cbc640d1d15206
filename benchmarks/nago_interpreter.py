"""One executable for all networks of a generator: what a training step takes.

Networks of up to 125 operations (three levels of up to five nodes) with 4, 8
and 16 channels, on batches of 32 digits. The step is compiled once, ahead of
time, so no network can be compiled again. The table has seconds of all cores,
which do not depend on what else a machine has to do, smallest network first:

  python -m benchmarks.nago_interpreter
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from nasjax import networks
from nasjax.data import arrays, streams
from nasjax.estimators import training
from nasjax.spaces import generators, hierarchies

_LEVELS = generators.nago_levels(5, min_middle=1)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--networks', type=int, default=12)
  parser.add_argument('--channels', type=int, default=4)
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--repetitions', type=int, default=3)
  options = parser.parse_args()
  space = generators.generator(_LEVELS)
  keys = jax.random.split(jax.random.key(0), options.networks)
  drawn = generators.realise_all(_LEVELS, jax.vmap(space.sample)(keys))
  network = networks.Nago(channels=options.channels, head=64, track=True)
  trainer = training.train_child(network, (8, 8, 1), 40, learning_rate=0.1)
  stream = streams.batches(arrays.digits()['train'], options.batch)
  batch, key = stream(keys[0], 0), keys[0]
  at = lambda i: jax.tree.map(lambda leaf: leaf[i], drawn)
  child = jax.jit(trainer.init)(key, at(0))
  step, facts = measure.build(jax.jit(trainer.update), key, child, at(0), batch)
  num_ops = np.asarray(jnp.sum(drawn.bottom.mask, axis=(1, 2, 3)))
  depths = jax.jit(jax.vmap(hierarchies.depth))(drawn)
  rows = []
  for i in np.argsort(num_ops):
    arch, seconds = at(i), []
    for _ in range(1 + options.repetitions):
      start = time.process_time()
      jax.block_until_ready(step(key, child, arch, batch))
      seconds.append(time.process_time() - start)
    median = statistics.median(seconds[1:])
    ops = int(num_ops[i])
    rows.append((ops, int(depths[i]), median, 1000 * median / ops))
  print(measure.load())
  print(
    f'compiled once: {facts["trace"]:.1f} s to trace, {facts["compile"]:.1f} s '
    f'to compile ({facts["compile_cpu"]:.1f} of all cores)\n'
  )
  head = ('operations', 'depth', 'core seconds a step', 'ms an operation')
  print(measure.table(head, rows))


if __name__ == '__main__':
  main()
