r"""How well supernets rank cells: one for all, and one for each of some parts.

Y. Zhao et al., Few-shot Neural Architecture Search, 2021: NAS-Bench-201 cells,
split by the operation of the first edge. Both kinds take equally many updates
on one random path each: of Few-shot NAS, 2/7 are those of the supernet for all
(600 of 2,100 epochs in the authors' program), and each part gets an equal share
of the rest. A score is the accuracy on validation images, with the statistics
of these images. Scaled down: one cell a stage of 4 channels (authors' program:
5 of 16), digits of 8x8 pixels, 700 to train and 700 to score, few updates at a
rate of 0.1 (authors' program: 0.025); the truth is the test accuracy in the
table that comes with nasjax, 4,096 cells without pooling.

  python -m experiments.score --config=configs/score_supernets.py \
      --workdir=runs/supernets
  python -m experiments.supernets --workdir=runs/supernets

The second command puts runs together, with their spread, beside the number of
weights. Options come after a colon, separated by commas:

  quick     24 random cells, two runs of few updates, a tiny network
  cifar10   960 training and 960 validation images of CIFAR-10, averaged to
            16x16, 1,000 random cells of NAS-Bench-201, accuracies of its table;
            needs `$NASJAX_DATA_DIR`
  updates   of all supernets of a run together (default 6000)
  runs      of each kind (default 5)
  channels  of the first stage (default 4)
  num       random cells (default: all; of CIFAR-10 1000)
"""

from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import optax

from configs import radars_digits, random_search_nasbench201
from nasjax import schedules
from nasjax.estimators import few_shot, one_shot, pretrained, samplers
from nasjax.estimators.zero_cost import Joint
from nasjax.experiment.options import parse
from nasjax.networks import loss as losses
from nasjax.searches import optimizers
from nasjax.spaces import subspaces
from nasjax.types import Batch, Estimator, Key, Space

_OPTIONS = {
  'cifar10': False,
  'updates': 6000,
  'runs': 5,
  'channels': 4,
  'num': 0,
}
_QUICK = {'updates': 14, 'runs': 2, 'channels': 2, 'num': 24}
_SHARE = 2 / 7  # of the updates, for the supernet of all


def supernets(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  batches: Callable[[Key, jax.Array], Batch],
  valid: Batch,
  num_updates: int,
  num_runs: int,
  is_split: bool,
  learning_rate: float = 0.1,
) -> Joint:
  """Return the scores of trained supernets.

  Args:
    space: of the cells.
    network: of the supernets.
    input_shape: of an image.
    batches: `(key, t) -> batch` of the training split.
    valid: stacked batches of the validation split.
    num_updates: of all supernets of a run.
    num_runs: how often.
    is_split: whether parts have supernets of their own.
    learning_rate: where the cosine of every turn starts.

  Returns:
    The scores, one a run.
  """

  def supernet(space: Space, length: jax.Array) -> Estimator:
    rate = schedules.cosine(learning_rate, learning_rate / 25, length)
    optimizer = optax.chain(
      optax.add_decayed_weights(1e-4),
      optax.sgd(rate, 0.9, nesterov=True),
    )
    return one_shot.one_shot(
      samplers.uniform(space),
      losses.classification_loss(network),
      one_shot.init_supernet(network, space, input_shape),
      optimizers.where_used(optimizer),
      valid,
    )

  estimator = supernet(space, num_updates)
  if is_split:
    split = subspaces.split(space)
    budget = few_shot.budget(num_updates, subspaces.num_parts(split), _SHARE)
    estimator = few_shot.few_shot(space, supernet, split, *budget)
  return pretrained.pretrained(estimator, batches, num_updates, num_runs)


def _digits(quick: bool) -> dict:
  """Return the sections of digits and of the table that comes with nasjax."""
  mask = dict(name='configs.radars_digits:mask')
  return dict(
    data=dict(name='data.arrays.digits'),
    space=dict(name='spaces.nasbench201.nasbench201', mask=mask),
    accuracy=radars_digits.column('test'),
    label='digits, test, 36 steps, mean of three trainings',
    input_shape=(8, 8, 1),
    num_images=100 if quick else 700,
  )


def _cifar10() -> dict:
  """Return the sections of small CIFAR-10 images and of NAS-Bench-201."""
  accuracy = random_search_nasbench201.table('e200_cifar10_test')
  accuracy['values']['table'] = dict(name='data.tabular.load_nasbench201')
  return dict(
    data=dict(name='configs.darts_nasbench201:small_cifar10', num_images=960),
    space=dict(name='spaces.nasbench201.nasbench201'),
    accuracy=accuracy,
    label='CIFAR-10, test, 200 epochs, mean of all trainings',
    input_shape=(16, 16, 3),
    num_images=960,
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option or value.
  """
  options = parse(arg, _OPTIONS, _QUICK)
  quick, images = options['quick'], options['cifar10']
  task = _cifar10() if images else _digits(quick)
  num = options['num'] or (1000 if images else None)
  size = dict(channels=options['channels'], cells=1)
  stage = dict(num_stages=1) if quick else {}
  kind = dict(
    name='configs.score_supernets:supernets',
    input_shape=task['input_shape'],
    batches=dict(
      name='data.streams.batches',
      dataset='@data.train',
      batch_size=8 if quick else 64,
    ),
    valid=dict(
      name='data.streams.evaluation_batches',
      dataset='@data.valid',
      batch_size=task['num_images'],
    ),
    num_updates=options['updates'],
    num_runs=options['runs'],
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      chunk_size=8 if quick else 64,
      data=task['data'],
      space=task['space'],
      network=dict(
        name='networks.nasbench201.NasBench201',
        channels=options['channels'],
        cells_per_stage=1,
        affine=False,
        **stage,
      ),
      population=dict(name='experiment.population.all_of')
      if num is None
      else dict(name='experiment.population.random', num=num),
      describe=dict(
        accuracy=task['accuracy'],
        params=dict(function='spaces.nasbench201.num_params', **size),
        macs=dict(
          function='spaces.nasbench201.macs',
          image_size=task['input_shape'][0],
          **size,
        ),
      ),
      assembled={},
      accuracies=dict(accuracy=task['label']),
      proxies=dict(
        one_shot=dict(kind, is_split=False),
        few_shot=dict(kind, is_split=True),
      ),
    )
  )
