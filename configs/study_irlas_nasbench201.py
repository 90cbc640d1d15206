r"""What a reward for the topology of an expert does to searches of cells.

M. Guo et al., IRLAS, CVPR 2019, on a table, our reconstruction: the expert is a
residual block (two 3x3 convolutions and a skip connection around them), the
reward `acc + lambda F`, with the validation accuracy after 12 epochs as a
fraction and F the mirror stimuli function (1 at the expert, 0 on average over
random cells). Searches differ in lambda alone; the baseline is the
one of lambda = 0. Reported at the best by its reward: 'valid' and 'test', the
accuracy after 200 epochs, in percent, 'latency' on a Pixel 3 in ms, 'stimulus',
F, and 'distance', that of the feature counts from the expert's. Needs
`nb201_table.npz` and `nb201_latency.npz` under `$NASJAX_DATA_DIR`.

  python -m experiments.study --config=configs/study_irlas_nasbench201.py \
      --workdir=runs/irlas_study

Options come after a colon, separated by commas:

  quick    the table of digits that comes with nasjax, with thousands of weights
           as latency; 20 seeds, 60 queries, two values of lambda
  agent    q_learning (default) or reinforce
  seeds    of each lambda (default 200)
  queries  of each seed (default 500)
"""

from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from configs import study_mnasnet_nasbench201 as tables
from nasjax.distributions import categorical
from nasjax.estimators import mirror
from nasjax.experiment.options import parse
from nasjax.spaces import nasbench201, topology
from nasjax.strategies import reinforce

EXPERT = (
  '|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+'
  '|skip_connect~0|none~1|skip_connect~2|'
)
WEIGHTS = {'lambda_0': 0.0, 'lambda_01': 0.1, 'lambda_03': 0.3, 'lambda_1': 1.0}
_OWN = 'configs.study_irlas_nasbench201'
_BATCH = 10


def agent(name: str, num_queries: int) -> dict:
  """Return the section of an agent.

  Args:
    name: 'q_learning' or 'reinforce'.
    num_queries: that it will have.
  """
  if name == 'reinforce':
    return dict(
      name='strategies.reinforce.reinforce',
      distribution=dict(name='distributions.categorical.categorical'),
      optimizer=dict(name='optax:adam', learning_rate=0.05),
      batch_size=_BATCH,
    )
  return dict(
    name='strategies.q_learning.q_learning',
    batch_size=_BATCH,
    # BlockQNN's 0.01, as recalled, is for 178 iterations of 64.
    learning_rate=0.1,
    num_iterations=-(-num_queries // _BATCH),
  )


def learned() -> mirror.Mirror:
  """Return the mirror of the expert, learned with a policy as the agent."""
  space = nasbench201.nasbench201()
  policy = categorical.categorical(space)
  return mirror.learn(
    space,
    reinforce.reinforce(policy, optax.adam(0.1), batch_size=32),
    topology.nasbench201,
    nasbench201.from_string(EXPERT),
  )


def columns(device: str | None) -> dict[str, Any]:
  """Return the columns of a table, and the rewards of every lambda.

  Args:
    device: see `study_mnasnet_nasbench201.table`.

  Returns:
    Vectors by name, in the order of the space, and the 'mirror'.
  """
  found = (
    tables.of_digits(1.0)
    if device is None
    else tables.of_nasbench201(device, 1.0)
  )
  space = nasbench201.nasbench201(found.get('mask'))
  expert = topology.nasbench201(nasbench201.from_string(EXPERT))
  found['mirror'] = learned()
  stimulus = mirror.stimulus(found['mirror'], lambda counts: counts)

  def measure(i):
    counts = topology.nasbench201(space.index(i))
    return stimulus(counts), jnp.linalg.norm(counts - expert)

  rows = jnp.arange(space.size)
  found['stimulus'], found['distance'] = map(
    np.asarray, jax.jit(jax.vmap(measure))(rows)
  )
  return found | {
    name: found['valid'] / 100 + weight * found['stimulus']
    for name, weight in WEIGHTS.items()
  }


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
    {'agent': 'q_learning', 'seeds': 200, 'queries': 500},
    {'seeds': 20, 'queries': 60},
    {'agent': ('q_learning', 'reinforce')},
  )
  device = None if options['quick'] else 'pixel3'
  table = tables.table(device, 1.0)
  weights = ('lambda_0', 'lambda_1') if options['quick'] else tuple(WEIGHTS)
  budgets = (100, 200, 500, 1000)
  reported = ('valid', 'test', 'latency', 'stimulus', 'distance')
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=options['seeds'],
      seed_batch_size=options['seeds'],
      num_queries=options['queries'],
      count_duplicates=True,
      baseline='lambda_0',
      budgets=tuple(b for b in budgets if b < options['queries'])
      + (options['queries'],),
      **table | dict(data=dict(name=f'{_OWN}:columns', device=device)),
      signal=dict(name=f'{tables.__name__}:column', which='lambda_0'),
      columns={name: f'@data.{name}' for name in (*reported, *weights)},
      strategies={
        name: agent(options['agent'], options['queries']) for name in weights
      },
      settings={name: dict(sees=name) for name in weights},
    )
  )
