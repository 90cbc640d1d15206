"""Tests of the pieces of a text."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.data import text_streams

KEY = jax.random.key(0)
TOKENS = np.arange(1003)


def test_rows_are_the_text_cut_into_equal_parts():
  rows = text_streams.rows(np.arange(11), 3)
  np.testing.assert_array_equal(rows, [[0, 1, 2], [3, 4, 5], [6, 7, 8]])


def _lengths(stream, num):
  batches = jax.jit(jax.vmap(lambda t: stream(KEY, t)))(jnp.arange(num))
  return jax.tree.map(np.asarray, batches)


@pytest.mark.parametrize('deviation', [0.0, 3.0])
def test_pieces_follow_each_other_through_every_epoch(deviation):
  stream = text_streams.text_batches(TOKENS, 4, 10, 0.2, deviation, 6)
  num = text_streams.num_pieces(len(TOKENS), 4, 10, 0.2)
  assert num == round(250 / 9)
  batches = _lengths(stream, 3 * num)
  width = 10 if deviation == 0 else 16
  assert batches['input'].shape == (3 * num, 4, width)
  position = 0
  for t in range(3 * num):
    assert batches['start'][t] == (t % num == 0)
    position = 0 if t % num == 0 else position
    length = batches['length'][t]
    columns = (position + np.arange(width + 1)) % 250
    expected = 250 * np.arange(4)[:, None] + columns[None]
    np.testing.assert_array_equal(batches['input'][t], expected[:, :-1])
    np.testing.assert_array_equal(batches['target'][t], expected[:, 1:])
    position += length
  first, second = batches['length'][:num], batches['length'][num : 2 * num]
  assert np.any(first != second)
  if deviation == 0:
    assert set(batches['length']) == {5, 10}
  else:
    assert batches['length'].min() >= 5
    assert batches['length'].max() <= 16
    assert len(set(batches['length'])) > 5


def test_lengths_have_the_published_distribution():
  tokens = np.zeros(34 * 1000, int)
  lengths = _lengths(text_streams.text_batches(tokens, 1, 35), 1000)['length']
  assert set(lengths) == {17, 35}
  assert abs(np.mean(lengths == 17) - 0.05) < 0.03
  stream = text_streams.text_batches(tokens, 1, 35, 0.05, 5.0)
  lengths = _lengths(stream, 1000)['length']
  usual = lengths[lengths > 26]
  np.testing.assert_allclose(usual.mean(), 34.8, atol=0.7)
  np.testing.assert_allclose(usual.std(), 4.8, atol=0.5)
  assert lengths.min() >= 5 and lengths.max() <= 55


def test_a_batch_depends_on_key_and_step_alone():
  stream = text_streams.text_batches(TOKENS, 4, 10, 0.5)
  later = stream(KEY, 7)
  stream(KEY, 3)
  chex.assert_trees_all_equal(later, stream(KEY, jnp.int32(7)))
  others = [stream(jax.random.key(s), 7)['input'][0, 0] for s in range(8)]
  assert len(set(map(int, others))) > 1


def test_a_whole_text_is_read_once_and_in_order():
  pieces = text_streams.text_pieces(np.arange(25), 2, 5)
  # Rows of twelve words, eleven of which have a next one.
  np.testing.assert_array_equal(pieces['length'], [5, 5, 1])
  for row in range(2):
    seen = np.concatenate(
      [pieces['input'][i, row, :n] for i, n in enumerate(pieces['length'])]
    )
    following = np.concatenate(
      [pieces['target'][i, row, :n] for i, n in enumerate(pieces['length'])]
    )
    np.testing.assert_array_equal(seen, 12 * row + np.arange(11))
    np.testing.assert_array_equal(following, seen + 1)


@pytest.mark.parametrize(
  'build, message',
  [
    (
      lambda: text_streams.rows(np.arange(5), 3),
      'half of the 5 words .* got 3',
    ),
    (lambda: text_streams.text_batches(TOKENS, 4, 1), 'bptt of 2 or more'),
    (lambda: text_streams.text_batches(TOKENS, 4, 9, 2.0), 'short_share'),
  ],
)
def test_mistakes_are_named(build, message):
  with pytest.raises(ValueError, match=message):
    build()
