r"""NASWOT on NAS-Bench-201: the best of N random cells, without training.

J. Mellor et al., Neural Architecture Search without Training, 2021, table 2:
one batch of 128 CIFAR-10 training images without augmentation, N = 10, 100 or
1000. Every seed draws cells and weights of its own; what it finds is looked up
in the table. Needs the compact CIFAR-10 and `nb201_table.npz` under
`$NASJAX_DATA_DIR`; about 3 cells a second on two CPU cores. `:quick` scores
digits with a tiny network and looks up a planted score; it needs no file.

  python -m experiments.search --config=configs/naswot_nasbench201.py \
      --workdir=runs/naswot

Hundreds of searches are cheaper from the scores of the whole space:
`experiments.score`, then `experiments.simulate`.
"""

import ml_collections

from configs import random_search_nasbench201 as random_search
from nasjax.data import arrays, cifar10


def score(quick: bool) -> dict:
  """Return the section of the proxy.

  Args:
    quick: whether its network is tiny, for digits.
  """
  return dict(
    name='estimators.zero_cost.naswot',
    network=dict(
      name='networks.nasbench201.NasBench201',
      num_classes=1,
      channels=4 if quick else 16,
      cells_per_stage=1 if quick else 5,
      unroll=not quick,
    ),
    batch=dict(
      name='data.fixed.first',
      dataset=dict(name='configs.naswot_nasbench201:images', quick=quick),
      num_images=8 if quick else 128,
    ),
  )


def images(quick: bool) -> arrays.Dataset:
  """Return the training images that steer the search.

  Args:
    quick: whether they are digits.
  """
  data = arrays.digits() if quick else cifar10.load_cifar10()
  return data['train']


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' for CIFAR-10, 'quick' for digits.

  Returns:
    The config.
  """
  config = random_search.get_config(arg)
  del config['estimator'], config['describe']
  quick = arg == 'quick'
  config.num_seeds = 2 if quick else 1
  config.seed_batch_size = None
  config.num_steps = 2 if quick else 10
  config.eval_every = 1
  config.search = ml_collections.ConfigDict(
    dict(
      name='systems.naswot.naswot',
      num_samples=4 if quick else 10,
      proxy=score(quick),
    )
  )
  config.describe = described(quick)
  return config


def described(quick: bool) -> dict:
  """Return the columns of the results table: accuracy and size.

  Args:
    quick: whether the accuracy is planted.
  """
  if quick:
    accuracies = dict(
      planted=dict(
        name='estimators.combine.stateless',
        score=dict(function='configs.random_search_nasbench201:planted'),
      )
    )
  else:
    accuracies = dict(
      valid_accuracy=random_search.table('e12_cifar10_valid'),
      test_accuracy=random_search.table('e200_cifar10_test'),
    )
  params = dict(function='spaces.nasbench201.num_params')
  return dict(accuracies, params=params)


def sweep() -> list[dict]:
  """Return the numbers of cells of the paper, ten in a step."""
  return [{'num_steps': steps} for steps in (1, 10, 100)]
