r"""TE-NAS on NAS-Bench-201: prune by condition number and linear regions.

W. Chen et al., Neural Architecture Search on ImageNet in Four GPU Hours, 2021,
table 1, as its authors' program: a thick network of 3 channels and one cell a
stage for the kernel of 72 images, a thin one of one channel and one cell for
the regions of 3,000 patches of 3x3 pixels, three draws of the weights, one
operation pruned on every edge in an update: 3 updates. What is found is looked
up in the table. Needs the compact CIFAR-10 and `nb201_table.npz` under
`$NASJAX_DATA_DIR`; `:quick` prunes with 6 digits and 60 patches.

  python -m experiments.search --config=configs/te_nas_nasbench201.py \
      --workdir=runs/te_nas
"""

import jax
import ml_collections

from configs import naswot_nasbench201
from configs import random_search_nasbench201 as random_search
from nasjax.data import fixed
from nasjax.types import Batch


def patches(quick: bool, num: int, size: int = 3, seed: int = 0) -> Batch:
  """Return random patches of one channel of random training images.

  Args:
    quick: whether the images are digits.
    num: patches.
    size: their side in pixels.
    seed: of the choice.

  Returns:
    `dict(image=f32[num, size, size, 1])`.
  """
  dataset = naswot_nasbench201.images(quick)
  batch = fixed.first(dataset, min(num, len(dataset.labels)))['image']
  keys = jax.random.split(jax.random.key(seed), 4)
  limits = (len(batch), *(side - size + 1 for side in batch.shape[1:3]))
  rows, top, left = (
    jax.random.randint(key, (num,), 0, limit)
    for key, limit in zip(keys, limits)
  )
  channel = jax.random.randint(keys[3], (num,), 0, batch.shape[3])
  take = lambda n, i, j, c: jax.lax.dynamic_slice(
    batch, (n, i, j, c), (1, size, size, 1)
  )[0]
  return {'image': jax.jit(jax.vmap(take))(rows, top, left, channel)}


def _network(**settings):
  return dict(
    name='networks.nasbench201.NasBench201', cells_per_stage=1, **settings
  )


def _drawn(proxy, fan):
  return dict(name='estimators.zero_cost.initialized', scored=proxy, fan=fan)


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
  config.num_seeds = 1 if quick else 4
  config.seed_batch_size = None
  config.num_steps = 3
  config.eval_every = 1
  trainability = dict(
    name='estimators.zero_cost.condition_number',
    network=_network(channels=3, num_stages=1 if quick else 3),
    # Of 3 channels one example at a time is too little work for its overhead.
    block_size=24,
    batch=dict(
      name='data.fixed.first',
      dataset=dict(name='configs.naswot_nasbench201:images', quick=quick),
      num_images=6 if quick else 72,
    ),
  )
  expressivity = dict(
    name='estimators.zero_cost.linear_regions',
    network=_network(channels=1, num_stages=1, stem=False),
    batch=dict(
      name='configs.te_nas_nasbench201:patches',
      quick=quick,
      num=60 if quick else 3000,
    ),
  )
  config.search = ml_collections.ConfigDict(
    dict(
      name='systems.te_nas.te_nas',
      trainability=_drawn(trainability, 'out'),
      expressivity=_drawn(expressivity, 'in'),
      num_repeats=1 if quick else 3,
    )
  )
  config.describe = naswot_nasbench201.described(quick)
  return config


def sweep() -> list[dict]:
  """Return the numbers of draws of the weights to compare."""
  return [{'search.num_repeats': n} for n in (1, 3, 10)]
