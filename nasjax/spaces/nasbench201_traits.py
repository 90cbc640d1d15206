"""What decides how good a NAS-Bench-201 cell is, as features of a predictor.

Cells that compute the same have nearly the same accuracy, and one-hot choices
hide which do. These features look at what the cell computes instead: edges that
do nothing count as `none`, a path is the sequence of its operations without
skip connections, and a few numbers say how deep and how large the cell is.

  30  one-hot operations of the pruned cell
  40  how many of the four paths bear each of 1 + 3 + 9 + 27 sequences of
      conv1x1, conv3x3 and pooling; a path with a `none` bears none
   4  live edges of each operation but `none`
   7  live paths; most convolutions, most 3x3 convolutions, fewest convolutions,
      fewest poolings on a live path; weights of the cell's network and of the
      pruned cell's, in millions

Ours; the sequences are the path encoding of C. White, W. Neiswanger and
Y. Savani, BANANAS, 2021, https://arxiv.org/abs/1910.11858, with skip
connections left out and with counts for bits.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench201, nasbench201_classes
from nasjax.types import Arch

NUM_TRAITS = 81

_NONE = nasbench201.OPERATIONS.index('none')
_SKIP = nasbench201.OPERATIONS.index('skip_connect')
_CONV1 = nasbench201.OPERATIONS.index('nor_conv_1x1')
_CONV3 = nasbench201.OPERATIONS.index('nor_conv_3x3')
_POOL = nasbench201.OPERATIONS.index('avg_pool_3x3')
_FIRST = (0, 1, 4, 13)  # number of the first sequence of each length
_NUM_SEQUENCES = 40


def _sequence(ops: jax.Array) -> jax.Array:
  """Return the number of a path's sequence, digits of the others than skips."""
  number, length = jnp.int32(0), jnp.int32(0)
  for op in ops:
    counts = op > _SKIP
    number = jnp.where(counts, 3 * number + op - _CONV1, number)
    length += counts
  return jnp.asarray(_FIRST, jnp.int32)[length] + number


def encode(arch: Arch) -> jax.Array:
  """Return the features of a cell.

  Cells that differ only in edges that do nothing share all but the number of
  weights.

  Args:
    arch: `{'op': int32[6]}`.

  Returns:
    `f32[81]`, see the head of this file; not standardised.
  """
  pruned = nasbench201_classes.prune(arch)
  op = pruned['op']
  one_hot = jax.nn.one_hot(op, len(nasbench201.OPERATIONS))
  paths = [op[np.array(path)] for path in nasbench201.PATHS]
  live = jnp.stack([jnp.all(ops != _NONE) for ops in paths])
  sequences = jnp.stack([_sequence(ops) for ops in paths])
  bears = jax.nn.one_hot(sequences, _NUM_SEQUENCES) * live[:, None]

  def number_of(*kinds):
    found = [jnp.sum(jnp.isin(ops, np.array(kinds))) for ops in paths]
    return jnp.stack(found).astype(jnp.float32)

  convolutions = number_of(_CONV1, _CONV3)
  most = lambda numbers: jnp.max(jnp.where(live, numbers, -1.0))
  fewest = lambda numbers: jnp.min(jnp.where(live, numbers, 4.0))
  numbers = [
    jnp.sum(live).astype(jnp.float32),
    most(convolutions),
    most(number_of(_CONV3)),
    fewest(convolutions),
    fewest(number_of(_POOL)),
    nasbench201.num_params(arch) / 1e6,
    nasbench201.num_params(pruned) / 1e6,
  ]
  return jnp.concatenate(
    [
      one_hot.ravel(),
      jnp.sum(bears, axis=0),
      jnp.sum(one_hot, axis=0)[_SKIP:],
      jnp.stack(numbers),
    ]
  )
