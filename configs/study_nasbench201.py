r"""Strategies on NAS-Bench-201, hundreds of seeds each, compared.

X. Dong and Y. Yang, NAS-Bench-201, 2020, table 5: searches see the validation
accuracy of the 12-epoch training on CIFAR-10, the test accuracy after 200
epochs is reported at the best by it. Needs `nb201_table.npz` under
`$NASJAX_DATA_DIR`.

  python -m experiments.study --config=configs/study_nasbench201.py \
      --workdir=runs/study

Options come after a colon, separated by commas:

  quick       the table of digits that comes with nasjax, 20 seeds, 40 queries
  digits      that table, all else as for NAS-Bench-201
  mean        with it, searches see the mean of its three trainings, not one
  signal      column of NAS-Bench-201 that searches see (default
              e12_cifar10_valid)
  report      column that is reported (default e200_cifar10_test); both may be
              the same, for calibration
  seeds       of each strategy (default 500)
  queries     of each seed (default 300)
  strategies  names, joined by '+', of STRATEGIES; by default those that fit
              no model. Those that do take ten seeds, one after another
"""

import ml_collections

from nasjax.experiment.names import unknown
from nasjax.experiment.options import parse

# Settings: nas_benchmarks' and NATS-Bench's evolution, all neighbours at once.
_EVOLUTION = 'strategies.evolution.regularized_evolution'
STRATEGIES = {
  'random_search': dict(
    name='strategies.random_search.random_search', replace=False
  ),
  'evolution_10_3': dict(name=_EVOLUTION, population=10, tournament=3),
  'evolution_20_5': dict(name=_EVOLUTION, population=20, tournament=5),
  'evolution_30_10': dict(name=_EVOLUTION, population=30, tournament=10),
  'evolution_100_10': dict(name=_EVOLUTION, population=100, tournament=10),
  'local_search': dict(name='strategies.local_search.local_search'),
  # NATS-Bench's settings, and a recurrent policy.
  'reinforce': dict(
    name='strategies.reinforce.reinforce',
    distribution=dict(name='distributions.categorical.categorical'),
  ),
  'reinforce_lstm': dict(
    name='strategies.reinforce.reinforce',
    distribution=dict(name='distributions.controller.controller'),
  ),
  'ppo': dict(
    name='strategies.ppo.ppo',
    distribution=dict(name='distributions.categorical.categorical'),
    optimizer=dict(name='optax:adam', learning_rate=0.05),
    batch_size=10,
  ),
  'tpe': dict(name='strategies.tpe.tpe', capacity=500),
}
# Those that fit a model: their seeds run one after another.
_CTNAS = dict(
  name='strategies.ctnas.ctnas',
  comparator=dict(
    name='strategies.ctnas.model',
    features=dict(function='spaces.graphs.nasbench201'),
    num_ops=7,
    width=64,
    num_steps=300,
    learning_rate=1e-3,
    batch_size=64,
  ),
  controller=dict(name='distributions.categorical.categorical'),
  optimizer=dict(name='optax:adam', b1=0.5, learning_rate=0.1),
  num_steps=2000,
  update_every=100,
  num_initial=50,
  num_new=50,
)
_RENAS = dict(
  name='strategies.renas.model',
  features=dict(function='spaces.tensors.nasbench201'),
)
MODELS = {
  'bananas': dict(
    name='strategies.bananas.bananas',
    features=dict(function='spaces.paths.nasbench201_paths', num_features=30),
    capacity=500,
  ),
  'nas_bowl': dict(
    name='strategies.nas_bowl.nas_bowl',
    graph=dict(
      function='spaces.graphs.nasbench201', pruned=True, contracted=True
    ),
    capacity=300,
  ),
  'nao': dict(name='strategies.nao.nao', num_initial=50, num_new=50),
  'seminas': dict(
    name='strategies.seminas.seminas', num_initial=50, num_new=50
  ),
  'seminas_labelled_only': dict(
    name='strategies.nao.nao',
    network=dict(name='networks.autoencoder.seminas', vocabulary=6),
    num_initial=50,
    num_new=50,
    num_steps=1500,
    warm_start=True,
  ),
  'renas': dict(
    name='strategies.renas.renas',
    predictor=_RENAS,
    num_initial=50,
    num_new=50,
  ),
  'renas_regression': dict(
    name='strategies.renas.renas',
    predictor=dict(_RENAS, ranking=False),
    num_initial=50,
    num_new=50,
  ),
  'ctnas': _CTNAS,
  'ctnas_fixed_baseline': dict(_CTNAS, curriculum=False),
}
STRATEGIES |= MODELS
# Published runs of evolution count what they ask for again; policies that have
# made up their mind would not ask for anything new for very long.
_SETTINGS = {
  name: dict(count_duplicates=True)
  for name in STRATEGIES
  if name.startswith('evolution') or name in ('ppo', 'reinforce_lstm')
} | {
  name: dict(num_seeds=10, seed_batch_size=1, chunk_size=2) for name in MODELS
}
_TABLE_STRATEGIES = [name for name in STRATEGIES if name not in MODELS]
_OPTIONS = {
  'digits': False,
  'mean': False,
  'signal': 'e12_cifar10_valid',
  'report': 'e200_cifar10_test',
  'seeds': 500,
  'queries': 300,
  'strategies': '+'.join(_TABLE_STRATEGIES),
}
_QUICK = {
  'seeds': 20,
  'queries': 40,
  'strategies': 'random_search+evolution_10_3',
}
_BUDGETS = (10, 20, 50, 75, 100, 150, 200, 300, 500, 1000)


def chosen(options: dict, known: dict) -> list[str]:
  """Return the strategies that the options name, the baseline among them.

  Args:
    options: with names joined by '+' as 'strategies'.
    known: all strategies by name.

  Returns:
    Their names.

  Raises:
    ValueError: for an unknown name.
  """
  names = options['strategies'].split('+')
  for name in names:
    if name not in known:
      raise unknown('strategy', name, known)
  return names if 'random_search' in names else ['random_search', *names]


def _nasbench201(options: dict) -> dict:
  """Return the sections of the benchmark."""
  column = lambda name: dict(
    name='data.tabular.values_by_index', table='@data', column=name
  )
  return dict(
    data=dict(name='data.tabular.load_nasbench201'),
    space=dict(name='spaces.nasbench201.nasbench201'),
    index_of=dict(function='spaces.nasbench201.cell_index'),
    signal=column(options['signal']),
    columns={options['report']: column(options['report'])},
  )


def _digits(mean: bool) -> dict:
  """Return the sections of the table that comes with nasjax."""
  column = lambda split, **which: dict(
    name='data.digits_table.values', table='@data', split=split, **which
  )
  return dict(
    data=dict(name='data.digits_table.load'),
    space=dict(name='spaces.nasbench201.nasbench201', mask='@data.mask'),
    index_of=dict(name='spaces.categorical.numbering', mask='@data.mask'),
    # Searches see one training, as they would; reported is the mean of three.
    signal=column('valid') if mean else column('valid', run=0),
    columns=dict(valid=column('valid'), test=column('test')),
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
  own_table = options['digits'] or options['quick']
  if options['mean'] and not own_table:
    raise ValueError('The option mean is one of the table of digits.')
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=options['seeds'],
      seed_batch_size=options['seeds'],
      num_queries=options['queries'],
      budgets=tuple(b for b in _BUDGETS if b <= options['queries']),
      settings={k: v for k, v in _SETTINGS.items() if k in names},
      strategies={name: STRATEGIES[name] for name in names},
      **(_digits(options['mean']) if own_table else _nasbench201(options)),
    )
  )
