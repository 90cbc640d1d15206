"""Statistics of normalisation for a network that shares its weights.

Yu, Huang, Universally Slimmable Networks and Improved Training Techniques, 2019
(https://arxiv.org/abs/1903.05134), section 3.3; BigNAS calibrates every child
in this way. Running averages of a supernet belong to no child: here are those
of one child, from a few batches of training images.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.types import Arch, Batch, Params


def calibrate(
  network: Any,
  params: Params,
  arch: Arch,
  images: jax.Array,
  momentum: float = 0.9,
) -> Any:
  """Return the mean statistics of some batches.

  Every batch passes with statistics of its own, so nothing depends on what was
  known before. Variances are the unbiased ones.

  Args:
    network: `apply(variables, arch, x, train=..., mutable=...)`; it keeps
      running statistics.
    params: its weights.
    arch: the child, in any form.
    images: k batches `[k, N, ...]`.
    momentum: of the network's statistics.

  Returns:
    The collection 'batch_stats'.
  """

  def statistics(images, before):
    variables = {'params': params, 'batch_stats': before}
    _, updates = network.apply(
      variables, arch, images, train=True, mutable=['batch_stats']
    )
    return updates.get('batch_stats', {})

  shapes = jax.eval_shape(lambda x: statistics(x, {}), images[0])
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

  def add(total, images):
    return jax.tree.map(jnp.add, total, statistics(images, zeros)), None

  total, _ = lax.scan(add, zeros, images)
  # From zero, a step of the average is that share of the batch's statistics.
  scale = 1 / (len(images) * (1 - momentum))
  return jax.tree.map(lambda leaf: scale * leaf, total)


def calibrated_accuracy(
  network: Any, images: jax.Array, momentum: float = 0.9
) -> Callable[[Params, Arch, Batch], jax.Array]:
  """Return the accuracy of children with shared weights.

  Args:
    network: as for `calibrate`.
    images: k batches of the training split, for calibration.
    momentum: of the network's statistics.

  Returns:
    `(params, arch, batches) -> f32[]` for stacked batches `[T, B, ...]` with
    weights.
  """

  def accuracy(params, arch, batches):
    stats = calibrate(network, params, arch, images, momentum)
    variables = {'params': params, 'batch_stats': stats}

    def count(total, batch):
      logits = network.apply(variables, arch, batch['image'], train=False)
      hits = (logits.argmax(-1) == batch['label']) * batch['weight']
      return total + hits.sum(), None

    total, _ = lax.scan(count, jnp.zeros(()), batches)
    return total / batches['weight'].sum()

  return accuracy
