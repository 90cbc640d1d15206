r"""LGA on digits: evolution on the alignment of kernels after a few steps.

J. Mok et al., Demystifying the Neural Tangent Kernel from a Practical
Perspective, 2022: NAS-Bench-201 cells in a small network (8 channels, one cell
a stage) are trained on half of the digits for two epochs of SGD at a constant
rate (batches of 64, not 1,024), then the kernel of 64 held-out digits is
aligned with their labels. The fittest cell is reported with its size, beside
random ones.

  python -m experiments.search --config=configs/lga_digits.py --workdir=runs/lga
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections

from nasjax.networks import NasBench201, cost
from nasjax.spaces import nasbench201
from nasjax.types import Arch

_INPUT_SHAPE = (8, 8, 1)


def num_params(network: NasBench201) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, the number of weights of a network for digits.

  The closed form of the space is that of three stages and of colour images.

  Args:
    network: with one cell a stage; the architecture is an index.
  """
  image = jnp.zeros((1, *_INPUT_SHAPE))
  num_edges = len(nasbench201.SOURCES)
  totals = [
    cost.count(network, {'op': (op,) * num_edges}, image).params
    for op in range(len(nasbench201.OPERATIONS))
  ]
  none = totals[nasbench201.OPERATIONS.index('none')]
  of_edge = (jnp.asarray(totals, jnp.float32) - none) / num_edges
  return lambda arch: none + jnp.sum(of_edge[arch['op']])


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick', for a tiny network, two steps and 8 digits a kernel.

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
      num_seeds=1,
      num_steps=4 if quick else 100,
      eval_every=2 if quick else 10,
      num_random=8,
      data=dict(name='data.arrays.digits'),
      space=dict(name='spaces.nasbench201.nasbench201'),
      network=dict(
        name='networks.nasbench201.NasBench201',
        channels=2 if quick else 8,
        cells_per_stage=1,
        num_stages=1 if quick else 3,
      ),
      search=dict(
        name='systems.lga.lga',
        batches=dict(
          name='data.streams.batches',
          dataset='@data.train',
          batch_size=16 if quick else 64,
        ),
        valid=dict(
          name='data.fixed.first',
          dataset='@data.valid',
          num_images=8 if quick else 64,
        ),
        num_train_steps=2 if quick else 20,
        population=3 if quick else 20,
        tournament=2 if quick else 5,
      ),
      describe=dict(params=dict(name='configs.lga_digits:num_params')),
    )
  )


def sweep() -> list[dict]:
  """Return the numbers of training steps: no epoch to three."""
  return [{'search.num_train_steps': steps} for steps in (0, 10, 20, 30)]
