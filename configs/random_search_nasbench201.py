r"""Random search over the table of NAS-Bench-201: the baseline.

L. Li and A. Talwalkar, Random Search and Reproducibility for Neural
Architecture Search, 2019; X. Dong and Y. Yang, NAS-Bench-201, 2020, table 5.
The search sees the validation accuracy after 12 epochs; the test accuracy after
200 epochs is only reported, as mean and spread over `num_seeds` seeds. Needs
`nb201_table.npz` under `$NASJAX_DATA_DIR`; `:quick` needs no file: it searches
a planted score.

  python -m experiments.search --config=configs/random_search_nasbench201.py \
      --workdir=runs/random_search
"""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from nasjax.types import Arch, Key

# Planted gains of the operations, and of the edges (0,1) (0,2) (1,2) (0,3) ...
_OPERATION = np.asarray([0.0, 1.0, 2.0, 3.0, 0.5], np.float32)
_EDGE = np.asarray([1.0, 0.6, 0.8, 0.4, 0.5, 1.2], np.float32)


def planted(key: Key, arch: Arch) -> jax.Array:
  """Return a score with a known optimum, for runs without data.

  A weighted sum over edges, plus a bonus for a skip connection from input to
  output, which contradicts the sum: the best cell is 3x3 on five edges and the
  skip on (0, 3), 100 at most.

  Args:
    key: not used.
    arch: `{'op': int32[6]}`.

  Returns:
    `f32[]`.
  """
  del key
  gains = jnp.asarray(_OPERATION)[arch['op']] * jnp.asarray(_EDGE)
  best = 3 * (_EDGE.sum() - _EDGE[3]) + _EDGE[3] + 2
  return 100 * (jnp.sum(gains) + 2.0 * (arch['op'][3] == 1)) / best


def table(column: str) -> dict:
  """Return the section of the estimator that reads a column of the table."""
  return dict(
    name='estimators.tabular.tabular',
    index_of=dict(function='spaces.nasbench201.cell_index'),
    values=dict(
      name='data.tabular.values_by_index', table='@data', column=column
    ),
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' for the table, 'quick' for the planted score.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  config = ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=4,
      seed_batch_size=4,
      num_steps=100,
      eval_every=20,
      num_random=8,
    )
  )
  config.space = dict(name='spaces.nasbench201.nasbench201')
  config.search = dict(
    name='systems.random_search.random_search', num_samples=1
  )
  if arg == 'quick':
    config.estimator = dict(
      name='estimators.combine.stateless',
      score=dict(function='configs.random_search_nasbench201:planted'),
    )
    config.describe = dict(
      score='@estimator',
      params=dict(function='spaces.nasbench201.num_params'),
      macs=dict(function='spaces.nasbench201.macs'),
    )
  else:
    config.num_seeds = config.seed_batch_size = 100
    config.num_random = 100
    config.data = dict(name='data.tabular.load_nasbench201')
    config.estimator = table('e12_cifar10_valid')
    config.describe = dict(
      valid_accuracy='@estimator',
      test_accuracy=table('e200_cifar10_test'),
      params=dict(function='spaces.nasbench201.num_params'),
    )
  return config


def sweep() -> list[dict]:
  """Return the budgets to compare."""
  return [{'num_steps': steps} for steps in (10, 30, 100, 300, 1000)]
