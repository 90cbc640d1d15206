r"""Accuracy against energy on NAS-Bench-101: a front by NSGA-II.

P. Bakhtiarifard, C. Igel and R. Selvan, EC-NAS: Energy Consumption Aware
Tabular Benchmarks for Neural Architecture Search, 2023: the energy of four
epochs of training, measured for 4,310 cells; the other objective is the
validation accuracy after 108 epochs. K. Deb et al., NSGA-II, 2002. The
hypervolume, counted from 80 % and 0.05 kWh, is in the metrics and the plots;
its unit is percent times watt-hours. Needs `nb101_energy_4310.csv.gz` under
`$NASJAX_DATA_DIR`.

  python -m experiments.search --config=configs/nsga2_nasbench101.py \
      --workdir=runs/nsga2

Options come after a colon, separated by commas:

  quick       the 2,532 cells of up to five vertices, planted scores; no file
  strategy    'nsga2' (default), or 'random', the baseline
"""

import ml_collections

from nasjax.experiment.options import parse

_STRATEGIES = {
  'nsga2': dict(
    name='strategies.nsga2.nsga2', population=20, batch_size=10, crossover=None
  ),
  # Each cell once: what random search is at its best on a table.
  'random': dict(
    name='strategies.random_search.random_search', batch_size=10, replace=False
  ),
}


def _real() -> dict:
  """Return the sections of the tables."""
  codes = dict(name='spaces.nasbench101_cells.codes', archs='@data.archs')
  column = lambda name, scale=1.0: dict(
    name='estimators.tabular.tabular',
    index_of=dict(name='spaces.nasbench101_cells.row_of', codes=codes),
    values=dict(
      name='data.nasbench101.values', table='@data', column=name, scale=scale
    ),
  )
  return dict(
    data=dict(name='data.nasbench101.load_nasbench101_energy'),
    space=dict(name='spaces.nasbench101.nasbench101', cells=codes),
    objectives=dict(
      valid_accuracy=column('e108_valid'),
      minus_watt_hours=column('e4_energy_kwh', -1000.0),
    ),
    reference=(80.0, -50.0),
  )


def _quick() -> dict:
  """Return the same of planted scores: convolutions cost, and help."""
  codes = dict(name='spaces.nasbench101_classes.all_codes', num_vertices=5)
  planted = lambda **weights: dict(
    name='estimators.tabular.tabular',
    index_of=dict(name='spaces.nasbench101_cells.row_of', codes=codes),
    values=dict(
      name='configs.study_nasbench101:planted', codes=codes, **weights
    ),
  )
  return dict(
    space=dict(name='spaces.nasbench101.nasbench101', cells=codes),
    objectives=dict(gain=planted(), minus_cost=planted(conv3=-9.0, conv1=-1.0)),
    reference=(-1.0, -50.0),
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
  options = parse(
    arg, {'strategy': 'nsga2'}, {}, {'strategy': tuple(_STRATEGIES)}
  )
  quick = options['quick']
  sections = _quick() if quick else _real()
  objectives = sections.pop('objectives')
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=4 if quick else 50,
      seed_batch_size=4 if quick else 50,
      num_steps=10 if quick else 30,
      eval_every=5,
      num_random=4 if quick else 50,
      strategy=_STRATEGIES[options['strategy']],
      search=dict(
        name='searches.multi_objective.multi_objective',
        estimators=list(objectives.values()),
        reference=sections.pop('reference'),
        batch_size=10,
      ),
      describe=objectives,
      **sections,
    )
  )
