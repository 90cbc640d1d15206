r"""Predictors on a table of NAS-Bench-101: label some cells, then ask for few.

C. Ying et al., NAS-Bench-101, 2019. Methods see the validation accuracy after
108 epochs of n random cells, rank all cells of the table, and evaluate the k
that come first: n + k queries of which a cell that comes twice counts twice.
Rows bear the names of the methods whose predictor they have; the methods
themselves do not rank, they draw cells or decode them. Reported is the best
validation accuracy: the sample of 20,001 cells (`nb101_20k.npz` under
`$NASJAX_DATA_DIR`) has no test accuracy. With the table of the official files
(`python -m experiments.convert --help`) say `file=` and
`report=e108_test`.

  python -m experiments.study --config=configs/study_nasbench101.py \
      --workdir=runs/study101

What it finds: docs/studies/predictors_nasbench101.md.

Options come after a colon, separated by commas:

  quick       a planted score of the 2,532 cells of up to five vertices, which
              reads no file, 10 + 10 queries, random search and ridge regression
  labels      n, random cells (default 420)
  top         k, evaluated after the fit (default 20)
  seeds       of each predictor (default 10); random search has 500
  strategies  names, joined by '+', of STRATEGIES (default all)
  report      column that is reported (default e108_valid)
  file        name of the table
"""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from configs.study_nasbench201 import chosen
from nasjax.experiment.options import parse
from nasjax.spaces import nasbench101_cells

_TENSOR = dict(
  name='strategies.renas.model',
  features=dict(function='spaces.tensors.nasbench101'),
  num_steps=500,
)
_SEQUENCES = dict(name='spaces.nasbench101_sequences.sequences')
_SEMINAS = dict(
  name='estimators.autoencoder.autoencoder',
  network=dict(name='networks.autoencoder.seminas', vocabulary=7),
  sequences=_SEQUENCES,
  warm_start=True,
)
PREDICTORS = {
  'ridge': dict(
    name='estimators.ridge.ridge',
    features=dict(function='spaces.paths.nasbench101_paths'),
  ),
  'nao_predictor': dict(
    name='estimators.autoencoder.autoencoder',
    network=dict(
      name='networks.autoencoder.nao', vocabulary=7, group=1, bounded=False
    ),
    sequences=_SEQUENCES,
  ),
  'seminas_predictor': dict(
    name='estimators.self_labelled.self_labelled',
    model=dict(_SEMINAS, num_steps=1000),
    again=dict(_SEMINAS, num_steps=500),
    num_unlabelled=1000,
  ),
  'seminas_labelled_only': dict(_SEMINAS, num_steps=1500),
  'renas_predictor': _TENSOR,
  'renas_regression': dict(_TENSOR, ranking=False),
  'ctnas_comparator': dict(
    name='estimators.comparator.scorer',
    comparator=dict(
      name='strategies.ctnas.model',
      features=dict(function='spaces.graphs.nasbench101'),
      num_ops=5,
      num_steps=800,
      learning_rate=5e-4,
    ),
  ),
}
STRATEGIES = {
  'random_search': dict(
    name='strategies.random_search.random_search', replace=False
  ),
  'evolution_20_5': dict(
    name='strategies.evolution.regularized_evolution',
    population=20,
    tournament=5,
  ),
} | {
  name: dict(name='strategies.predicted.best_predicted', predictor=predictor)
  for name, predictor in PREDICTORS.items()
}
_OPTIONS = {
  'labels': 420,
  'top': 20,
  'seeds': 10,
  'strategies': '+'.join(STRATEGIES),
  'report': 'e108_valid',
  'file': 'nb101_20k.npz',
}
_QUICK = {
  'labels': 10,
  'top': 10,
  'seeds': 2,
  'strategies': 'random_search+ridge',
  'report': 'planted',
}


def planted(
  codes: np.ndarray, conv3: float = 1.0, conv1: float = 0.5
) -> np.ndarray:
  """Return a made-up score of cells, a weighted number of convolutions.

  Args:
    codes: of N cells, `int32[N]`.
    conv3: weight of one with a 3x3 kernel.
    conv1: of one with a 1x1 kernel.

  Returns:
    `f32[N]`.
  """
  archs = jax.vmap(nasbench101_cells.decode)(jnp.asarray(codes))
  used = jax.vmap(nasbench101_cells.used_vertices)(archs)[:, 1:-1]
  weights = jnp.array([conv3, conv1, 0.0])[archs['op']]
  return np.asarray(jnp.sum(used * weights, axis=1), np.float32)


def _table(options: dict) -> dict:
  """Return the sections of the table, and its rows' codes."""
  column = lambda name: dict(
    name='data.nasbench101.values', table='@data', column=name
  )
  return dict(
    data=dict(name='data.nasbench101.load_nasbench101', file=options['file']),
    codes=dict(name='spaces.nasbench101_cells.codes', archs='@data.archs'),
    signal=column('e108_valid'),
    columns={options['report']: column(options['report'])},
  )


def _quick_table() -> dict:
  """Return the same of all small cells."""
  codes = dict(name='spaces.nasbench101_classes.all_codes', num_vertices=5)
  score = dict(name='configs.study_nasbench101:planted', codes=codes)
  return dict(codes=codes, signal=score, columns=dict(planted=score))


def _strategy(name: str, options: dict) -> dict:
  """Return the section of a method."""
  if name not in PREDICTORS:
    return STRATEGIES[name]
  labels, top = options['labels'], options['top']
  if min(labels, top) < 1 or labels % top:
    raise ValueError(
      f'labels must be a positive multiple of top, got {labels} and {top}.'
    )
  return dict(
    STRATEGIES[name], num_initial=labels, num_new=top, capacity=labels + top
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option or value.
  """
  options = parse(arg, _OPTIONS, _QUICK)
  names = chosen(options, STRATEGIES)
  table = _quick_table() if options['quick'] else _table(options)
  codes = table.pop('codes')
  queries = options['labels'] + options['top']
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=options['seeds'],
      seed_batch_size=1,
      num_queries=queries,
      budgets=(options['labels'], queries),
      strategies={name: _strategy(name, options) for name in names},
      settings={
        # Asked for n + k times, a predictor is fitted once.
        name: dict(chunk_size=2, count_duplicates=True)
        for name in names
        if name in PREDICTORS
      }
      | {'random_search': dict(num_seeds=500, seed_batch_size=500)},
      space=dict(name='spaces.nasbench101.nasbench101', cells=codes),
      index_of=dict(name='spaces.nasbench101_cells.row_of', codes=codes),
      **table,
    )
  )
