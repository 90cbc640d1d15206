r"""Latencies of mobile networks on the machine at hand.

The children of the small BigNAS space on handwritten digits
(`configs/bignas_digits.py`): a hundred of them compiled and timed twice, and a
look-up table from those that are one option apart.

  taskset --cpu-list 1 python -m experiments.profile \
      --config=configs/profile_mobile.py --workdir=runs/profile_mobile

`:quick` takes three of the smallest.
"""

import ml_collections

from configs import bignas_digits


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
  quick = arg == 'quick'
  layout = bignas_digits.layout(quick)
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      network_name='small BigNAS, 8x8x1, 16 images',
      num_children=3 if quick else 100,
      num_rounds=2 if quick else 20,
      batch_size=16,
      input_shape=(8, 8, 1),
      space=dict(name='spaces.mobile.mobile', layout=layout),
      network=dict(name='networks.mobile.Mobile', layout=layout),
    )
  )
