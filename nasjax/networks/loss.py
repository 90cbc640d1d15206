"""Losses of networks, in the form that searches take."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from nasjax.types import Arch, Batch, Key, Metrics, Params


def classification_loss(
  network: Any,
  label_smoothing: float = 0.0,
  drop_path: chex.Numeric | None = None,
) -> Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]]:
  """Return the mean cross entropy of a network's logits, in nats.

  Args:
    network: anything with `apply({'params': params}, arch, image) -> f32[N, C]`
      for C classes.
    label_smoothing: probability mass spread evenly over all classes.
    drop_path: passed on, with the key for the stream 'drop_path'; None where
      the network draws nothing.

  Returns:
    `loss(params, arch, key, batch) -> (f32[], {'accuracy': f32[]})` for batches
    `dict(image=f32[N, ...], label=i32[N])`.
  """

  def loss(params, arch, key, batch):
    drawn = {}
    if drop_path is not None:
      drawn = dict(drop_path=drop_path, rngs={'drop_path': key})
    logits = network.apply({'params': params}, arch, batch['image'], **drawn)
    targets = optax.losses.smooth_labels(
      jax.nn.one_hot(batch['label'], logits.shape[-1], dtype=logits.dtype),
      label_smoothing,
    )
    value = optax.losses.softmax_cross_entropy(logits, targets).mean()
    accuracy = jnp.mean(logits.argmax(-1) == batch['label'])
    return value, {'accuracy': accuracy}

  return loss
