r"""What kernels say of NAS-Bench-201 cells after 0 to 3 epochs of training.

J. Mok et al., Demystifying the Neural Tangent Kernel from a Practical
Perspective, 2022, section 5: the alignment with the labels (LGA), mean, norm
and condition number of the kernel of held-out training images, and how far the
kernel has moved, against the benchmark's accuracies after full training; the
accuracy on the same held-out images is beside them. Scaled down: 8 channels,
one cell a stage (paper: 16 and 5), epochs of 50 batches of 64 CIFAR-10 images
(paper: 49 of 1,024), without augmentation, kernels of 64 images (paper: 256).
As in the authors' programs every cell starts from the same seed.

  python -m experiments.score --config=configs/score_kernels_nasbench201.py \
      --workdir=runs/kernels

Needs the compact CIFAR-10 and the table under `$NASJAX_DATA_DIR`. Options come
after a colon, separated by commas: `num`, how many random cells (default 200),
`norm`, 'frozen' (trained running statistics, default) or 'batch', and `quick`:
digits, a tiny network, 6 cells, a planted accuracy.
"""

import ml_collections

from configs import score_nasbench201 as score
from nasjax.estimators import kernel_tracking, training, zero_cost
from nasjax.experiment.options import parse


def along_training(
  network, batch, batches, steps_per_epoch: int, num_epochs: int, norm: str
) -> zero_cost.Joint:
  """Return the scores of kernels along a training at a constant rate.

  Args:
    network: the network.
    batch: held-out images of the kernels.
    batches: `(key, t) -> batch` of the training split.
    steps_per_epoch: updates between two kernels.
    num_epochs: the last of them.
    norm: of the kernels.

  Returns:
    The scores.
  """
  network = zero_cost.tracking(network)
  trainer = training.constant_rate(network, batch['image'].shape[1:])
  return kernel_tracking.along_training(
    network, batch, trainer, batches, steps_per_epoch, num_epochs, norm
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
  options = parse(
    arg,
    dict(num=200, norm='frozen'),
    quick=dict(num=6),
    choices=dict(norm=('frozen', 'batch')),
  )
  quick = options['quick']
  base = 'quick,' if quick else ''
  config = score.get_config(f'{base}population=random,num={options["num"]}')
  config.chunk_size = 3 if quick else 10
  channels = 2 if quick else 8
  config.network.update(channels=channels, cells_per_stage=1)
  for count in (config.describe.params, config.describe.macs):
    count.update(channels=channels, cells=1)
  del config.batch
  config.proxies = ml_collections.ConfigDict(
    dict(
      after=dict(
        name='configs.score_kernels_nasbench201:along_training',
        batch=dict(
          name='data.fixed.first',
          dataset='@data.valid',
          num_images=8 if quick else 64,
        ),
        batches=dict(
          name='data.streams.batches',
          dataset='@data.train',
          batch_size=8 if quick else 64,
        ),
        steps_per_epoch=2 if quick else 50,
        num_epochs=1 if quick else 3,
        norm=options['norm'],
      )
    )
  )
  return config
