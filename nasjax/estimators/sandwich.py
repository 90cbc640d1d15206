"""A supernet that is trained on its biggest, its smallest and random children.

Yu, Huang, Universally Slimmable Networks, 2019
(https://arxiv.org/abs/1903.05134), the sandwich rule and in-place distillation;
Yu et al., BigNAS, 2020 (https://arxiv.org/abs/2003.11142). One update adds up
the gradients of B children on the same batch:

  biggest   L = CE(y, p_1), with label smoothing, dropout and drop path
  others    L = -sum_k stop(p_1)_k log p_k,  without any of them
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.estimators import one_shot, samplers
from nasjax.types import Arch, Estimator, Key, Params


class Regularization(NamedTuple):
  """What makes the training harder for the child with the labels."""

  label_smoothing: float = 0.1
  drop_path: float = 0.2  # of the last block
  dropout: float = 0.2
  of_all: bool = False  # for all children, not for the first alone


def sandwich(
  sampler: samplers.Sampler,
  network: Any,
  init_params: Callable[[Key], Params],
  optimizer: optax.GradientTransformation,
  score: Callable[[Params, Arch], jax.Array],
  *,
  regularization: Regularization | None = None,
  distill: bool = True,
  average: bool = False,
) -> Estimator:
  """Return the estimator whose updates train several children together.

  Children are computed one after the other in one loop, whatever their number.

  Args:
    sampler: such as `samplers.sandwich`; the first child is the teacher.
    network: `apply({'params': params}, arch, image) -> f32[N, C]`, which takes
      `drop_path` and `dropout` where they are used.
    init_params: `(key) -> weights`.
    optimizer: of the weights; with their decay, once an update.
    score: `(weights, arch) -> f32[]`.
    regularization: of the first child; None for that of BigNAS.
    distill: whether the others learn from the first and not from the labels.
    average: whether the gradient is the mean over the children, not the sum.

  Returns:
    The estimator; batches are `dict(image=f32[N, ...], label=i32[N])`. Metrics
    are loss and accuracy of the first child and means over the others.
  """
  smoothing, *rates, of_all = regularization or Regularization()

  def init(key):
    return one_shot.start(init_params(key), optimizer)

  def logits_of(weights, arch, key, image, amount):
    drawn = {
      name: rate * amount
      for name, rate in zip(('drop_path', 'dropout'), rates)
      if rate > 0
    }
    if drawn:
      drawn['rngs'] = {'drop_path': key}
    return network.apply({'params': weights}, arch, image, **drawn)

  def update(key, state, batch):
    arch_key, drop_key = jax.random.split(key)
    archs = sampler(arch_key)
    num_children = jax.tree.leaves(archs)[0].shape[0]

    def child(carry, item):
      gradients, soft = carry
      drop_key, arch, is_first = item
      amount = jnp.where(is_first | of_all, 1.0, 0.0)
      labels = jax.nn.one_hot(batch['label'], soft.shape[-1], dtype=soft.dtype)
      labels = optax.losses.smooth_labels(labels, smoothing * amount)
      targets = jnp.where(is_first | (not distill), labels, soft)

      def loss(weights):
        logits = logits_of(weights, arch, drop_key, batch['image'], amount)
        values = optax.losses.softmax_cross_entropy(logits, targets)
        return values.mean(), logits

      (value, logits), gradient = jax.value_and_grad(loss, has_aux=True)(
        state.weights
      )
      # Beyond `value_and_grad`, what the teacher says is a constant.
      soft = jnp.where(is_first, jax.nn.softmax(logits), soft)
      accuracy = jnp.mean(logits.argmax(-1) == batch['label'])
      gradients = jax.tree.map(jnp.add, gradients, gradient)
      return (gradients, soft), (value, accuracy)

    first = jax.tree.map(lambda leaf: leaf[0], archs)
    shape = jax.eval_shape(
      lambda: logits_of(state.weights, first, drop_key, batch['image'], 0.0)
    )
    start = (
      jax.tree.map(jnp.zeros_like, state.weights),
      jnp.zeros(shape.shape, shape.dtype),
    )
    (gradient, _), (losses, accuracies) = lax.scan(
      child,
      start,
      (
        jax.random.split(drop_key, num_children),
        archs,
        jnp.arange(num_children) == 0,
      ),
    )
    if average:
      gradient = jax.tree.map(lambda leaf: leaf / num_children, gradient)
    others = max(num_children - 1, 1)
    return one_shot.move(state, gradient, optimizer), {
      'train_loss': losses[0],
      'train_accuracy': accuracies[0],
      'child_loss': jnp.sum(losses[1:]) / others,
      'child_accuracy': jnp.sum(accuracies[1:]) / others,
    }

  def score_arch(key, state, arch):
    del key
    return score(state.weights, arch)

  return Estimator(init, update, score_arch)
