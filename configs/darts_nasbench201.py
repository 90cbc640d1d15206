r"""DARTS on NAS-Bench-201, watched for a drift to skip connections.

Liu, Simonyan and Yang, DARTS, 2019, on the space of Dong and Yang,
NAS-Bench-201, 2020, with the curvature of Zela et al., Understanding and
Robustifying DARTS, 2020, after every epoch. Scaled down: one cell a stage of 4
channels instead of 5 of 16, 50 epochs of 10 steps (digits, 8x8) or 15 (images)
instead of 391. Adam's rate for alpha times the number of steps is the paper's
(3e-4 for 19,550 steps), so that alpha can go as far. A step of `num_steps` is
an epoch.

  python -m experiments.search --config=configs/darts_nasbench201.py:cifar10 \
      --workdir=runs/darts_nasbench201

`:cifar10` takes 960 training and 960 validation images of the two lists of
NAS-Bench-201, averaged to 16x16, without augmentation, and looks the cells up
in the table; it needs `$NASJAX_DATA_DIR`. The default are the digits, and no
file. The first order is
`--config.search.search.hypergradient.name=searches.hypergradients.first_order`.
`python -m experiments.darts_nasbench201` runs both sets and both orders and
draws them. `:quick` takes the first order and leaves out the curvature, which
takes long to compile.
"""

import ml_collections
import numpy as np

from configs import random_search_nasbench201
from nasjax import data

_OPTIONS = ('', 'quick', 'cifar10')
_BATCH_SIZE = 64
_EPOCHS = 50
_PAPER_TRAVEL = 3e-4 * 50 * 391  # learning rate of alpha times steps


def small_cifar10(num_images: int, pooling: int = 2) -> dict[str, data.Dataset]:
  """Return few CIFAR-10 images, made smaller by averaging.

  Args:
    num_images: of each of the two parts that steer, drawn from NAS-Bench-201's
      lists with equal shares of all classes.
    pooling: pixels a side that become one.

  Returns:
    Dict of 'train', 'valid' and 'test' (all images that there are), normalised
    by the training images.
  """
  whole = data.load_cifar10('nasbench201')

  def pooled(part):
    _, height, width, channels = part.images.shape
    blocks = part.images.reshape(
      -1, height // pooling, pooling, width // pooling, pooling, channels
    )
    images = np.rint(blocks.mean((2, 4))).astype(np.uint8)
    return data.from_numpy(images, part.labels, 10)

  def drawn(name):
    return pooled(data.split(whole[name], {'part': num_images})['part'])

  parts = {'train': drawn('train'), 'valid': drawn('valid')}
  parts['test'] = pooled(whole['test'])
  train = parts['train']
  return {
    name: part._replace(mean=train.mean, std=train.std)
    for name, part in parts.items()
  }


def _batches(dataset, batch_size: int) -> dict:
  return dict(
    name='data.streams.batches', dataset=dataset, batch_size=batch_size
  )


def _columns(column: str) -> dict:
  """Return the table's column, read besides the images."""
  section = random_search_nasbench201.table(column)
  section['values']['table'] = dict(name='data.tabular.load_nasbench201')
  return section


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'quick' or 'cifar10'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in _OPTIONS:
    raise ValueError(f'Unknown option {arg!r}. Known: quick, cifar10.')
  quick, images = arg == 'quick', arg == 'cifar10'
  steps, epochs = (2, 2) if quick else (15 if images else 10, _EPOCHS)
  batch_size = 8 if quick else _BATCH_SIZE

  config = ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else (2 if images else 4),
      num_steps=epochs,
      eval_every=1,
      num_random=1 if quick else 100,
    )
  )
  config.data = (
    dict(
      name='configs.darts_nasbench201:small_cifar10',
      num_images=15 * _BATCH_SIZE,
    )
    if images
    else dict(name='data.arrays.digits')
  )
  config.batches = dict(
    name='data.streams.stack',
    num_steps=steps,
    batches=dict(
      name='data.streams.joint',
      train=_batches('@data.train', batch_size),
      valid=_batches('@data.valid', batch_size),
    ),
  )
  config.space = dict(name='spaces.nasbench201.nasbench201')
  config.network = dict(
    name='networks.nasbench201.NasBench201',
    channels=4,
    cells_per_stage=1,
    affine=False,
  )
  config.distribution = dict(name='distributions.softmax.softmax')
  config.loss = dict(name='networks.loss.classification_loss')
  search = dict(
    name='systems.darts.darts',
    derive=None,
    input_shape=(16, 16, 3) if images else (8, 8, 1),
    steps_per_epoch=steps,
    num_epochs=epochs,
    arch_learning_rate=_PAPER_TRAVEL / (steps * epochs),
    hypergradient=dict(
      name='searches.hypergradients.' + ('first_order' if quick else 'exact')
    ),
  )
  config.search = dict(
    name='searches.run.epochs',
    search=search,
    observe=None
    if quick
    else dict(
      name='searches.monitors.curvature',
      batches=_batches('@data.valid', batch_size),
      num_steps=6 if images else 12,
    ),
  )
  config.describe = dict(params=dict(function='spaces.nasbench201.num_params'))
  if images:
    config.describe.valid_accuracy = _columns('e12_cifar10_valid')
    config.describe.test_accuracy = _columns('e200_cifar10_test')
  return config


def sweep() -> list[dict]:
  """Return the two orders."""
  name = 'search.search.hypergradient.name'
  return [
    {name: f'searches.hypergradients.{order}'}
    for order in ('exact', 'first_order')
  ]
