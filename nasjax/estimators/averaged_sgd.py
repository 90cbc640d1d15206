"""SGD for pieces of text, and when to average its weights.

Merity, Keskar, Socher, Regularizing and Optimizing LSTM Language Models, 2018
(https://arxiv.org/abs/1708.02182), algorithm 1, with the settings of Liu,
Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019
(https://arxiv.org/abs/1806.09055), sections A.1.2 and A.3.2: SGD at a constant
rate until the validation loss is larger than the smallest one of more than
`patience` looks ago; from then on the mean of the weights counts.
"""

from typing import NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax


class Trigger(NamedTuple):
  """Whether a loss has stopped improving."""

  recent: jax.Array  # f32[patience] the last losses, oldest first
  best: jax.Array  # f32[] the smallest one before those
  fired: jax.Array  # bool[]


def trigger(patience: int = 5) -> Trigger:
  """Return the trigger that has seen no loss.

  Args:
    patience: number of last losses that do not count (paper: 5).

  Returns:
    The trigger.

  Raises:
    ValueError: if it is not positive.
  """
  if patience < 1:
    raise ValueError(f'patience must be at least 1, got {patience}.')
  never = jnp.asarray(jnp.inf)
  return Trigger(jnp.full(patience, jnp.inf), never, jnp.asarray(False))


def watch(state: Trigger, loss: jax.Array) -> Trigger:
  """Return the trigger after one more loss.

  It fires, for good, when the loss is larger than the smallest one of all
  before the last `patience`.

  Args:
    state: before it.
    loss: `f32[]`.

  Returns:
    The trigger.

  References:
    Merity et al., 2018, algorithm 1.
  """
  fired = state.fired | (loss > state.best)
  best = jnp.minimum(state.best, state.recent[0])
  recent = jnp.append(state.recent[1:], loss)
  return Trigger(recent, best, fired)


def clipped_sgd(
  learning_rate: float, max_norm: float, weight_decay: float, bptt: int
) -> optax.GradientTransformationExtraArgs:
  """Return SGD for pieces of text of different lengths.

    w <- w - (length / bptt) eta (min(1, c / |g|) g + lambda w)

  The factor of the clipping counts as a constant where the step is
  differentiated, as in the authors' second-order search.

  Args:
    learning_rate: eta, of a piece of usual length (paper: 20).
    max_norm: c, global norm to which gradients are clipped (paper: 0.25).
    weight_decay: lambda (paper: 5e-7 in the search, 8e-7 in the evaluation).
    bptt: usual length of a piece.

  Returns:
    The optimiser, which takes the batch of the gradient as an extra argument.
  """

  def clip(gradient, params):
    del params
    norm = optax.tree.norm(gradient)
    factor = lax.stop_gradient(jnp.minimum(1.0, max_norm / (norm + 1e-6)))
    return optax.tree.scale(factor, gradient)

  def by_length(updates, state, params=None, *, batch, **kwargs):
    del params, kwargs
    return optax.tree.scale(batch['length'] / bptt, updates), state

  return optax.chain(
    optax.stateless(clip),
    optax.add_decayed_weights(weight_decay),
    optax.sgd(learning_rate),
    optax.GradientTransformationExtraArgs(
      lambda params: optax.EmptyState(), by_length
    ),
  )
