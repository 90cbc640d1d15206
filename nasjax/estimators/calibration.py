"""Statistics of normalisation for a network that shares its weights.

Yu, Huang, Universally Slimmable Networks and Improved Training Techniques, 2019
(https://arxiv.org/abs/1903.05134); BigNAS calibrates every child
in this way. Running averages of a supernet belong to no child: here are those
of one child, from a few batches of training images.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.estimators import training
from nasjax.types import Arch, Batch, Params


def calibrate(
  network: Any, params: Params, arch: Arch, images: jax.Array
) -> Any:
  """Return the mean statistics of some batches.

  Every batch passes with statistics of its own, so nothing depends on what was
  known before. Variances are the unbiased ones.

  Args:
    network: `apply(variables, arch, x, train=..., mutable=...)`; it keeps
      running statistics, of momentum 0: those of the last batch.
    params: its weights.
    arch: the child, in any form.
    images: k batches `[k, N, ...]`.

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
  return jax.tree.map(lambda leaf: leaf / len(images), total)


def calibrated_accuracy(
  network: Any, images: jax.Array
) -> Callable[[Params, Arch, Batch], jax.Array]:
  """Return the accuracy of children with shared weights.

  Args:
    network: as for `calibrate`.
    images: k batches of the training split, for calibration.

  Returns:
    `(params, arch, batches) -> f32[]` for stacked batches `[T, B, ...]` with
    weights.
  """

  def accuracy(params, arch, batches):
    stats = calibrate(network, params, arch, images)
    variables = {'params': params, 'batch_stats': stats}
    return training.accuracy(network, variables, arch, batches)

  return accuracy
