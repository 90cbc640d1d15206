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


def language_loss(
  network: Any,
  activation_weight: float = 0.0,
  temporal_weight: float = 0.0,
) -> Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]]:
  """Return the cross entropy of the next word, in nats, with two penalties.

    L = mean_t -log p(x_(t+1) | x_1, ..., x_t)
        + a mean (m h_t)^2 + b mean (h_(t+1) - h_t)^2

  with the outputs h of the recurrence and what dropout keeps of them, m h.

  Args:
    network: a `LanguageModel`, or anything of its interface.
    activation_weight: a, of activation regularisation.
    temporal_weight: b, of temporal activation regularisation.

  Returns:
    `loss(params, arch, key, batch) -> (f32[], metrics)` for batches
    `dict(input=i32[B, T], target=i32[B, T], length=i32[], start=bool[],
    carry)`, see `data.text_streams`: words from `length` on do not count;
    `carry` is the hidden state, which begins anew where `start` is true.
    Metrics are 'perplexity' and the next 'carry'.

  References:
    Merity, McCann, Socher, Revisiting Activation Regularization for Language
    RNNs, 2017, https://arxiv.org/abs/1708.01009.
  """

  def loss(params, arch, key, batch):
    hidden = jax.tree.map(
      lambda h: jnp.where(batch['start'], 0.0, h), batch['carry']
    )
    output = network.apply(
      {'params': params},
      arch,
      batch['input'],
      hidden,
      train=True,
      length=batch['length'],
      rngs={'dropout': key},
    )
    entropy = mean_over_time(
      word_entropy(output.logits, batch['target']), batch['length']
    )
    change = jnp.diff(output.states, axis=1)
    value = (
      entropy
      + activation_weight * mean_over_time(output.dropped**2, batch['length'])
      + temporal_weight * mean_over_time(change**2, batch['length'] - 1)
    )
    return value, {'perplexity': jnp.exp(entropy), 'carry': output.hidden}

  return loss


def word_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Return `-log p` of each target word, `[..., V], i32[...] -> [...]`."""
  return optax.losses.softmax_cross_entropy_with_integer_labels(logits, targets)


def mean_over_time(values: jax.Array, length: jax.Array) -> jax.Array:
  """Return the mean of the first steps of sequences; 0 where there is none.

  Args:
    values: `[B, T, ...]`.
    length: `i32[]`, steps that count.

  Returns:
    `f32[]`.
  """
  per_step = jnp.mean(values, [i for i in range(values.ndim) if i != 1])
  counts = jnp.arange(values.shape[1]) < length
  return jnp.sum(jnp.where(counts, per_step, 0.0)) / jnp.maximum(length, 1)
