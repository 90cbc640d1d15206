"""Language models: an embedding, a recurrence, the embedding again.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019
(https://arxiv.org/abs/1806.09055), sections 3.1.2 and A.1.3, after Merity,
Keskar, Socher, Regularizing and Optimizing LSTM Language Models, 2018
(https://arxiv.org/abs/1708.02182).

Embedding and decoder share their matrix, so `V H + V + (2H)^2 + 2 N H^2`
weights: 22,960,000 for V = 10,000 words, H = 850 features and N = 8 nodes. All
masks of dropout are drawn once a sequence.

Deviations
  * The baseline is one layer of LSTM with the dropout of this model, not the
    three layers with dropped weights of Merity et al.
"""

from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax.networks import recurrent, rnn_cell
from nasjax.types import Arch


class Output(NamedTuple):
  """What a language model makes of a sequence."""

  logits: jax.Array  # [B, T, V] of the next word
  hidden: Any  # state of the recurrence after the last step
  states: jax.Array  # [B, T, H] outputs of the recurrence
  dropped: jax.Array  # [B, T, H] the same after dropout


class LstmCell(nn.Module):
  """The recurrence of an LSTM, in the place of a cell; it has no choices."""

  features: int

  def initial(self, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """Return (h, c) before the first step, both `[B, H]`."""
    zeros = jnp.zeros((batch_size, self.features))
    return zeros, zeros

  @nn.compact
  def __call__(
    self,
    arch: Arch,
    x: chex.Array,
    hidden: chex.ArrayTree,
    masks: rnn_cell.Masks | None = None,
    length: chex.Numeric | None = None,
  ) -> tuple[jax.Array, chex.ArrayTree]:
    """Apply the layer; arguments and results as for `rnn_cell.RnnCell`."""
    del arch
    layer = recurrent.Lstm(self.features)
    if masks is None:
      return layer(x, hidden, length=length)
    x = x * masks.x[:, None]
    return layer(x, hidden, mask=masks.hidden, length=length)


class LanguageModel(nn.Module):
  """Predicts the next word of a text from those before it.

  Attributes:
    core: the recurrence, `rnn_cell.RnnCell` or anything of its interface.
    num_tokens: V, words of the vocabulary.
    embedding_dropout: share of the features of embedded words (paper: 0.2).
    input_dropout: share of the features of the recurrence's inputs (0.75).
    hidden_dropout: share of its hidden features (0.25; WikiText-2: 0.15).
    output_dropout: share of the features of its outputs (0.75).
    word_dropout: share of the vocabulary whose embedding is zero (search: 0,
      evaluation: 0.1).
  """

  core: nn.Module
  num_tokens: int = 10_000
  embedding_dropout: float = 0.2
  input_dropout: float = 0.75
  hidden_dropout: float = 0.25
  output_dropout: float = 0.75
  word_dropout: float = 0.0

  def initial(self, batch_size: int) -> Any:
    """Return the state of the recurrence before the first word."""
    return self.core.initial(batch_size)

  @nn.compact
  def __call__(
    self,
    arch: Arch,
    tokens: chex.Array,
    hidden: chex.ArrayTree,
    train: bool = False,
    length: chex.Numeric | None = None,
  ) -> Output:
    """Return the logits of the words that follow.

    Args:
      arch: of the recurrence, in any form.
      tokens: `i32[B, T]`.
      hidden: as from `initial(B)`, or from the text before.
      train: whether there is dropout, which needs the rng stream 'dropout'.
      length: steps after which `hidden` no longer changes; None for T.
    """
    features, batch_size = self.core.features, len(tokens)
    table = self.param('embedding', rnn_cell.SMALL, (self.num_tokens, features))
    bias = self.param('bias', nn.initializers.zeros, (self.num_tokens,))
    x, masks = table[tokens], None
    if train:
      shape = (batch_size, features)
      x = x * self._keep(self.word_dropout, (self.num_tokens, 1))[tokens]
      x = x * self._keep(self.embedding_dropout, shape)[:, None]
      masks = rnn_cell.Masks(
        self._keep(self.input_dropout, shape),
        self._keep(self.hidden_dropout, shape),
      )
    states, hidden = self.core(arch, x, hidden, masks, length)
    dropped = states
    if train:
      dropped = states * self._keep(self.output_dropout, shape)[:, None]
    logits = dropped @ table.T
    logits = logits + jnp.broadcast_to(bias, logits.shape)
    return Output(logits, hidden, states, dropped)

  def _keep(self, rate, shape):
    """Draw what dropout keeps, scaled so that its mean is one."""
    if rate == 0:  # random bits take a second of compilation
      return jnp.ones(shape)
    kept = jax.random.bernoulli(self.make_rng('dropout'), 1 - rate, shape)
    return kept / (1 - rate)
