"""Scores with weights that all architectures share.

Bender et al., Understanding and Simplifying One-Shot Architecture Search, 2018;
Guo et al., Single Path One-Shot Neural Architecture Search with Uniform
Sampling, 2020 (https://arxiv.org/abs/1904.00420): each update trains the shared
weights on the architectures that a sampler draws, one of the space in these
papers; a score is the accuracy of an architecture with the weights as they are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.estimators import samplers
from nasjax.types import Arch, Batch, Estimator, Key, Metrics, Params, Space

Loss = Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]]


class State(NamedTuple):
  """The supernet in training."""

  step: jax.Array  # i32[] updates done
  weights: Params
  optimizer_state: optax.OptState


def start(weights: Params, optimizer: optax.GradientTransformation) -> State:
  """Return the state of a supernet with these weights, before any update."""
  return State(jnp.zeros((), jnp.int32), weights, optimizer.init(weights))


def move(
  state: State, gradient: Params, optimizer: optax.GradientTransformation
) -> State:
  """Return the state after a step of the optimiser.

  Args:
    state: before it.
    gradient: of the weights.
    optimizer: of the weights.
  """
  updates, optimizer_state = optimizer.update(
    gradient, state.optimizer_state, state.weights
  )
  weights = optax.apply_updates(state.weights, updates)
  return State(state.step + 1, weights, optimizer_state)


def gradient_of(
  loss: Loss,
  weights: Params,
  archs: Arch,
  key: Key,
  batch: Batch,
) -> tuple[Params, jax.Array, Metrics]:
  """Return the sum of the gradients of several architectures.

  They are computed one after the other: the memory is that of one.

  Args:
    loss: `(weights, arch, key, batch) -> (f32[], metrics)`.
    weights: that all of them share.
    archs: B architectures, pytree of `[B, ...]`.
    key: of the losses.
    batch: the same for all.

  Returns:
    The gradient, and the means of losses and metrics.
  """
  num_archs = jax.tree.leaves(archs)[0].shape[0]
  differentiate = jax.value_and_grad(loss, has_aux=True)
  if num_archs == 1:  # no loop: XLA does best without
    arch = jax.tree.map(lambda leaf: leaf[0], archs)
    (value, metrics), gradient = differentiate(weights, arch, key, batch)
    return gradient, value, metrics

  def add(total, item):
    key, arch = item
    results, gradient = differentiate(weights, arch, key, batch)
    return jax.tree.map(jnp.add, total, gradient), results

  total, results = lax.scan(
    add,
    jax.tree.map(jnp.zeros_like, weights),
    (jax.random.split(key, num_archs), archs),
  )
  return total, *jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), results)


def one_shot(
  sampler: samplers.Sampler,
  loss: Loss,
  init_params: Callable[[Key], Params],
  optimizer: optax.GradientTransformation,
  valid: Batch,
  value: str = 'accuracy',
) -> Estimator:
  """Return the estimator whose weights are trained on drawn architectures.

  Args:
    sampler: `(key) -> archs [B, ...]`, those of each update.
    loss: `(weights, arch, key, batch) -> (f32[], metrics)`.
    init_params: `(key) -> weights` of the supernet.
    optimizer: of the weights.
    valid: stacked batches `[T, B, ...]` of the split that steers the search.
    value: the metric of `loss` that is the score, averaged over `valid`;
      higher is better.

  Returns:
    The estimator. Norm uses the statistics of the batch, so scores need no
    calibration.
  """

  def init(key):
    return start(init_params(key), optimizer)

  def update(key, state, batch):
    arch_key, loss_key = jax.random.split(key)
    gradient, train_loss, metrics = gradient_of(
      loss,
      state.weights,
      sampler(arch_key),
      loss_key,
      batch,
    )
    metrics = {f'train_{name}': x for name, x in metrics.items()}
    state = move(state, gradient, optimizer)
    return state, dict(metrics, train_loss=train_loss)

  def score(key, state, arch):

    def add(total, batch):
      return total + loss(state.weights, arch, key, batch)[1][value], None

    total, _ = lax.scan(add, jnp.zeros(()), valid)
    return total / jax.tree.leaves(valid)[0].shape[0]

  return Estimator(init, update, score)


def init_supernet(
  network: Any, space: Space, input_shape: tuple[int, ...]
) -> Callable[[Key], Params]:
  """Return `(key) -> weights` of a network that holds all architectures.

  Args:
    network: `init(key, arch, x)`.
    space: gives one index architecture, which brings all slots into being.
    input_shape: of one example, `(H, W, C)` for images.
  """

  def init_params(key):
    arch = space.sample(jax.random.key(0))
    example = jnp.zeros((1, *input_shape))
    return jax.jit(network.init)(key, arch, example)['params']

  return init_params
