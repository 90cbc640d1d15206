"""Training of one language model from scratch, and its perplexity.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019
(https://arxiv.org/abs/1806.09055), section A.3.2, after Merity, Keskar, Socher,
Regularizing and Optimizing LSTM Language Models, 2018
(https://arxiv.org/abs/1708.02182), algorithm 1: SGD until the validation loss
stops improving (see `averaged_sgd`); from then on the network is the mean of
the weights of all steps.

Deviations
  * The mean is over every step since the switch. That of `torch.optim.ASGD`
    leaves out the first one.
  * The network at the end is returned, not that of the best validation loss.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.estimators import averaged_sgd
from nasjax.networks import loss as losses
from nasjax.types import Arch, Batch, Key, Metrics, Params


class Child(NamedTuple):
  """A language model in training."""

  step: jax.Array  # i32[] updates done
  params: Params
  hidden: Any  # of the recurrence, after the last piece of the text
  optimizer_state: optax.OptState
  average: Params  # mean of the weights of the last `num_averaged` steps
  num_averaged: jax.Array  # i32[]
  trigger: averaged_sgd.Trigger


class LanguageTrainer(NamedTuple):
  """How a language model is trained; pure functions of one architecture."""

  init: Callable[[Key, Arch], Child]
  update: Callable[[Key, Child, Arch, Batch], tuple[Child, Metrics]]
  log_likelihood: Callable[[Child, Arch, Batch], jax.Array]  # nats a word
  perplexity: Callable[[Child, Arch, Batch], jax.Array]


def log_likelihood(
  network: Any, params: Params, arch: Arch, pieces: Batch
) -> jax.Array:
  """Return the mean log-likelihood of the words of a text, in nats.

  Args:
    network: a `LanguageModel`.
    params: its weights.
    arch: its architecture.
    pieces: `dict(input=i32[N, B, T], target=i32[N, B, T], length=i32[N])`, one
      after another, from `data.text_streams.text_pieces`.

  Returns:
    `f32[]`; the perplexity is `exp` of its negative.
  """

  def read(hidden, piece):
    output = network.apply(
      {'params': params}, arch, piece['input'], hidden, length=piece['length']
    )
    entropy = losses.mean_over_time(
      losses.word_entropy(output.logits, piece['target']), piece['length']
    )
    return output.hidden, entropy * piece['length']

  hidden = network.initial(pieces['input'].shape[1])
  _, entropies = lax.scan(read, hidden, pieces)
  return -jnp.sum(entropies) / jnp.sum(pieces['length'])


def train_language_model(
  network: Any,
  batch_size: int,
  valid: Batch | None = None,
  steps_per_epoch: int = 1,
  *,
  bptt: int = 35,
  learning_rate: float = 20.0,
  max_norm: float = 0.25,
  weight_decay: float = 8e-7,
  activation_weight: float = 0.0,
  temporal_weight: float = 1e-3,
  patience: int = 5,
) -> LanguageTrainer:
  """Return the training of one language model from scratch.

  Args:
    network: a `LanguageModel`.
    batch_size: B of the training batches.
    valid: text whose loss tells when to start averaging, once an epoch: pieces
      as in `log_likelihood`; None to never average, as in short trainings.
    steps_per_epoch: updates from one look at it to the next.
    bptt: usual length of a piece.
    learning_rate: of SGD.
    max_norm: global norm to which gradients are clipped.
    weight_decay: L2 coefficient, added to the gradient.
    activation_weight: of activation regularisation, see `language_loss`.
    temporal_weight: of temporal activation regularisation.
    patience: looks that may be worse than an earlier one, see
      `averaged_sgd.watch`.

  Returns:
    The trainer, for batches of `data.text_streams.text_batches`. What it tests
    are the averaged weights, once there are any.

  References:
    DARTS, https://arxiv.org/abs/1806.09055, section A.3.2.
  """
  loss = losses.language_loss(network, activation_weight, temporal_weight)
  optimizer = averaged_sgd.clipped_sgd(
    learning_rate, max_norm, weight_decay, bptt
  )

  def init(key, arch):
    hidden = network.initial(batch_size)
    tokens = jnp.zeros((batch_size, 1), jnp.int32)
    params = network.init(key, arch, tokens, hidden)['params']
    return Child(
      jnp.zeros((), jnp.int32),
      params,
      hidden,
      optimizer.init(params),
      params,
      jnp.zeros((), jnp.int32),
      averaged_sgd.trigger(patience),
    )

  def update(key, child, arch, batch):
    part = dict(batch, carry=child.hidden)
    (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(
      child.params, arch, key, part
    )
    updates, optimizer_state = optimizer.update(
      gradient, child.optimizer_state, child.params, batch=batch
    )
    params = optax.apply_updates(child.params, updates)
    fired, step = child.trigger.fired, child.step + 1
    num_averaged = child.num_averaged + fired
    # Until it fires the share of the new weights is one.
    average = optax.incremental_update(
      params, child.average, 1 / jnp.maximum(num_averaged, 1)
    )
    state = child.trigger
    if valid is not None:
      state = lax.cond(
        (step % steps_per_epoch == 0) & ~fired,
        lambda: averaged_sgd.watch(
          child.trigger, -log_likelihood(network, params, arch, valid)
        ),
        lambda: child.trigger,
      )
    return Child(
      step,
      params,
      metrics['carry'],
      optimizer_state,
      average,
      num_averaged,
      state,
    ), {
      'train_loss': value,
      'train_perplexity': metrics['perplexity'],
      'averaging': fired.astype(jnp.float32),
    }

  def of_child(child, arch, pieces):
    return log_likelihood(network, child.average, arch, pieces)

  def perplexity(child, arch, pieces):
    return jnp.exp(-of_child(child, arch, pieces))

  return LanguageTrainer(init, update, of_child, perplexity)
