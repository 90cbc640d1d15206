"""Kendall's tau of predictors on two benchmarks, by number of labels.

Every predictor is fitted to the accuracies of n random cells and ranks all
others. The settings were chosen with seeds 100 to 102; the table has seeds 0 to
4 by default. Seconds are CPU time of a fit, without and with compilation, the
latter with scores of all cells. Published rows for comparison: S. Lu et al.,
PINAT, 2023, tables 1 and 9 (their labels and ours may be other columns of the
benchmark).

  python -m benchmarks.predictors --column=e200_cifar10_test
  python -m benchmarks.predictors --space=nasbench101

Of NAS-Bench-201 the default column is the accuracy on test images after one
training of 200 epochs on half of the training images, `e200_cifar10_test` the
mean of up to three on all. Of NAS-Bench-101 it is the validation accuracy after
108 epochs, of one run; unseen are the other cells of the sample of 20,001,
where the published rows have all 423,624.
"""

import argparse
from collections.abc import Callable
import functools
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from benchmarks import measure
from nasjax import archive, networks
from nasjax.data import nasbench101 as nasbench101_data
from nasjax.data import tabular
from nasjax.estimators import (
  autoencoder,
  comparator,
  ensemble,
  predictor,
  ranking_losses,
  ridge,
  self_labelled,
)
from nasjax.spaces import (
  graphs,
  nasbench101,
  nasbench101_cells,
  nasbench101_sequences,
  nasbench201,
  nasbench201_traits,
  sequences,
  tensors,
)
from nasjax.types import Arch, Estimator, Space

_NASBENCH101_PUBLISHED = {  # labels: 100, 172, 424, 4236, on all cells
  'published NP': (0.391, 0.545, 0.679, 0.769),
  'published NAO': (0.501, 0.566, 0.666, 0.775),
  'published ReNAS': (None, None, 0.657, 0.816),
  'published TNASP': (0.600, 0.669, 0.705, 0.820),
  'published PINAT': (0.679, 0.715, 0.772, 0.846),
}
_NASBENCH201_PUBLISHED = {  # labels: 78, 156, 469, 781, 1563
  'published NP': (0.343, 0.413, 0.584, 0.634, 0.646),
  'published NAO': (0.467, 0.493, 0.470, 0.522, 0.526),
  'published TNASP': (0.539, 0.589, 0.640, 0.689, 0.724),
  'published PINAT': (0.549, 0.631, 0.706, 0.761, 0.784),
}
_HINGE = ranking_losses.pairwise(ranking_losses.hinge(0.1))
_LOGISTIC = ranking_losses.pairwise(ranking_losses.logistic)
_CHUNK = 1563  # cells that are scored at once


class Benchmark(NamedTuple):
  """A space with values of architectures, and what is to be compared."""

  archs: Arch  # [N, ...]
  values: np.ndarray  # f32[N]
  predictors: dict[str, Callable[[Arch], Estimator]]  # functions of an example
  labels: tuple[int, ...]
  published: dict[str, tuple[float, ...]]  # tau for each number of labels


def _network(network, features, example, loss, steps=500, rate=1e-3, **kwargs):
  schedule = optax.cosine_decay_schedule(rate, steps)
  return predictor.predictor(
    network, features, example, loss, optax.adam(schedule), steps, **kwargs
  )


def _renas(loss):
  triplets = ranking_losses.consistency(ranking_losses.hinge(0.1), 4096)
  return ranking_losses.weighted_sum([(1.0, loss), (0.5, triplets)])


def _autoencoders(
  space: Space, tokens: sequences.Sequences
) -> dict[str, Callable[[Arch], Estimator]]:
  """Return NAO's predictor, and SemiNAS's without and with its own labels."""
  vocabulary = tokens.mask.shape[1]
  own = networks.autoencoder.seminas(vocabulary)
  fit = functools.partial(autoencoder.autoencoder, own, tokens, warm_start=True)
  return {
    'NAO': lambda x: autoencoder.autoencoder(
      networks.autoencoder.nao(vocabulary, bounded=False), tokens
    ),
    'SemiNAS without unlabelled cells': lambda x: fit(1500),
    'SemiNAS': lambda x: self_labelled.self_labelled(
      space, fit(1000), fit(500), 1000
    ),
  }


def predictors_of_nasbench201() -> dict[str, Callable[[Arch], Estimator]]:
  """Return predictors by name: functions of an example."""
  space = nasbench201.nasbench201()
  encode = space.encode
  traits = nasbench201_traits.encode
  plain = graphs.nasbench201
  pruned = lambda arch: graphs.nasbench201(arch, pruned=True)
  contracted = lambda arch: graphs.nasbench201(arch, True, True)
  ops = graphs.NASBENCH201_OPS
  part = {'batch_size': 64}
  best = part | {'standardize': True}
  mlp = networks.Mlp()
  comparing = optax.adam(optax.cosine_decay_schedule(1e-3, 500), b1=0.5)
  return {
    'ridge, one-hot': lambda x: ridge.ridge(encode, x),
    'ridge, traits': lambda x: ridge.ridge(traits, x, 10.0),
    'MLP, one-hot, squared error': lambda x: _network(
      mlp, encode, x, ranking_losses.squared_error, **part
    ),
    'MLP, one-hot, hinge': lambda x: _network(mlp, encode, x, _HINGE, **part),
    'ReNAS: LeNet, tensor, hinge and triplets': lambda x: _network(
      networks.LeNet(), tensors.nasbench201, x, _renas(_HINGE), 300, **best
    ),
    'NP-GCN, squared error': lambda x: _network(
      networks.NeuralPredictor(ops),
      plain,
      x,
      ranking_losses.squared_error,
      **part,
    ),
    'NP-GCN, pruned graph, logistic': lambda x: _network(
      networks.NeuralPredictor(ops), pruned, x, _LOGISTIC, **part
    ),
    'BRP GCN of width 128, softmax of pairs': lambda x: _network(
      networks.BrpGcn(ops, 128),
      contracted,
      x,
      ranking_losses.softmax_pairs,
      **part,
    ),
    'CTNAS comparator': lambda x: (
      comparator.comparator(
        networks.Gcn(ops), plain, x, comparing, 500, **part
      ).estimator
    ),
    'GCN both ways, pruned graph, logistic': lambda x: _network(
      networks.Gcn(ops, 64, reverse=True), pruned, x, _LOGISTIC, **part
    ),
    'MLP, traits, logistic': lambda x: _network(
      mlp, traits, x, _LOGISTIC, **best
    ),
    '5 x MLP, traits, logistic': lambda x: ensemble.ensemble(
      _network(mlp, traits, x, _LOGISTIC, **best), 5
    ),
  } | _autoencoders(space, sequences.categorical(space.mask))


def predictors_of_nasbench101(
  space: Space,
) -> dict[str, Callable[[Arch], Estimator]]:
  """Return predictors by name: functions of an example."""
  graph = graphs.nasbench101
  tensor = functools.partial(tensors.nasbench101, distinct=False)
  ops = graphs.NASBENCH101_OPS
  part = {'batch_size': 64}
  both = networks.Gcn(ops, 64, reverse=True)
  comparing = optax.adam(optax.cosine_decay_schedule(1e-3, 500), b1=0.5)
  return {
    'ReNAS: LeNet, tensor, hinge and triplets': lambda x: _network(
      networks.LeNet(), tensor, x, _renas(_HINGE), 300, **part, standardize=True
    ),
    'NP-GCN, squared error': lambda x: _network(
      networks.NeuralPredictor(ops),
      graph,
      x,
      ranking_losses.squared_error,
      **part,
    ),
    'NP-GCN, logistic': lambda x: _network(
      networks.NeuralPredictor(ops), graph, x, _LOGISTIC, **part
    ),
    'CTNAS comparator': lambda x: (
      comparator.comparator(
        networks.Gcn(ops), graph, x, comparing, 500, **part
      ).estimator
    ),
    'GCN both ways, logistic': lambda x: _network(
      both, graph, x, _LOGISTIC, **part
    ),
    '5 x GCN both ways, logistic': lambda x: ensemble.ensemble(
      _network(both, graph, x, _LOGISTIC, **part), 5
    ),
  } | _autoencoders(space, nasbench101_sequences.sequences())


def _measure(
  build: Callable[[Arch], Estimator],
  benchmark: Benchmark,
  num_labels: int,
  seeds: range,
) -> dict[str, Any]:
  """Return tau of every seed, and seconds."""
  example = jax.tree.map(lambda leaf: leaf[0], benchmark.archs)
  estimator = build(example)

  @jax.jit
  def fit(key, told):
    init_key, update_key = jax.random.split(key)
    return estimator.update(update_key, estimator.init(init_key), told)[0]

  @jax.jit
  def score(key, state):
    one = lambda arch: estimator.score(key, state, arch)
    return jax.lax.map(one, benchmark.archs, batch_size=_CHUNK)

  taus, seconds, first = [], [], None
  for seed in seeds:
    rows = np.random.default_rng(seed).permutation(len(benchmark.values))
    known, unseen = rows[:num_labels], rows[num_labels:]
    archs = jax.tree.map(lambda leaf, k=known: leaf[k], benchmark.archs)
    told = archive.Archive(
      archs, jnp.asarray(benchmark.values[known]), jnp.int32(num_labels)
    )
    start = time.process_time()
    state = jax.block_until_ready(fit(jax.random.key(seed), told))
    seconds.append(time.process_time() - start)
    scores = np.asarray(score(jax.random.key(seed), state))
    first = first or time.process_time() - start
    taus.append(
      stats.kendalltau(scores[unseen], benchmark.values[unseen]).statistic
    )
  return {'taus': taus, 'fit': np.median(seconds[1:]), 'first': first}


def nasbench101_benchmark(column: str) -> Benchmark:
  """Return the sample of NAS-Bench-101 with one column of its table."""
  table = nasbench101_data.load_nasbench101()
  codes = nasbench101_cells.codes(table.archs)
  return Benchmark(
    jax.tree.map(jnp.asarray, table.archs),
    table.columns[column],
    predictors_of_nasbench101(nasbench101.nasbench101(cells=codes)),
    (100, 172, 424, 4236),
    _NASBENCH101_PUBLISHED,
  )


def nasbench201_benchmark(column: str) -> Benchmark:
  """Return the cells of NAS-Bench-201 with one column of its table."""
  space = nasbench201.nasbench201()
  return Benchmark(
    jax.vmap(space.index)(jnp.arange(space.size)),
    tabular.values_by_index(tabular.load_nasbench201(), column),
    predictors_of_nasbench201(),
    (78, 156, 469, 781, 1563),
    _NASBENCH201_PUBLISHED,
  )


_BENCHMARKS = {  # by name: the benchmark of a column, and the default column
  'nasbench101': (nasbench101_benchmark, 'e108_valid'),
  'nasbench201': (nasbench201_benchmark, 'e200_cifar10valid_test_1run'),
}


def main():
  flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  flags.add_argument('--space', default='nasbench201', choices=_BENCHMARKS)
  flags.add_argument('--column', help='of the table')
  flags.add_argument('--first_seed', type=int, default=0)
  flags.add_argument('--seeds', type=int, default=5)
  flags.add_argument('--labels', type=int, nargs='+')
  flags.add_argument('--only', default='', help='part of the names to run')
  options = flags.parse_args()
  load, column = _BENCHMARKS[options.space]
  column = options.column or column
  benchmark = load(column)
  labels = options.labels or benchmark.labels
  seeds = range(options.first_seed, options.first_seed + options.seeds)
  rows = []
  for name, build in benchmark.predictors.items():
    if options.only not in name:
      continue
    results = [_measure(build, benchmark, n, seeds) for n in labels]
    cells = [
      f'{np.mean(r["taus"]):.3f} ± {np.std(r["taus"]):.3f}' for r in results
    ]
    last = results[-1]
    rows.append((name, *cells, float(last['fit']), float(last['first'])))
    print(*rows[-1], sep='; ', flush=True)
  for name, taus in benchmark.published.items():
    known = dict(zip(benchmark.labels, taus))
    rows.append((name, *map(known.get, labels), None, None))
  head = [
    *(f'n = {n}' for n in labels),
    f'fit of {labels[-1]}, CPU s',
    'first, with compilation and scores, CPU s',
  ]
  print(measure.table([column, *head], rows))


if __name__ == '__main__':
  main()
