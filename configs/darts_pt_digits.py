r"""DARTS-PT on handwritten digits, on a CPU.

Wang et al., Rethinking Architecture Selection in Differentiable NAS, 2021, in
the setting of `configs/darts_digits.py`: 7 epochs of first-order DARTS, not 50,
then 28 edges and 6 nodes are decided one after the other, half an epoch of
tuning for each, not 5. The cells found are trained from scratch beside random
ones.

  python -m experiments.search --config=configs/darts_pt_digits.py \
      --workdir=runs/darts_pt_digits

`:blank` never moves alpha. `:quick` trains for two steps and takes a few
decisions in the smallest setting of the same code path, and trains nothing.
"""

import ml_collections
import numpy as np

from configs import darts_digits
from nasjax import data
from nasjax.data import arrays
from nasjax.types import Batch

_NUM_DECISIONS = 28 + 6
_OPTIONS = ('', 'quick', 'blank')
_QUICK_OPERATIONS = ('none', 'skip_connect', 'sep_conv_3x3')


def first(dataset: data.Dataset, num_images: int, batch_size: int) -> Batch:
  """Return the first images of a data set as stacked batches.

  Args:
    dataset: the data set, in random order.
    num_images: how many.
    batch_size: of each.
  """
  part = arrays.take(dataset, np.arange(num_images))
  return data.evaluation_batches(part, batch_size)


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'quick' or 'blank'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in _OPTIONS:
    raise ValueError(f'Unknown option {arg!r}. Known: quick, blank.')
  quick = arg == 'quick'
  small = dict(num_cells=2, reduction_cells=(1,)) if quick else {}
  config = darts_digits.variant(
    'quick' if quick else '',
    small,
    name='systems.darts_pt.darts_pt',
    arch_learning_rate=3e-3,
    blank=arg == 'blank',
    tune_epochs=1,
    valid=dict(
      name='configs.darts_pt_digits:first',
      dataset='@data.valid',
      num_images=16 if quick else 320,
      batch_size=16 if quick else 32,
    ),
  )
  if quick:
    darts_digits.reshape(config, operations=_QUICK_OPERATIONS)
  # A tuning of `tune_epochs` is half an epoch of the images.
  epochs, steps = (1, 1) if quick else (14, 10)
  config.search.update(num_epochs=epochs, steps_per_epoch=steps)
  config.num_steps = 4 if quick else (epochs + _NUM_DECISIONS) * steps
  return config
