"""Optimisers of the searches of DARTS and its kin."""

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
