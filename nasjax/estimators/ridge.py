"""Ridge regression in closed form: the baseline of every predictor.

With features and values centred over the known entries,

  w = (X^T X + l I)^-1 X^T y,  score = mean(y) + (x - mean(x)) . w
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.archive import Archive
from nasjax.types import Arch, Estimator


class State(NamedTuple):
  """A fitted linear function."""

  weights: jax.Array  # f32[F]
  offset: jax.Array  # f32[]


def ridge(
  features: Callable[[Arch], jax.Array], example: Arch, penalty: float = 1.0
) -> Estimator:
  """Return the linear predictor with a penalty on the square of its weights.

  Args:
    features: `(arch) -> f32[F]`.
    example: any architecture; its features give the shape.
    penalty: l; the offset is not penalised.

  Returns:
    The estimator. `update` takes an `archive.Archive` with values `[N]`;
    entries that are not finite do not count.

  Raises:
    ValueError: if the penalty is not positive.
  """
  if isinstance(penalty, float | int) and penalty <= 0:
    raise ValueError(f'Ridge needs a positive penalty, got {penalty}.')

  def init(key):
    del key
    shape = jax.eval_shape(features, example).shape
    return State(jnp.zeros(shape), jnp.zeros(()))

  def update(key, state, told: Archive):
    del key, state
    known = jnp.isfinite(told.values)
    count = jnp.maximum(jnp.sum(known), 1)
    x = jnp.where(known[:, None], jax.vmap(features)(told.archs), 0.0)
    y = jnp.where(known, told.values, 0.0)
    x_mean, y_mean = jnp.sum(x, 0) / count, jnp.sum(y) / count
    x = jnp.where(known[:, None], x - jnp.broadcast_to(x_mean, x.shape), 0.0)
    y = jnp.where(known, y - y_mean, 0.0)
    gram = x.T @ x + penalty * jnp.eye(x.shape[1])
    weights = jax.scipy.linalg.solve(gram, x.T @ y, assume_a='pos')
    residuals = jnp.where(known, y - x @ weights, 0.0)
    metrics = {'fit_loss': jnp.sum(jnp.square(residuals)) / count}
    return State(weights, y_mean - x_mean @ weights), metrics

  def score(key, state, arch):
    del key
    return features(arch) @ state.weights + state.offset

  return Estimator(init, update, score)
