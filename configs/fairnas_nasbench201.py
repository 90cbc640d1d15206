r"""FairNAS on NAS-Bench-201 cells and handwritten digits.

X. Chu et al., FairNAS, 2021, in the setting of `configs/spos_nasbench201.py`:
every step takes four cells, in which every operation of every edge occurs once,
so there are 750 steps and not 3,000.

  python -m experiments.search --config=configs/fairnas_nasbench201.py \
      --workdir=runs/fairnas

`:quick` takes few steps of a tiny network.
"""

import ml_collections

from configs import spos_nasbench201


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  return spos_nasbench201.get_config(','.join(['fairnas', arg]))
