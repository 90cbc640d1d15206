r"""BigNAS on handwritten digits: children of one supernet, used as they are.

Yu et al., BigNAS, 2020, scaled down: 8x8 images of one resolution instead of
192 to 320 pixels, three stages of 8 to 24 channels instead of seven, batches of
70 of 700 training images, 60 epochs. The rate is 0.256 for batches of 4,096 and
so 0.0044 here (settings of a reimplementation: the paper was not at hand); it
falls every half epoch, not every 2.4, so that it reaches its ending. Then 12
updates select a child with at most half of the multiply-adds of the biggest, by
its accuracy on 700 other images. The 397 images that nothing else sees test the
child that was found and random ones, trained alone for as many steps: by the
same optimiser and from the same initialisation, without what regularises the
biggest child of the supernet.

  python -m experiments.search --config=configs/bignas_digits.py \
      --workdir=runs/bignas_digits

What the children are worth with the weights that they share, from the smallest
to the biggest, and what each part of the method is for:

  python -m experiments.bignas_digits --workdir=runs/bignas --output=OUTPUT

Options come after a colon, separated by commas:

  quick            a few steps in the smallest setting
  cifar10          CIFAR-10 averaged to 16x16, from `$NASJAX_DATA_DIR`: 1,344
                   images of each half, batches of 64, 20 epochs, 1,000 images
                   to test
  no_distillation, no_sandwich, no_ending, no_zero, regularize_all
                   leave out one part: no_sandwich is uniform sampling, so there
                   is nobody to distill from and all children are regularised;
                   with no_ending the rate goes on falling; with no_zero all
                   norms begin at one
"""

import ml_collections

from nasjax.experiment import options

VARIANTS = (
  'no_distillation',
  'no_sandwich',
  'no_ending',
  'no_zero',
  'regularize_all',
)
_SELECTION = 12  # updates


def _stage(widths: tuple, depths: tuple, **settings) -> dict:
  return dict(
    name='spaces.mobile.Stage', widths=widths, depths=depths, **settings
  )


def layout(quick: bool = False, side: int = 8) -> dict:
  """Return the section of the layout, for images of some pixels a side."""
  inner = dict(kernels=(3, 5), expansions=(2, 4), squeezes=(0.25,), stride=2)
  stages = [
    _stage((8, 12), (1, 2), kernels=(3, 5), expansions=(1,)),
    _stage((12, 16), (1, 2, 3), **inner),
    _stage((16, 24), (1, 2, 3), **inner),
  ]
  if quick:
    stages = [_stage((4, 6), (1, 2), **inner)]
  return dict(
    name='spaces.mobile.Layout',
    resolutions=(side,),
    stem=(4, 6) if quick else (8, 12),
    stages=tuple(stages),
    head=(8,) if quick else (32, 64),
    stem_stride=1,
  )


def _batches(dataset, batch_size: int, factory: str = 'batches') -> dict:
  return dict(
    name=f'data.streams.{factory}', dataset=dataset, batch_size=batch_size
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  given = options.parse(arg, dict.fromkeys(('cifar10', *VARIANTS), False), {})
  quick, images = given['quick'], given['cifar10']
  num_images, batch_size, epochs = (1344, 64, 20) if images else (700, 70, 60)
  input_shape = (16, 16, 3) if images else (8, 8, 1)
  section = layout(quick, input_shape[0])
  steps_per_epoch = num_images // batch_size
  train_steps = 2 if quick else epochs * steps_per_epoch
  network = dict(
    name='networks.mobile.Mobile', layout=section, num_classes=10, project=True
  )
  macs = dict(
    name='networks.mobile_cost.mobile_macs',
    network=network,
    num_channels=input_shape[-1],
  )
  config = ml_collections.ConfigDict(dict(seed=0, num_random=1 if quick else 5))
  config.num_steps = train_steps + (2 if quick else _SELECTION)
  config.data = dict(name='data.arrays.digits')
  if images:
    config.data = dict(
      name='configs.darts_nasbench201:small_cifar10', num_images=num_images
    )
  config.batches = _batches('@data.train', batch_size)
  config.space = dict(name='spaces.mobile.mobile', layout=section)
  config.network = dict(network, zero=not given['no_zero'])
  config.search = dict(
    name='systems.bignas.bignas',
    layout=section,
    input_shape=input_shape,
    calibration=_batches('@data.train', 100, 'evaluation_batches'),
    valid=_batches('@data.valid', 100, 'evaluation_batches'),
    train_steps=train_steps,
    with_sandwich=not given['no_sandwich'],
    distill=not (given['no_sandwich'] or given['no_distillation']),
    regularization=dict(
      name='estimators.sandwich.Regularization',
      of_all=given['regularize_all'],
    ),
    optimizer=dict(
      name='searches.rms_prop.rms_prop',
      steps_per_epoch=steps_per_epoch,
      learning_rate=0.256 * batch_size / 4096,
      ending=0.0 if given['no_ending'] else 0.05,
      decay_epochs=epochs / 120,
    ),
    cost=macs,
    budget=1e4 if quick else 7e5 if images else 1.7e5,
  )
  config.describe = dict(
    params=dict(macs, name='networks.mobile_cost.mobile_params'), macs=macs
  )
  config.evaluation = dict(
    name='estimators.stand_alone.population',
    num_steps=2 if quick else train_steps,
    trainer=dict(
      name='estimators.training.train_child',
      network=dict(config.network.to_dict(), track=True),
      input_shape=input_shape,
      optimizer=config.search.optimizer.to_dict(),
    ),
    test=_batches('@data.test', 100, 'evaluation_batches'),
  )
  return config


def sweep() -> list[dict]:
  """Return the seeds of three independent runs."""
  return [{'seed': seed} for seed in range(3)]
