"""A score that an encoder-predictor-decoder learns from architectures.

R. Luo et al., Neural Architecture Optimization, NeurIPS 2018,
https://arxiv.org/abs/1808.07233, section 3.4 and the official PyTorch code:

  loss = lambda (f(H) - target)^2 + (1 - lambda) CE(decoded, tokens)

with targets of mean 0 and variance 1 (SemiNAS) or, before a sigmoid, between 0
and 1 (NAO); the gradient is clipped by its global norm, then joined by that of
an L2 penalty, then given to Adam.

Deviations
  * Batches are drawn with replacement, not epoch by epoch; a number of steps
    takes the place of a number of epochs.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax import archive
from nasjax.networks import autoencoder as networks
from nasjax.spaces import sequences as spaces
from nasjax.types import Arch, Estimator, Params


class State(NamedTuple):
  """The weights, and what their targets mean."""

  params: Params
  offset: jax.Array  # f32[] value = offset + scale * target
  scale: jax.Array  # f32[]
  num_fits: jax.Array  # i32[]


class Latent(NamedTuple):
  """The way from architectures to states of the encoder, and back.

  Attributes:
    encode: `(state, arch) -> f32[S, d]`, the outputs H of the encoder, all of
      length 1.
    predict: `(state, outputs) -> f32[]`, the prediction from H as a target,
      without offset and scale.
    decode: `(state, outputs) -> i32[T]`, tokens that the mask allows.
  """

  encode: Callable[[State, Arch], jax.Array]
  predict: Callable[[State, jax.Array], jax.Array]
  decode: Callable[[State, jax.Array], jax.Array]


def latent(
  network: networks.Autoencoder, sequences: spaces.Sequences
) -> Latent:
  """Return the functions of an autoencoder's latent space.

  Args:
    network: the network of `autoencoder`.
    sequences: its sequences.

  Returns:
    Functions of the state of `autoencoder`.
  """

  def encode(state, arch):
    variables = {'params': state.params}
    return network.apply(variables, sequences.encode(arch), method='encode')

  def predict(state, outputs):
    return network.apply({'params': state.params}, outputs, method='predict')

  def decode(state, outputs):
    return networks.generate(network, state.params, outputs, sequences.mask)

  return Latent(encode, predict, decode)


def _constants(values, bounded):
  """Return offset and scale of the values that are finite."""
  finite = jnp.isfinite(values)
  if bounded:
    low = jnp.min(jnp.where(finite, values, jnp.inf))
    high = jnp.max(jnp.where(finite, values, -jnp.inf))
    offset, scale = low, high - low
  else:
    count = jnp.maximum(jnp.sum(finite), 1)
    offset = jnp.sum(jnp.where(finite, values, 0.0)) / count
    squares = jnp.square(jnp.where(finite, values - offset, 0.0))
    scale = jnp.sqrt(jnp.sum(squares) / count)
  offset = jnp.where(jnp.any(finite), offset, 0.0)
  return offset, jnp.where(jnp.isfinite(scale) & (scale > 0), scale, 1.0)


def _batches(key, values, num_steps, batch_size):
  """Return slots with finite values, drawn uniformly, `i32[steps, batch]`."""
  finite = jnp.isfinite(values)
  filled_first = jnp.argsort(~finite)
  ranks = jax.random.randint(
    key, (num_steps, batch_size), 0, jnp.maximum(jnp.sum(finite), 1)
  )
  return filled_first[ranks]


def autoencoder(
  network: networks.Autoencoder,
  sequences: spaces.Sequences,
  num_steps: int = 1000,
  batch_size: int = 100,
  trade_off: float = 0.8,
  learning_rate: float = 1e-3,
  weight_decay: float = 1e-4,
  max_norm: float = 5.0,
  warm_start: bool = False,
) -> Estimator:
  """Return the estimator that fits an autoencoder to an archive.

  `update` takes an `archive.Archive` and trains on the slots with finite
  values; all steps are one loop. Adam starts anew every time, as in the
  official code.

  Metrics: `mse` (of targets), `cross_entropy` and `token_accuracy` (of decoded
  tokens, given those before), means over the last tenth of the steps.

  Args:
    network: `networks.autoencoder.nao` or `seminas`.
    sequences: of the space.
    num_steps: optimiser steps of a fit.
    batch_size: architectures of a step (official: 100).
    trade_off: lambda (official: 0.8).
    learning_rate: of Adam (official: 1e-3).
    weight_decay: factor of the L2 gradient (official: 1e-4).
    max_norm: of the gradient (official: 5).
    warm_start: whether a fit continues from the weights of the last one. Then
      targets keep the offset and scale of the first fit, unless they have to
      stay between 0 and 1.

  Returns:
    The estimator. A score is the predicted value, in the unit of the values.
  """
  optimizer = optax.chain(
    optax.clip_by_global_norm(max_norm),
    optax.add_decayed_weights(weight_decay),
    optax.adam(learning_rate),
  )

  def init_params(key):
    tokens = jnp.zeros(len(sequences.mask), jnp.int32)
    return network.init(key, tokens)['params']

  def init(key):
    start = jnp.float32(0), jnp.float32(1), jnp.int32(0)
    return State(init_params(key), *start)

  def loss(params, tokens, targets, key):
    predicted, logits = network.apply(
      {'params': params}, tokens, train=True, rngs={'dropout': key}
    )
    one_hot = jax.nn.one_hot(tokens, logits.shape[-1])
    mse = jnp.mean(jnp.square(predicted - targets))
    entropy = jnp.mean(optax.softmax_cross_entropy(logits, one_hot))
    correct = jnp.argmax(logits, -1) == tokens
    return trade_off * mse + (1 - trade_off) * entropy, {
      'mse': mse,
      'cross_entropy': entropy,
      'token_accuracy': jnp.mean(correct),
    }

  def fit(key, params, tokens, targets, slots):
    def step(carry, inputs):
      params, optimizer_state = carry
      key, slots = inputs
      gradient, metrics = jax.grad(loss, has_aux=True)(
        params, tokens[slots], targets[slots], key
      )
      updates, optimizer_state = optimizer.update(
        gradient, optimizer_state, params
      )
      return (optax.apply_updates(params, updates), optimizer_state), metrics

    keys = jax.random.split(key, num_steps)
    start = params, optimizer.init(params)
    (params, _), metrics = jax.lax.scan(step, start, (keys, slots))
    last = -(-num_steps // 10)
    return params, jax.tree.map(lambda x: jnp.mean(x[-last:]), metrics)

  def update(key, state, told: archive.Archive):
    init_key, batch_key, fit_key = jax.random.split(key, 3)
    offset, scale = _constants(told.values, network.bounded)
    params = state.params if warm_start else init_params(init_key)
    if warm_start and not network.bounded:
      is_first = state.num_fits == 0
      offset = jnp.where(is_first, offset, state.offset)
      scale = jnp.where(is_first, scale, state.scale)
    targets = (told.values - offset) / scale
    params, metrics = fit(
      fit_key,
      params,
      jax.vmap(sequences.encode)(told.archs),
      # Where no value is finite at all, nothing is learned from -inf.
      jnp.where(jnp.isfinite(targets), targets, 0.0),
      _batches(batch_key, told.values, num_steps, batch_size),
    )
    return State(params, offset, scale, state.num_fits + 1), metrics

  functions = latent(network, sequences)

  def score(key, state, arch):
    del key
    outputs = functions.encode(state, arch)
    return state.offset + state.scale * functions.predict(state, outputs)

  return Estimator(init, update, score)
