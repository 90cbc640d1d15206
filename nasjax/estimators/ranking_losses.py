"""Losses of predictors: of values, of the order of pairs, of comparisons.

A loss is `(key, prediction, targets [B], weights [B]) -> f32[]`; an example of
weight 0 does not count. Losses of pairs are means over the pairs of a batch in
which the targets differ: a tie has no order, and gives nothing.

  squared_error  mean of (s_i - y_i)^2
  absolute_error  mean of |s_i - y_i|
  pairwise     mean over i, j of phi((s_i - s_j) sign(y_i - y_j)): equation 4
               of Y. Xu et al., ReNAS: Relativistic Evaluation of Neural
               Architecture Search, 2021, https://arxiv.org/abs/1910.01523
  consistency  mean over triplets of phi((d_ij - d_il) sign(l_ij - l_il)) with
               d_ij = |g_i - g_j| of the hidden layers and l_ij = |y_i - y_j|:
               the second loss of the same paper
  softmax_pairs  KL(softmax(y_i, y_j) || softmax(s_i, s_j)): L. Dudziak et al.,
               BRP-NAS, 2020, https://arxiv.org/abs/2007.08668
  comparison   binary cross entropy of "i is better than j": Y. Chen et al.,
               Contrastive Neural Architecture Search with Neural Architecture
               Comparators, 2021, https://arxiv.org/abs/2103.05471

Deviations
  * Means instead of sums, so that a learning rate suits batches of any size.
  * All pairs of a batch; the official comparator pairs a batch with one random
    permutation of itself.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from nasjax.networks.predictors import Prediction
from nasjax.types import Key

Loss = Callable[[Key, Prediction, jax.Array, jax.Array], jax.Array]
Penalty = Callable[[jax.Array], jax.Array]


def _mean(values, weights):
  """Return the weighted mean, 0 where nothing has weight."""
  total = jnp.sum(weights)
  return jnp.sum(values * weights) / jnp.where(total > 0, total, 1.0)


def _differences(values):
  """Return `values_i - values_j`, `f32[B, B]`."""
  return values[:, None] - values[None, :]


def _pair_weights(weights):
  return weights[:, None] * weights[None, :]


def hinge(margin: float = 0.1) -> Penalty:
  """Return `phi(z) = max(margin - z, 0)`."""
  return lambda z: jnp.maximum(margin - z, 0.0)


def logistic(z: jax.Array) -> jax.Array:
  """Return `phi(z) = log(1 + exp(-z))`."""
  return jax.nn.softplus(-z)


def exponential(z: jax.Array) -> jax.Array:
  """Return `phi(z) = exp(-z)`."""
  return jnp.exp(-z)


def squared_error(
  key: Key, prediction: Prediction, targets: jax.Array, weights: jax.Array
) -> jax.Array:
  """Return the mean squared error of the scores.

  Args:
    key: not used.
    prediction: of B architectures.
    targets: their values, `f32[B]`.
    weights: `f32[B]`.

  Returns:
    `f32[]`.
  """
  del key
  return _mean(jnp.square(prediction.values - targets), weights)


def absolute_error(
  key: Key, prediction: Prediction, targets: jax.Array, weights: jax.Array
) -> jax.Array:
  """Return the mean absolute error of the scores.

  Args:
    key: not used.
    prediction: of B architectures.
    targets: their values, `f32[B]`.
    weights: `f32[B]`.

  Returns:
    `f32[]`.
  """
  del key
  return _mean(jnp.abs(prediction.values - targets), weights)


def pairwise(penalty: Penalty) -> Loss:
  """Return the loss of pairs whose scores are in the wrong order.

  Its gradient depends on the order of the targets alone: a monotone map of
  them changes nothing.

  Args:
    penalty: phi, of the difference of two scores in the direction of their
      targets: `hinge(margin)`, `logistic` or `exponential`.

  Returns:
    The loss.
  """

  def loss(key, prediction, targets, weights):
    del key
    order = jnp.sign(_differences(targets))
    values = penalty(_differences(prediction.values) * order)
    return _mean(values, _pair_weights(weights) * jnp.abs(order))

  return loss


def consistency(penalty: Penalty, num_triplets: int) -> Loss:
  """Return the loss of hidden layers that are far where targets are near.

  Args:
    penalty: phi, as in `pairwise`.
    num_triplets: triplets (i, j, l) drawn with replacement in every step.

  Returns:
    The loss.
  """

  def loss(key, prediction, targets, weights):
    shape = (3, num_triplets)
    i, j, l = jax.random.randint(key, shape, 0, targets.shape[0])

    def distance(a, b):
      square = jnp.sum(
        jnp.square(prediction.features[a] - prediction.features[b]), axis=-1
      )
      # The root has no gradient at zero, where a triplet names one item twice.
      apart = square > 0
      return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)

    gap = jnp.abs(targets[i] - targets[j]) - jnp.abs(targets[i] - targets[l])
    order = jnp.sign(gap)
    values = penalty((distance(i, j) - distance(i, l)) * order)
    counted = weights[i] * weights[j] * weights[l] * jnp.abs(order)
    return _mean(values, counted)

  return loss


def softmax_pairs(
  key: Key, prediction: Prediction, targets: jax.Array, weights: jax.Array
) -> jax.Array:
  """Return the divergence of the softmax of pairs of scores from the targets'.

  `KL(softmax(y_i, y_j) || softmax(s_i, s_j))`; how far targets are apart
  matters, and a tie is a target like any other.

  Args:
    key: not used.
    prediction: of B architectures.
    targets: their values, `f32[B]`.
    weights: `f32[B]`.

  Returns:
    `f32[]`.
  """
  del key
  target, logit = _differences(targets), _differences(prediction.values)
  # By symmetry the second term of the sum over the pair is that of (j, i).
  divergence = jax.nn.sigmoid(target) * (
    jax.nn.log_sigmoid(target) - jax.nn.log_sigmoid(logit)
  )
  apart = 1 - jnp.eye(targets.shape[0])
  return 2 * _mean(divergence, _pair_weights(weights) * apart)


def comparison(
  key: Key, prediction: Prediction, targets: jax.Array, weights: jax.Array
) -> jax.Array:
  """Return the cross entropy of a comparator, in nats.

  Args:
    key: not used.
    prediction: of B architectures by a `networks.Comparator`, whose features
      `[B, 2]` are the two terms of a logit.
    targets: their values, `f32[B]`.
    weights: `f32[B]`.

  Returns:
    `f32[]`, the mean over ordered pairs of
    `-log sigmoid(logit_ij)` where i is better and `-log sigmoid(-logit_ij)`
    where j is.
  """
  del key
  logits = prediction.features[:, 0, None] + prediction.features[None, :, 1]
  order = jnp.sign(_differences(targets))
  return _mean(
    logistic(logits * order), _pair_weights(weights) * jnp.abs(order)
  )


def weighted_sum(terms: Sequence[tuple[float, Loss]]) -> Loss:
  """Return `sum_k weight_k loss_k`, each loss with a key of its own.

  Args:
    terms: pairs of a weight and a loss.

  Returns:
    The loss.
  """

  def total(key, prediction, targets, weights):
    keys = jax.random.split(key, len(terms))
    return sum(
      factor * loss(key, prediction, targets, weights)
      for key, (factor, loss) in zip(keys, terms)
    )

  return total
