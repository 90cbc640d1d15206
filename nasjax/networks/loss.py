"""Losses of networks, in the form that searches take."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nasjax.types import Arch, Batch, Key, Metrics, Params


def classification_loss(
  network: Any, label_smoothing: float = 0.0
) -> Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]]:
  """Return the mean cross entropy of a network's logits, in nats.

  Args:
    network: anything with `apply({'params': params}, arch, image) -> f32[N, C]`
      for C classes.
    label_smoothing: probability mass spread evenly over all classes.

  Returns:
    `loss(params, arch, key, batch) -> (f32[], {'accuracy': f32[]})` for batches
    `dict(image=f32[N, ...], label=i32[N])`. The key is not used.
  """

  def loss(params, arch, key, batch):
    del key
    logits = network.apply({'params': params}, arch, batch['image'])
    targets = optax.losses.smooth_labels(
      jax.nn.one_hot(batch['label'], logits.shape[-1], dtype=logits.dtype),
      label_smoothing,
    )
    value = optax.losses.softmax_cross_entropy(logits, targets).mean()
    accuracy = jnp.mean(logits.argmax(-1) == batch['label'])
    return value, {'accuracy': accuracy}

  return loss


def excess(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Return by how much losses exceed what the predictions expect, in nats.

    L - H = sum_k p_k z_k - z_y,  L = -log p_y,  H = -sum_k p_k log p_k

  It is zero for uniform predictions, not above zero where the predicted class
  is the right one, and large for confident mistakes; the mean over labels drawn
  from the predictions themselves is zero.

  Args:
    logits: z, `f32[N, C]`.
    labels: y, `int32[N]`.

  Returns:
    `f32[N]`.

  References:
    Xie et al., Understanding the wiring evolution in differentiable neural
    architecture search, AISTATS 2021, https://arxiv.org/abs/2009.01272.
  """
  weights = jax.nn.softmax(logits) - jax.nn.one_hot(labels, logits.shape[-1])
  return jnp.sum(weights * logits, axis=-1)
