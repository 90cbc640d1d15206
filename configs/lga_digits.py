r"""LGA on digits: evolution on the alignment of kernels after a few steps.

J. Mok et al., Demystifying the Neural Tangent Kernel from a Practical
Perspective, 2022: NAS-Bench-201 cells in a small network (8 channels, one cell a
stage) are trained on half of the digits for two epochs of SGD at a constant
rate (batches of 64, not 1,024), then the kernel of 64 held-out digits is
aligned with their labels. The fittest cell is reported with its size, beside
random ones.

  python -m experiments.search --config=configs/lga_digits.py --workdir=runs/lga
"""

import ml_collections

from configs import random_search_nasbench201 as random_search


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick', for a tiny network, two steps and 8 digits a kernel.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  quick = arg == 'quick'
  config = random_search.get_config('quick')
  del config['estimator'], config['describe']
  config.num_seeds = 1
  config.seed_batch_size = None
  config.num_steps = 4 if quick else 100
  config.eval_every = 2 if quick else 10
  config.data = dict(name='data.arrays.digits')
  config.network = dict(
    name='networks.nasbench201.NasBench201',
    channels=2 if quick else 8,
    cells_per_stage=1,
    num_stages=1 if quick else 3,
  )
  config.search = ml_collections.ConfigDict(
    dict(
      name='systems.lga.lga',
      batches=dict(
        name='data.streams.batches',
        dataset='@data.train',
        batch_size=16 if quick else 64,
      ),
      valid=dict(
        name='data.fixed.first',
        dataset='@data.valid',
        num_images=8 if quick else 64,
      ),
      num_train_steps=2 if quick else 20,
      population=3 if quick else 20,
      tournament=2 if quick else 5,
    )
  )
  config.describe = dict(
    params=dict(function='spaces.nasbench201.num_params', channels=8, cells=1)
  )
  return config


def sweep() -> list[dict]:
  """Return the numbers of training steps: no epoch to three."""
  return [{'search.num_train_steps': steps} for steps in (0, 10, 20, 30)]
