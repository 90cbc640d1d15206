"""All parameters of a ResNet-50 from a hypernetwork, in one forward pass.

The hypernetwork has the sizes of the paper for ImageNet (32 features, blocks of
64x64 weights, kernels up to 16x16) and weights that are not trained: the time
does not depend on them.

  python -m benchmarks.ghn2_resnet50
"""

import argparse
import functools
import statistics
import sys
import time

import jax
import numpy as np

from benchmarks import measure
from nasjax.networks import Hypernetwork, deepnets_exact
from nasjax.spaces import deepnets_resnet


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--repetitions', type=int, default=5)
  options = parser.parse_args()
  print(measure.load(), file=sys.stderr)
  graph = deepnets_resnet.resnet50()
  model = Hypernetwork(num_classes=1000, kernel=16)
  init = functools.partial(model.init, method='everything')
  variables = jax.jit(init)(jax.random.key(0), graph)
  predict = functools.partial(deepnets_exact.predict, model, graph=graph)
  program, facts = measure.build(jax.jit(lambda v: predict(v)), variables)
  tensors = program(variables)
  seconds = []
  for _ in range(options.repetitions):
    start = time.perf_counter()
    jax.block_until_ready(program(variables))
    seconds.append(time.perf_counter() - start)
  head = ('tensors', 'parameters', 'compile s', 's a pass', 'fastest')
  count = sum(map(np.size, tensors.values()))
  compile_seconds = facts['trace'] + facts['compile']
  row = (len(tensors), count, compile_seconds, statistics.median(seconds))
  print(measure.table(head, [(*row, min(seconds))]))


if __name__ == '__main__':
  main()
