r"""AREA on NAS-Bench-201: evolution whose first population NASWOT picks.

J. Mellor et al., Neural Architecture Search without Training, 2021, algorithm 2
and table 2: the 10 best scored of 20 random cells are the first population; the
search sees the validation accuracy after 12 epochs. Needs the compact CIFAR-10
and `nb201_table.npz` under `$NASJAX_DATA_DIR`; `:quick` searches a planted
score with a tiny network on digits.

  python -m experiments.search \
      --config=configs/assisted_evolution_nasbench201.py --workdir=runs/area
"""

import ml_collections

from configs import naswot_nasbench201
from configs import random_search_nasbench201 as random_search


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' for the table, 'quick' for the planted score.

  Returns:
    The config.
  """
  config = random_search.get_config(arg)
  quick = arg == 'quick'
  # Each seed scores its candidates: one after another, memory stays bounded.
  config.seed_batch_size = None
  config.num_seeds = 2 if quick else 10
  config.num_steps = 40 if quick else 300
  config.search = ml_collections.ConfigDict(
    dict(
      name='systems.assisted_evolution.assisted_evolution',
      num_candidates=6 if quick else 20,
      population=4 if quick else 10,
      tournament=3,
      proxy=naswot_nasbench201.score(quick),
    )
  )
  return config


def sweep() -> list[dict]:
  """Return the numbers of candidates to compare; with 10 none is chosen."""
  return [{'search.num_candidates': n} for n in (10, 20, 50, 100)]
