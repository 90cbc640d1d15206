"""Optimisers of the searches of DARTS and its kin."""

import jax
import jax.numpy as jnp
import optax

from nasjax import schedules
from nasjax.types import Batch


def cosine_sgd(
  learning_rate: float,
  final_learning_rate: float,
  num_epochs: int,
  steps_per_epoch: int,
  momentum: float,
  weight_decay: float,
  nesterov: bool = False,
) -> optax.GradientTransformation:
  """Return SGD as the searches of DARTS and its kin train weights.

  Weight decay is added to the gradient, before momentum; the rate follows a
  cosine and is constant within an epoch.

  Args:
    learning_rate: in the first epoch.
    final_learning_rate: where the cosine ends.
    num_epochs: length of the cosine.
    steps_per_epoch: updates in an epoch.
    momentum: decay of the sum of gradients.
    weight_decay: L2 coefficient.
    nesterov: whether the momentum is Nesterov's.

  Returns:
    The optimiser, without clipping.
  """
  cosine = optax.cosine_decay_schedule(
    learning_rate, num_epochs, final_learning_rate / learning_rate
  )
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.sgd(schedules.per_epoch(cosine, steps_per_epoch), momentum, nesterov),
  )


def adam(
  learning_rate: float, b1: float, b2: float, weight_decay: float
) -> optax.GradientTransformation:
  """Return Adam as the searches of DARTS and its kin move architectures.

  Args:
    learning_rate: of Adam.
    b1: decay of the first moment.
    b2: decay of the second moment.
    weight_decay: L2 coefficient, added to the gradient.

  Returns:
    The optimiser.
  """
  return optax.chain(
    optax.add_decayed_weights(weight_decay), optax.adam(learning_rate, b1, b2)
  )


def see_batch(
  optimizer: optax.GradientTransformation, batch: Batch
) -> optax.GradientTransformation:
  """Return an optimiser whose extra argument `batch`, if it has one, is given.

  Args:
    optimizer: any; those with extra arguments, see optax, may depend on the
      batch of their gradient, as a rate in proportion to its length does.
    batch: that batch.

  Returns:
    The optimiser, of the same state.
  """
  extended = optax.with_extra_args_support(optimizer)

  def update(gradient, state, params=None):
    return extended.update(gradient, state, params, batch=batch)

  return optax.GradientTransformation(optimizer.init, update)


def where_used(
  optimizer: optax.GradientTransformation,
) -> optax.GradientTransformation:
  """Return an optimiser that leaves alone what has no gradient.

  A weight whose gradient is exactly zero was not used: operations of other
  architectures, in a supernet trained on one. It is not moved, by decay or
  momentum either, and neither are its entries of the state, as in programs that
  hand no gradient of such tensors to their optimiser.

  Args:
    optimizer: any whose state holds values for each weight in pytrees like
      that of the weights.

  Returns:
    The optimiser, of the same state.
  """

  def update(gradient, state, params=None):
    like = jax.tree.structure(gradient)
    shapes = [leaf.shape for leaf in jax.tree.leaves(gradient)]

    def is_like_weights(node):
      return jax.tree.structure(node) == like and shapes == [
        jnp.shape(leaf) for leaf in jax.tree.leaves(node)
      ]

    def keep(new, old):
      if not is_like_weights(new):
        return new
      return jax.tree.map(
        lambda g, a, b: jnp.where(g != 0, a, b), gradient, new, old
      )

    updates, moved = optimizer.update(gradient, state, params)
    zeros = jax.tree.map(jnp.zeros_like, updates)
    moved = jax.tree.map(keep, moved, state, is_leaf=is_like_weights)
    return keep(updates, zeros), moved

  return optax.GradientTransformation(optimizer.init, update)
