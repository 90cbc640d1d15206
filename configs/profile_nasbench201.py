r"""Latencies of NAS-Bench-201 cells on digits, on the machine at hand.

All 4,096 cells of the table of digits (4 channels, one cell a stage, 64 images)
by one program with switches, a hundred of them also by programs of their own,
and a look-up table from 19 cells that are one operation apart.
`configs/latency_darts_nasbench201.py:device=cpu` searches by them.

  taskset --cpu-list 1 python -m experiments.profile \
      --config=configs/profile_nasbench201.py --workdir=runs/profile_nasbench201

`:quick` takes a few cells of two channels in one stage.
"""

import ml_collections

NAME = 'digits, 4 channels, 1 cell a stage, 64 images'
WORKDIR = 'runs/profile_nasbench201'


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
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      network_name='quick' if quick else NAME,
      num_children=3 if quick else 100,
      num_switched=5 if quick else 4096,
      num_rounds=2 if quick else 10,
      batch_size=8 if quick else 64,
      input_shape=(8, 8, 1),
      space=dict(
        name='spaces.nasbench201.nasbench201',
        mask=dict(name='configs.radars_digits:mask'),
      ),
      network=dict(
        name='networks.nasbench201.NasBench201',
        channels=2 if quick else 4,
        cells_per_stage=1,
        num_stages=1 if quick else 3,
        track=True,
      ),
    )
  )
