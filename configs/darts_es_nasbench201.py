r"""DARTS that stops by its curvature, on NAS-Bench-201 cells and digits.

Zela et al., Understanding and Robustifying DARTS, 2020, in the setting of
`configs/darts_nasbench201.py`, whose searches are watched with the same
measure but run to their end: one cell a stage of 4 channels, 50 epochs of 10
steps. The rule is the paper's. A step of `num_steps` is an epoch; after the
stop they do nothing.

  python -m experiments.search --config=configs/darts_es_nasbench201.py \
      --workdir=runs/darts_es_nasbench201

`:cifar10` takes the images and the table of that config. `:quick` measures two
epochs of a network of one stage, by two products.
"""

import ml_collections

from configs import darts_nasbench201


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'quick' or 'cifar10'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  config = darts_nasbench201.get_config(arg)
  quick = arg == 'quick'
  if quick:
    config.network.num_stages = 1
  images = config.batches.batches.valid.to_dict()
  config.search = config.search.search.to_dict() | dict(
    name='systems.darts_es.darts_es',
    valid_batches=images,
    num_products=2 if quick else 12,
  )
  del config.distribution, config.loss
  return config
