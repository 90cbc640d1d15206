r"""Trains every cell of the table that comes with nasjax.

X. Dong and Y. Yang, NAS-Bench-201, 2020, made small: its 4,096 cells without
average pooling, 4 channels and one cell a stage, trained on 700 of
scikit-learn's digits for 36 steps of 32 images (SGD with momentum at a rate of
0.1 along a cosine, no augmentation, normalisation by the statistics of what it
is given), with three seeds, the same three for every cell; 700 digits for
validation, 397 for the test. Accuracies after 4, 12 and 36 steps.

  python -m experiments.score --config=configs/score_table_digits.py \
      --workdir=runs/table
  python -m experiments.digits_table --workdir=runs/table \
      --output=nasjax/data/digits_table.npz

Options after a colon: `num=<integer>`, random cells instead of all (the first
of `seed`); `quick`, six of them, two steps.
"""

import ml_collections

from nasjax.data import digits_table
from nasjax.estimators import learning_curves, training, zero_cost


def curves(
  network, batches, splits, num_steps: tuple, num_runs: int
) -> zero_cost.Joint:
  """Return the accuracies of a cell, of all its trainings.

  Args:
    network: of the cells.
    batches: `(key, t) -> batch` of the training split.
    splits: pairs of a name and stacked batches.
    num_steps: when to look.
    num_runs: trainings.

  Returns:
    The scores.
  """
  trainer = training.train_child(
    network, (8, 8, 1), num_steps[-1], learning_rate=0.1
  )
  return learning_curves.learning_curves(
    trainer,
    batches,
    dict(zip(digits_table.NUM_IMAGES, splits)),
    num_steps,
    num_runs,
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option.
  """
  words = [word for word in arg.split(',') if word]
  quick = 'quick' in words
  num = 6 if quick else None
  for word in words:
    name, _, value = word.partition('=')
    if name == 'num' and value.isdigit():
      num = int(value)
    elif word != 'quick':
      raise ValueError(f'Unknown option {word!r}. Known: num=<integer>, quick.')
  size = dict(channels=4, cells=1)
  evaluated = dict(name='data.streams.evaluation_batches', batch_size=700)
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      chunk_size=6 if quick else 64,
      data=dict(name='data.arrays.digits'),
      space=dict(
        name='spaces.nasbench201.nasbench201',
        mask=dict(name='configs.score_table_digits:mask'),
      ),
      network=dict(
        name='networks.nasbench201.NasBench201',
        channels=4,
        cells_per_stage=1,
      ),
      population=dict(name='experiment.population.all_of')
      if num is None
      else dict(name='experiment.population.random', num=num),
      describe=dict(
        params=dict(function='spaces.nasbench201.num_params', **size),
        macs=dict(function='spaces.nasbench201.macs', image_size=8, **size),
      ),
      proxies=dict(
        digits=dict(
          name='configs.score_table_digits:curves',
          batches=dict(
            name='data.streams.batches',
            dataset='@data.train',
            batch_size=32,
          ),
          splits=[
            dict(evaluated, dataset=f'@data.{split}')
            for split in digits_table.NUM_IMAGES
          ],
          num_steps=(1, 2) if quick else digits_table.STEPS,
          num_runs=digits_table.NUM_RUNS,
        )
      ),
    )
  )


def mask() -> dict:
  """Return the operations of the space."""
  return digits_table.MASK
