r"""AGNN's mechanisms on NAS-Bench-Graph, beside other strategies.

K. Zhou et al., Auto-GNN, 2019, on a table: Y. Qin et al., NAS-Bench-Graph,
2022. Searches see the validation accuracy, the test accuracy at the best by it
is reported; every architecture that is asked for is a query. Needs
`nas_bench_graph.npz` under `$NASJAX_DATA_DIR`.

  python -m experiments.study --config=configs/study_nasbench_graph.py \
      --workdir=runs/nasbench_graph

Options come after a colon, separated by commas:

  quick       the same space with planted scores, 20 seeds, 40 queries
  graph       of data.nasbench_graph.GRAPHS (default cora)
  seeds       of each strategy (default 20)
  queries     of each seed (default 500)
  strategies  names, joined by '+', of STRATEGIES (default all)

Conservative ones: `agnn_uniform` draws classes all alike, `agnn_neither` does
and learns nothing, and `agnn_fast` has ten times the rate of learning.
"""

import ml_collections
import numpy as np

from configs.study_nasbench201 import chosen
from nasjax.data import nasbench_graph as data
from nasjax.experiment.options import parse
from nasjax.spaces import nasbench_graph as spaces

_CONSERVATIVE = dict(name='strategies.conservative.conservative')
STRATEGIES = {
  'random_search': dict(
    name='strategies.random_search.random_search', replace=False
  ),
  'evolution': dict(
    name='strategies.evolution.regularized_evolution',
    population=50,
    tournament=10,
  ),
  # GraphNAS's settings; accuracies are in percent here.
  'graphnas': dict(
    name='strategies.reinforce.reinforce',
    distribution=dict(
      name='distributions.controller.controller', features=100, num_layers=1
    ),
    optimizer=dict(name='optax:adam', learning_rate=3.5e-4),
    decay=0.95,
    entropy_weight=0.01,
  ),
  # NATS-Bench's settings.
  'reinforce': dict(
    name='strategies.reinforce.reinforce',
    distribution=dict(name='distributions.categorical.categorical'),
  ),
  'agnn': _CONSERVATIVE,
  'agnn_uniform': dict(_CONSERVATIVE, by_entropy=False),
  'agnn_neither': dict(
    _CONSERVATIVE, optimizer=dict(name='optax:set_to_zero'), by_entropy=False
  ),
  'agnn_fast': dict(
    _CONSERVATIVE, optimizer=dict(name='optax:adam', learning_rate=3.5e-3)
  ),
}
_OPTIONS = {
  'graph': 'cora',
  'seeds': 20,
  'queries': 500,
  'strategies': '+'.join(STRATEGIES),
}
_QUICK = {'seeds': 20, 'queries': 40, 'strategies': 'random_search+agnn'}
_BUDGETS = (20, 50, 100, 200, 500, 1000)


def planted() -> np.ndarray:
  """Return a score with a known optimum, `f32[59049]`: chains of the second."""
  codes = np.indices((len(spaces.LINKS), *[len(spaces.OPERATIONS)] * 4))
  link, ops = codes[0], codes[1:]
  return (np.sum(ops == 1, 0) + link / 8).ravel().astype(np.float32)


def _table(graph: str) -> dict:
  """Return the sections of the benchmark."""
  column = lambda which: dict(
    name='data.nasbench_graph.values', table='@data', column=f'{graph}_{which}'
  )
  return dict(
    data=dict(name='data.nasbench_graph.load_nasbench_graph'),
    num_rows=data.NUM_ROWS + 1,
    index_of=dict(
      name='spaces.nasbench_graph.row_of',
      link='@data.archs.link',
      ops='@data.archs.op',
    ),
    signal=column('valid'),
    columns=dict(valid=column('valid'), test=column('test')),
  )


def _planted() -> dict:
  """Return the same of planted scores."""
  column = dict(name='configs.study_nasbench_graph:planted')
  return dict(
    index_of=dict(name='spaces.categorical.numbering', mask='@space.mask'),
    signal=column,
    columns=dict(planted=column),
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
  options = parse(arg, _OPTIONS, _QUICK, {'graph': data.GRAPHS})
  names = chosen(options, STRATEGIES)
  queries = options['queries']
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=options['seeds'],
      seed_batch_size=options['seeds'],
      num_queries=queries,
      count_duplicates=True,
      budgets=tuple(b for b in _BUDGETS if b < queries) + (queries,),
      strategies={name: STRATEGIES[name] for name in names},
      space=dict(name='spaces.nasbench_graph.nasbench_graph'),
      **(_planted() if options['quick'] else _table(options['graph'])),
    )
  )
