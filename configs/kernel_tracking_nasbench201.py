r"""How the kernels of NAS-Bench-201 cells move while they are trained.

J. Mok et al., Demystifying the Neural Tangent Kernel from a Practical
Perspective, 2022, section 4: every seed draws a cell, without the operation
'none', and trains it by SGD at a constant rate; after every epoch the kernel
of all pairs of logits of held-out images is compared with the first one. Scaled
down: 8 channels, one cell a stage (paper: 16 and 5), 20 epochs of 50 batches of
64 CIFAR-10 images (paper: 100 of 49 batches of 1,024), without augmentation,
kernels of 16 images. Needs the compact CIFAR-10 under `$NASJAX_DATA_DIR`;
`:quick` follows digits through a tiny network.

  python -m experiments.search \
      --config=configs/kernel_tracking_nasbench201.py --workdir=runs/tracking
"""

import ml_collections
import numpy as np

from nasjax.spaces import nasbench201
from nasjax.types import Space


def connected() -> Space:
  """Return the space without the operation 'none': all cells learn."""
  allowed = np.array([name != 'none' for name in nasbench201.OPERATIONS])
  return nasbench201.nasbench201({'op': np.tile(allowed, (6, 1))})


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
      num_seeds=2 if quick else 4,
      num_steps=3 if quick else 20,
      eval_every=1,
      checkpoint_every=1 if quick else 5,
      num_random=1,
      data=dict(
        name='data.arrays.digits' if quick else 'data.cifar10.load_cifar10'
      ),
      batches=dict(
        name='data.streams.stack',
        batches=dict(
          name='data.streams.batches',
          dataset='@data.train',
          batch_size=8 if quick else 64,
        ),
        num_steps=2 if quick else 50,
      ),
      space=dict(name='configs.kernel_tracking_nasbench201:connected'),
      network=dict(
        name='networks.nasbench201.NasBench201',
        channels=2 if quick else 8,
        cells_per_stage=1,
        num_stages=1 if quick else 3,
      ),
      search=dict(
        name='systems.kernel_tracking.kernel_tracking',
        norm='frozen',
        valid=dict(
          name='data.fixed.first',
          dataset='@data.valid',
          num_images=4 if quick else 16,
        ),
      ),
    )
  )


def sweep() -> list[dict]:
  """Return the two modes of normalisation of the kernel."""
  return [{'search.norm': norm} for norm in ('frozen', 'batch')]
