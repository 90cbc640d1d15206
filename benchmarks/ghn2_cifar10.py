"""An update of GHN-2 on DeepNets-1M: compilation, seconds, loss.

The settings of `configs/ghn2_cifar10.py`, which are the paper's: eight networks
of up to 18 cells, 64 images of 32x32 pixels, blocks of 64x64 weights of 11x11;
the images are noise.

  python -m benchmarks.ghn2_cifar10
"""

import argparse
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from configs import ghn2_cifar10
from nasjax.estimators import ghn_optimizers, hypernetwork
from nasjax.experiment import build
from nasjax.spaces import deepnets

_IMAGES = 64


def main() -> None:
  """Print a line of what compilation takes, and one for every update."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--updates', type=int, default=2)
  options = parser.parse_args()
  print(measure.load(), file=sys.stderr)
  search = ghn2_cifar10.get_config().search.to_dict()
  layout = ghn2_cifar10.layout(quick=False)
  batch = {
    'image': jax.random.normal(jax.random.key(1), (_IMAGES, *layout.image)),
    'label': jnp.arange(_IMAGES) % layout.num_classes,
  }
  valid = jax.tree.map(lambda x: x[None], batch)
  estimator = hypernetwork.hypernetwork(
    deepnets.deepnets(layout),
    layout,
    build.build(search['model']),
    ghn_optimizers.adam(1000),
    valid | {'weight': np.ones((1, _IMAGES), np.float32)},
    search['meta_batch'],
  )
  state = estimator.init(jax.random.key(0))
  program, facts = measure.build(
    jax.jit(estimator.update), jax.random.key(0), state, batch
  )
  print(f'trace {facts["trace"]:.0f} s, compile {facts["compile"]:.0f} s')
  for t in range(options.updates):
    clock, cores = time.perf_counter(), time.process_time()
    state, metrics = program(jax.random.key(t), state, batch)
    loss = float(metrics['train_loss'])
    clock, cores = time.perf_counter() - clock, time.process_time() - cores
    print(f'update {clock:.0f} s, all cores {cores:.0f} s, loss {loss:.3f}')


if __name__ == '__main__':
  main()
