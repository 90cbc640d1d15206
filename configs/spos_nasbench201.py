r"""SPOS on NAS-Bench-201 cells and handwritten digits.

Z. Guo et al., Single Path One-Shot Neural Architecture Search with Uniform
Sampling, 2020, scaled down: a supernet of one cell a stage of 4 channels is
trained on one random cell a step, 700 digits in batches of 64 (3,000 steps),
then evolution, 20 generations of 50, on the accuracy on 700 others. What is
found is looked up in the table of digits that comes with nasjax (test accuracy,
mean of three trainings), beside random cells.

  python -m experiments.search --config=configs/spos_nasbench201.py \
      --workdir=runs/spos

Options come after a colon, separated by commas:

  quick     few steps of a tiny network, generations of 4
  random    random search with weight sharing (Li and Talwalkar, 2019): 1,000
            random cells in the place of evolution
  fairnas   the supernet of FairNAS (Chu et al., 2021): a step takes a cell for
            each of four operations, so a quarter of the steps
  limit     most multiply-adds of a cell's network, in thousands (default: any);
            of evolution only
"""

import jax
import ml_collections

from configs import radars_digits
from nasjax.experiment.options import parse
from nasjax.spaces import nasbench201
from nasjax.types import Arch

_OPTIONS = {'random': False, 'fairnas': False, 'limit': 0}
_BATCH_SIZE, _STEPS, _GENERATIONS = 64, 3000, 20


def kilo_macs(arch: Arch) -> jax.Array:
  """Return the multiply-adds of a cell's network, in thousands.

  Args:
    arch: the cell.
  """
  macs = nasbench201.macs(arch, channels=4, cells=1, image_size=8)
  return macs / 1e3


def images(quick: bool) -> dict:
  """Return the sections of digits, cells, and the network that they share.

  Args:
    quick: whether all of it is as small as can be.
  """
  mask = dict(name='configs.radars_digits:mask')
  return dict(
    data=dict(name='data.arrays.digits'),
    space=dict(name='spaces.nasbench201.nasbench201', mask=mask),
    network=radars_digits.network(quick),
    describe=dict(
      params=dict(function='spaces.nasbench201.num_params'),
      test_accuracy=radars_digits.column('test'),
    ),
  )


def batches(part: str, quick: bool) -> dict:
  """Return the section of training batches of a part of the digits."""
  return dict(
    name='data.streams.batches',
    dataset=f'@data.{part}',
    batch_size=8 if quick else _BATCH_SIZE,
  )


def valid(quick: bool) -> dict:
  """Return the section of the images on which cells are scored."""
  return dict(
    name='data.streams.evaluation_batches',
    dataset='@data.valid',
    batch_size=350 if quick else 700,
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
  options = parse(arg, _OPTIONS, {})
  if options['random'] and options['limit']:
    raise ValueError('The option limit is one of evolution, not of random.')
  quick = options['quick']
  size = 4 if quick else 50
  strategy = dict(
    name='strategies.genetic.genetic',
    population=size,
    num_parents=2 if quick else 10,
    num_mutants=size // 2,
    num_crossings=size // 2,
  )
  if options['random']:
    strategy = dict(name='strategies.random_search.random_search')
    strategy['batch_size'] = size
  elif options['limit']:
    strategy['feasible'] = dict(
      function='configs.spos_nasbench201:is_within', limit=options['limit']
    )
  num_steps = 4 if quick else _STEPS // (4 if options['fairnas'] else 1)
  search = dict(
    name='systems.spos.spos',
    num_train_steps=num_steps,
    learning_rate=0.1,
  )
  if options['fairnas']:
    search = dict(
      name='systems.fairnas.fairnas',
      steps_per_epoch=1,
      num_epochs=num_steps,
      learning_rate=0.025,
    )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,
      num_random=1 if quick else 100,
      num_steps=num_steps + (2 if quick else _GENERATIONS),
      batches=batches('train', quick),
      search=dict(
        search,
        input_shape=(8, 8, 1),
        valid=valid(quick),
        strategy=strategy,
      ),
      **images(quick),
    )
  )


def is_within(arch: Arch, limit: int) -> jax.Array:
  """Return whether a cell's network has few enough multiply-adds.

  Args:
    arch: the cell.
    limit: in thousands.
  """
  return kilo_macs(arch) <= limit
