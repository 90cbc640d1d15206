"""Batches of a text: pieces that follow each other, B places side by side.

The text is cut into B rows of equal length, which are read from left to right
in pieces. The piece of step t depends on `(key, t)` alone, as do batches of
images; what passes from piece to piece, the hidden state, is kept by who reads.

S. Merity, N. Keskar, R. Socher, Regularizing and Optimizing LSTM Language
Models, ICLR 2018, https://arxiv.org/abs/1708.02182, section 5: the length of a
piece is drawn from N(L, sigma) with probability p, else from N(L / 2, sigma).

Deviations
  * Shapes are static: all pieces have room for the longest, and `length` says
    how many words count.
  * An epoch has a fixed number of pieces, that of pieces of mean length; the
    few words that random lengths leave over, or miss, at its end are left out,
    or read from the beginning of the rows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Batch, Key

_MIN_LENGTH = 5  # of pieces of normally distributed length


def rows(tokens: np.ndarray, batch_size: int) -> np.ndarray:
  """Return a text in rows, without the words that fill no column.

  Args:
    tokens: `i32[N]`.
    batch_size: B.

  Returns:
    `i32[B, N // B]`.

  Raises:
    ValueError: if a row would have fewer than two words.
  """
  tokens = np.asarray(tokens, np.int32)
  if batch_size < 1 or len(tokens) < 2 * batch_size:
    raise ValueError(
      f'Expected a batch_size from 1 to half of the {len(tokens)} words that '
      f'there are, got {batch_size}.'
    )
  num_columns = len(tokens) // batch_size
  return tokens[: batch_size * num_columns].reshape(batch_size, num_columns)


def num_pieces(
  num_tokens: int, batch_size: int, bptt: int = 35, short_share: float = 0.05
) -> int:
  """Return the number of pieces of an epoch, see `text_batches`."""
  mean = (1 - short_share) * bptt + short_share * (bptt // 2)
  return max(1, round(num_tokens // batch_size / mean))


def text_batches(
  tokens: np.ndarray,
  batch_size: int,
  bptt: int = 35,
  short_share: float = 0.05,
  deviation: float = 0.0,
  max_extra: int = 20,
) -> Callable[[Key, int | jax.Array], Batch]:
  """Return the pieces of a text in order, epoch after epoch.

  Args:
    tokens: `i32[N]`.
    batch_size: B.
    bptt: usual length of a piece, steps of backpropagation (paper: 35).
    short_share: probability of a piece of half the length (paper: 0.05).
    deviation: sigma of the length (search: 0, evaluation: 5); lengths are then
      at least 5.
    max_extra: how much longer than usual a piece can be, if lengths vary.

  Returns:
    `(key, t) -> dict(input=i32[B, T], target=i32[B, T], length=i32[],
    start=bool[])`: the words, those that follow them, how many count, and
    whether an epoch begins. The key is that of the run, the same for all t.

  Raises:
    ValueError: if the text is too short, or the numbers are out of range.
  """
  if bptt < 2 or not 0 <= short_share <= 1 or min(deviation, max_extra) < 0:
    raise ValueError(
      'Expected bptt of 2 or more, short_share from 0 to 1, deviation and '
      f'max_extra of 0 or more, got {bptt}, {short_share}, {deviation}, '
      f'{max_extra}.'
    )
  columns = jnp.asarray(rows(tokens, batch_size))
  num_steps = num_pieces(len(tokens), batch_size, bptt, short_share)
  low, high = 1, bptt
  if deviation > 0:
    low, high = min(_MIN_LENGTH, bptt), bptt + max_extra

  def draw_lengths(key, epoch):
    short_key, normal_key = jax.random.split(jax.random.fold_in(key, epoch))
    short = jax.random.bernoulli(short_key, short_share, (num_steps,))
    noise = deviation * jax.random.normal(normal_key, (num_steps,))
    lengths = jnp.where(short, bptt / 2, bptt) + noise
    return jnp.clip(lengths.astype(jnp.int32), low, high)

  @jax.jit
  def take(columns, key, t):
    epoch, step = t // num_steps, t % num_steps
    lengths = draw_lengths(key, epoch)
    start = jnp.sum(jnp.where(jnp.arange(num_steps) < step, lengths, 0))
    positions = (start + jnp.arange(high + 1)) % columns.shape[1]
    words = columns[:, positions]
    return {
      'input': words[:, :-1],
      'target': words[:, 1:],
      'length': lengths[step],
      'start': step == 0,
    }

  return lambda key, t: take(columns, key, jnp.asarray(t, jnp.int32))


def text_pieces(
  tokens: np.ndarray, batch_size: int = 10, length: int = 35
) -> Batch:
  """Return a whole text in order, as stacked pieces.

  Args:
    tokens: `i32[N]`; words that fill no column are left out.
    batch_size: B places side by side (paper: 10, and 1 for the test).
    length: T words of a piece.

  Returns:
    `dict(input=i32[M, B, T], target=i32[M, B, T], length=i32[M])`; the last
    piece may count fewer words.

  Raises:
    ValueError: if the text is too short.
  """
  columns = rows(tokens, batch_size)
  num_words = columns.shape[1] - 1
  starts = np.arange(0, num_words, length)
  positions = np.minimum(starts[:, None] + np.arange(length), num_words - 1)
  words = np.moveaxis(columns[:, positions], 0, 1)
  following = np.moveaxis(columns[:, positions + 1], 0, 1)
  return {
    'input': jnp.asarray(words),
    'target': jnp.asarray(following),
    'length': jnp.asarray(np.minimum(length, num_words - starts), jnp.int32),
  }
