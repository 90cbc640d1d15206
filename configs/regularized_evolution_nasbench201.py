r"""Regularised evolution over the table of NAS-Bench-201.

E. Real, A. Aggarwal, Y. Huang and Q. V. Le, Regularized Evolution for Image
Classifier Architecture Search, 2019, algorithm 1; on this benchmark X. Dong and
Y. Yang, NAS-Bench-201, 2020, table 5, where it sees the validation accuracy
after 12 epochs. The test accuracy after 200 epochs is only reported. Needs
`nb201_table.npz` under `$NASJAX_DATA_DIR`; `:quick` searches a planted score
and needs no file.

  python -m experiments.search \
      --config=configs/regularized_evolution_nasbench201.py \
      --workdir=runs/regularized_evolution
"""

import ml_collections

from configs import random_search_nasbench201 as random_search


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' for the table, 'quick' for the planted score.

  Returns:
    The config.
  """
  config = random_search.get_config(arg)
  config.num_steps = 120 if arg == 'quick' else 300
  # Without type locks: another factory has other arguments.
  config.search = ml_collections.ConfigDict(
    dict(
      name='systems.regularized_evolution.regularized_evolution',
      population=20 if arg == 'quick' else 50,
      tournament=10,
      num_children=1,
    )
  )
  return config


def sweep() -> list[dict]:
  """Return the sizes of population and tournament to compare."""
  return [
    {'search.population': p, 'search.tournament': t}
    for p in (20, 50, 100)
    for t in (5, 10)
  ]
