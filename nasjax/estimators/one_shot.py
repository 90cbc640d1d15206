"""Scores with weights that all architectures share.

Bender et al., Understanding and Simplifying One-Shot Architecture Search, 2018;
Guo et al., Single Path One-Shot Neural Architecture Search with Uniform
Sampling, 2020 (https://arxiv.org/abs/1904.00420): each update trains the shared
weights on one uniformly drawn architecture; a score is the accuracy of an
architecture with the weights as they are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.types import Arch, Batch, Estimator, Key, Metrics, Params, Space


class State(NamedTuple):
  """The supernet in training."""

  weights: Params
  optimizer_state: optax.OptState


def one_shot(
  space: Space,
  loss: Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]],
  init_params: Callable[[Key], Params],
  optimizer: optax.GradientTransformation,
  valid: Batch,
  value: str = 'accuracy',
) -> Estimator:
  """Return the estimator whose weights are trained on random architectures.

  Args:
    space: where the architecture of each update is drawn from.
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
    weights = init_params(key)
    return State(weights, optimizer.init(weights))

  def update(key, state, batch):
    arch_key, loss_key = jax.random.split(key)
    arch = space.sample(arch_key)
    (train_loss, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(
      state.weights, arch, loss_key, batch
    )
    updates, optimizer_state = optimizer.update(
      gradient, state.optimizer_state, state.weights
    )
    weights = optax.apply_updates(state.weights, updates)
    metrics = {f'train_{name}': x for name, x in metrics.items()}
    return State(weights, optimizer_state), dict(metrics, train_loss=train_loss)

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
