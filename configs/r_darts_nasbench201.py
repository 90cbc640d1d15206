r"""R-DARTS(L2): DARTS with four weight decays, on NAS-Bench-201 cells.

Zela et al., Understanding and Robustifying DARTS, 2020, in the setting of
`configs/darts_nasbench201.py`: one cell a stage of 4 channels, 50 epochs of 10
steps on digits. Weight decays are the paper's.

  python -m experiments.search --config=configs/r_darts_nasbench201.py \
      --workdir=runs/r_darts_nasbench201

`:cifar10` takes the images and the table of that config, `:quick` two epochs of
a network of one stage.
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
  if arg == 'quick':
    config.network.num_stages = 1
  config.search = config.search.search.to_dict() | dict(
    name='systems.r_darts.r_darts'
  )
  del config.distribution, config.loss
  return config
