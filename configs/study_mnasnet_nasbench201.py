r"""MnasNet's rewards on measured latencies, beside other ways to search.

M. Tan et al., MnasNet, CVPR 2019, has no search that could be run again here:
this is its method on a table. Searches see the validation accuracy of
NAS-Bench-201's 12-epoch training and the latency of a device; the test accuracy
after 200 epochs is only reported. A name ends in what its strategy sees:

  soft, hard   acc (lat / T)^w, w = -0.07; w = 0 within T and -1 beyond
  within       acc within T, 0 beyond

and what is reported of the queries of a search is, besides the columns at the
best by that,

  valid_within, test_within   at the best validation accuracy of those within T
  valid_area, test_area       of the front of validation accuracy and latency,
                              in percent times milliseconds

Needs `nb201_table.npz` and `nb201_latency.npz` under `$NASJAX_DATA_DIR`.

  python -m experiments.study --config=configs/study_mnasnet_nasbench201.py \
      --workdir=runs/mnasnet_study

Options come after a colon, separated by commas:

  quick    the table of digits that comes with nasjax, with thousands of
           weights as latency; 20 seeds, 60 queries
  device   of DEVICES (default pixel3), or 'cpu': the table of digits with the
           latencies that `configs/profile_nasbench201.py` has measured here
  lstm     with the recurrent policy too, which takes most of the time
  seeds    of each strategy (default 100)
  queries  of each seed (default 500)
"""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from configs import latency_darts_nasbench201
from nasjax.data import digits_table, latency, tabular
from nasjax.estimators import combine
from nasjax.experiment.options import parse
from nasjax.searches import queries
from nasjax.spaces import nasbench201
from nasjax.types import Strategy

# By device: T, within which a quarter of all cells are, and the latency that
# areas are counted from, within which nearly all are; milliseconds.
DEVICES = {
  'pixel3': (6.44, 30.0),
  'gold_6226': (7.79, 16.0),
  '1080ti_1': (8.48, 15.0),
}
DIGITS = (8.5, 20.0)  # the same in thousands of weights
LEAST = {'valid': 60.0, 'test': 85.0}  # percent, where areas begin
LEAST_OF_DIGITS = {'valid': 60.0, 'test': 60.0}
_OWN = 'configs.study_mnasnet_nasbench201'


def ppo(policy: str, learning_rate: float, **settings) -> dict:
  """Return the section of PPO with a policy, ten architectures an update.

  Args:
    policy: name of the factory of a distribution.
    learning_rate: of Adam.
    **settings: of the distribution.

  Returns:
    The section.
  """
  return dict(
    name='strategies.ppo.ppo',
    distribution=dict(name=policy, **settings),
    # A larger eps: gradients of choices that were not drawn are rounding.
    optimizer=dict(name='optax:adam', learning_rate=learning_rate, eps=1e-3),
    batch_size=10,
  )


_STRATEGIES = {
  'evolution': dict(
    name='strategies.evolution.regularized_evolution',
    population=20,
    tournament=5,
  ),
  'ppo': ppo('distributions.categorical.categorical', 0.05),
  'ppo_lstm': ppo(
    'distributions.controller.controller', 0.01, features=32, num_layers=1
  ),
}
_SEEN = {
  'evolution': ('soft', 'hard', 'within'),
  'ppo': ('soft', 'hard', 'within'),
  'ppo_lstm': ('soft', 'hard'),
}


def _with_rewards(columns: dict, target: float) -> dict[str, np.ndarray]:
  """Return columns with what searches may see: the two rewards, the limit."""
  valid, cost = columns['valid'], columns['latency']
  return columns | {
    'soft': np.asarray(combine.weigh(valid, cost, target, combine.SOFT)),
    'hard': np.asarray(combine.weigh(valid, cost, target, combine.HARD)),
    'within': np.where(cost <= target, valid, 0.0),
  }


def of_nasbench201(device: str, target: float) -> dict[str, np.ndarray]:
  """Return the columns of the benchmark, in the order of the space.

  Args:
    device: a column of the table of latencies.
    target: T in milliseconds.

  Returns:
    `f32[15625]` by name: 'valid', 'test', 'latency', 'soft', 'hard', 'within'.
  """
  table, times = tabular.load_nasbench201(), latency.load_nasbench201_latency()
  columns = {
    'valid': tabular.values_by_index(table, 'e12_cifar10_valid'),
    'test': tabular.values_by_index(table, 'e200_cifar10_test'),
    'latency': tabular.values_by_index(times, device),
  }
  return _with_rewards(columns, target)


def of_digits(
  target: float, device: str | None = None
) -> dict[str, np.ndarray]:
  """Return the same of the table of digits.

  Args:
    target: T in the unit of the latency.
    device: 'cpu', or None for thousands of weights as latency.

  Returns:
    `f32[4096]` by name, and the 'mask' of the space.
  """
  table = digits_table.load()
  space = nasbench201.nasbench201(table.mask)
  archs = jax.vmap(space.index)(jnp.arange(space.size))
  if device is None:
    num_params = lambda arch: nasbench201.num_params(arch, channels=4, cells=1)
    latencies = np.asarray(jax.vmap(num_params)(archs)) / 1e3
  else:
    rows = np.asarray(jax.vmap(nasbench201.cell_index)(archs))
    latencies = latency_darts_nasbench201.milliseconds(device)[rows]
  columns = {
    'valid': digits_table.values(table, 'valid', run=0),
    'test': digits_table.values(table, 'test'),
    'latency': latencies,
  }
  return _with_rewards(columns, target) | {'mask': table.mask}


def column(data: dict[str, np.ndarray], which: str) -> np.ndarray:
  """Return one of the columns of `data`, an array of numbers."""
  return data[which]


def limits(device: str) -> tuple[tuple[float, float], dict[str, float]]:
  """Return T and the latency that areas are counted from, and where they begin.

  Args:
    device: of DEVICES, or 'cpu', whose T is the quartile of what was measured.

  Returns:
    Two latencies in milliseconds, and percents by column.
  """
  if device != 'cpu':
    return DEVICES[device], LEAST
  latencies = of_digits(1.0, device)['latency']
  found = (round(float(np.quantile(latencies, q)), 2) for q in (0.25, 0.99))
  return tuple(found), LEAST_OF_DIGITS


def two_objectives(
  strategy: Strategy, data: dict[str, np.ndarray], index_of: queries.IndexOf
) -> Strategy:
  """Return a strategy that is told accuracy and latency instead of one value.

  Args:
    strategy: one of two objectives.
    data: 'valid' and 'latency' by row.
    index_of: `(arch) -> i32[]`, the row.

  Returns:
    The strategy; what has failed, has failed in both.
  """
  pairs = jnp.stack([data['valid'], -data['latency']], axis=1)

  def tell(key, state, proposal, values):
    known = jnp.isfinite(values)[:, None]
    rows = jax.vmap(index_of)(proposal.archs)
    both = jnp.where(known, pairs[rows], -jnp.inf)
    return strategy.tell(key, state, proposal, both)

  return strategy._replace(tell=tell)


def _strategies(recurrent: bool) -> tuple[dict, dict]:
  """Return all strategies, and their settings."""
  strategies = {
    'random_search': dict(
      name='strategies.random_search.random_search', replace=False
    ),
    'nsga2': dict(
      name=f'{_OWN}:two_objectives',
      strategy=dict(
        name='strategies.nsga2.nsga2', population=20, batch_size=10
      ),
    ),
  }
  own = {'nsga2': dict(count_duplicates=True)}
  for name, seen in _SEEN.items():
    if name == 'ppo_lstm' and not recurrent:
      continue
    for which in seen:
      strategies[f'{name}_{which}'] = _STRATEGIES[name]
      own[f'{name}_{which}'] = dict(count_duplicates=True, sees=which)
  return strategies, own


def _reported(target, most, least_of) -> dict:
  """Return the picks and fronts of a study."""
  pick = dict(by='valid', where=f'latency <= {target}')
  front = dict(by='valid', cost='latency', most=most)
  return dict(
    picks={f'{name}_within': pick | dict(report=name) for name in least_of},
    fronts={
      f'{name}_area': front | dict(report=name, least=least)
      for name, least in least_of.items()
    },
  )


def table(device: str | None, target: float) -> dict:
  """Return the sections of a table.

  Args:
    device: of DEVICES, or None for thousands of weights.
    target: T.

  Returns:
    The sections 'data', 'space' and 'index_of'.
  """
  space = dict(name='spaces.nasbench201.nasbench201')
  if device in (None, 'cpu'):
    numbers = dict(name='spaces.categorical.numbering', mask='@data.mask')
    return dict(
      data=dict(name=f'{_OWN}:of_digits', target=target, device=device),
      space=dict(space, mask='@data.mask'),
      index_of=numbers,
    )
  return dict(
    data=dict(name=f'{_OWN}:of_nasbench201', device=device, target=target),
    space=space,
    index_of=dict(function='spaces.nasbench201.cell_index'),
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
    arg,
    {'device': 'pixel3', 'lstm': False, 'seeds': 100, 'queries': 500},
    {'seeds': 20, 'queries': 60},
    {'device': (*DEVICES, 'cpu')},
  )
  strategies, own = _strategies(options['lstm'])
  if options['quick']:
    (target, most), least_of = DIGITS, LEAST_OF_DIGITS
    few = ('random_search', 'nsga2', 'evolution_soft', 'ppo_hard')
    strategies = {name: strategies[name] for name in few}
    own = {name: own[name] for name in few if name in own}
  else:
    (target, most), least_of = limits(options['device'])
  budgets = (20, 60, 100, 200, 500, 1000)
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=options['seeds'],
      seed_batch_size=options['seeds'],
      num_queries=options['queries'],
      budgets=tuple(b for b in budgets if b <= options['queries']),
      signal=dict(name=f'{_OWN}:column', which='hard'),
      columns={
        name: f'@data.{name}'
        for name in ('valid', 'test', 'latency', 'soft', 'hard', 'within')
      },
      strategies=strategies,
      settings=own,
      **table(None if options['quick'] else options['device'], target),
      **_reported(target, most, least_of),
    )
  )
