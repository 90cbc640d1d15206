"""Accuracy of GCN and GAT on Cora and CiteSeer, all seeds in one program.

  python -m benchmarks.gcn_planetoid

T. Kipf and M. Welling report 81.5 and 70.3 for GCN (100 runs), P. Velickovic et
al. 83.0 and 72.5 for GAT. Both are architectures of the same network here, and
their recipes are the authors', but for GAT's end after 200 updates and its lack
of biases. Reads
`cora.npz` and `citeseer.npz` under `$NASJAX_DATA_DIR`.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import batching
from nasjax.data import planetoid
from nasjax.estimators import node_training, training
from nasjax.networks import gnn as networks
from nasjax.spaces import gnn

# Architecture, settings of the network, of its training, and updates.
RECIPES = {
  'gcn': (
    gnn.kipf,
    (16,),
    (1,),
    dict(dropout=0.5, attention_dropout=0.0),
    dict(learning_rate=0.01, decay_all=False, window=10, keep_best=False),
    200,
  ),
  'gat': (gnn.velickovic, (8,), (1, 8), {}, {}, 200),
}


def accuracies(name: str, graph: str, num_seeds: int) -> dict:
  """Return what all seeds reach, in percent, `f32[S]` by part."""
  make, hidden, heads, settings, recipe, num_steps = RECIPES[name]
  options = gnn.Options(hidden, heads=heads)
  arch, task = make(options), planetoid.load_planetoid(graph)
  _, num_features, num_classes = planetoid.SIZES[graph]
  network = networks.Gnn(num_features, num_classes, options, **settings)
  trainer = node_training.train_nodes(network, task['valid'], **recipe)

  def run(key):
    child = training.train(
      trainer, key, arch, lambda key, t: task['train'], num_steps
    )
    found = {
      part: 100 * trainer.accuracy(child, arch, task[part])
      for part in ('valid', 'test')
    }
    return found | {'updates': child.step}

  keys = jax.vmap(jax.random.key)(jnp.arange(num_seeds))
  program = jax.jit(lambda keys: batching.map_archs(run, keys))
  return jax.device_get(program(keys))


def main() -> None:
  """Print a line a network and graph."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--seeds', type=int, default=20)
  parser.add_argument('--networks', nargs='*', default=list(RECIPES))
  arguments = parser.parse_args()
  for name in arguments.networks:
    for graph in planetoid.SIZES:
      start = time.perf_counter()
      found = accuracies(name, graph, arguments.seeds)
      took = time.perf_counter() - start
      text = ', '.join(
        f'{key} {np.mean(x):.2f} +- {np.std(x, ddof=1):.2f}'
        for key, x in found.items()
      )
      print(f'{name} {graph}: {text} ({took:.0f} s)', flush=True)


if __name__ == '__main__':
  main()
