"""Tests for sequences: round trips, and masks that only let cells through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import (
  categorical,
  darts_cell,
  nasbench201,
  rnn_cell,
  sequences,
)

_MASK = {'kernel': np.tri(3, dtype=bool)[::-1], 'width': (2, 2)}
_MIXED = categorical.categorical(_MASK)


def _draw(mask, num):
  """Returns sequences of tokens that a mask allows, `[num, T]`."""
  rng = np.random.default_rng(0)
  rows = [rng.choice(np.flatnonzero(row), num) for row in mask]
  return jnp.asarray(np.stack(rows, 1), jnp.int32)


def test_every_cell_of_nasbench201_is_one_sequence():
  space = nasbench201.nasbench201()
  codec = sequences.categorical(space.mask)
  cells = jax.vmap(space.index)(jnp.arange(space.size))
  tokens = jax.jit(jax.vmap(codec.encode))(cells)
  np.testing.assert_array_equal(tokens, np.asarray(cells['op']) + 1)
  np.testing.assert_array_equal(
    jax.vmap(codec.decode)(tokens)['op'], cells['op']
  )
  assert np.all(jax.vmap(codec.is_valid)(tokens))
  assert codec.mask.shape == (6, 6)
  assert not codec.mask[:, 0].any() and codec.mask[:, 1:].all()


def test_leaves_have_tokens_of_their_own():
  codec = sequences.categorical(_MIXED.mask)
  arch = {'kernel': jnp.array([2, 1, 0]), 'width': jnp.array([0, 1])}
  np.testing.assert_array_equal(codec.encode(arch), [3, 2, 1, 4, 5])
  expected = [
    [0, 1, 1, 1, 0, 0],
    [0, 1, 1, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 1, 1],
    [0, 0, 0, 0, 1, 1],
  ]
  np.testing.assert_array_equal(codec.mask, np.array(expected, bool))


@pytest.mark.parametrize(
  'space, codec',
  [
    (_MIXED, sequences.categorical(_MIXED.mask)),
    (rnn_cell.rnn_cell(num_nodes=4), sequences.recurrent_cell(4)),
  ],
  ids=['categorical', 'recurrent_cell'],
)
def test_whatever_the_mask_allows_is_an_architecture_and_the_reverse(
  space, codec
):
  tokens = _draw(codec.mask, 50)
  archs = jax.vmap(codec.decode)(tokens)
  member = rnn_cell.contains if 'recurrent' in archs else categorical.contains
  contains = jax.vmap(lambda arch: member(arch, space.mask))
  assert np.all(jax.jit(contains)(archs))
  assert np.all(jax.vmap(codec.is_valid)(tokens))
  np.testing.assert_array_equal(jax.vmap(codec.encode)(archs), tokens)
  sample = jax.jit(space.sample)
  for key in jax.random.split(jax.random.key(0), 20):
    arch = sample(key)
    tokens = codec.encode(arch)
    assert codec.mask[np.arange(len(tokens)), tokens].all()
    again = codec.decode(tokens)
    assert jax.tree.all(jax.tree.map(np.array_equal, arch, again))


def test_a_token_out_of_place_is_not_valid():
  codec = sequences.categorical(_MIXED.mask)
  assert codec.is_valid(jnp.array([3, 2, 1, 4, 5]))
  assert not codec.is_valid(jnp.array([3, 3, 1, 4, 5]))  # not in the mask
  assert not codec.is_valid(jnp.array([3, 2, 1, 4, 0]))  # the start


def test_where_choices_depend_on_each_other_the_space_decides():
  space = darts_cell.darts_cell(num_nodes=2)
  codec = sequences.categorical(
    # An edge may be dropped though the supernet has no zero operation.
    jax.tree.map(np.ones_like, space.mask),
    lambda arch: darts_cell.contains(arch, space.mask),
  )
  arch = jax.jit(space.sample)(jax.random.key(0))
  assert codec.is_valid(codec.encode(arch))
  crowded = jax.tree.map(jnp.ones_like, arch)  # three inputs of the last node
  assert not codec.is_valid(codec.encode(crowded))


@pytest.mark.parametrize('string', [sequences.NAO_PTB, sequences.NAO_WS_PTB])
def test_published_recurrent_cells_round_trip(string):
  codec = sequences.recurrent_cell()
  arch = sequences.recurrent_from_string(string)
  tokens = codec.encode(arch)
  numbers = [int(word) for word in string.split()]
  expected = [
    number + (12 if position % 2 else 1)
    for position, number in enumerate(numbers)
  ]
  np.testing.assert_array_equal(tokens, expected)
  assert codec.mask.shape == (22, 16)
  assert codec.is_valid(tokens)
  assert sequences.recurrent_to_string(codec.decode(tokens)) == string
  # As genotypes are read: the function and the state that each node takes.
  names = ('tanh', 'relu', 'sigmoid', 'identity')
  pairs = [(names[a], s) for s, a in zip(numbers[::2], numbers[1::2])]
  assert rnn_cell.to_genotype(arch).recurrent == pairs


def test_the_mask_of_recurrent_cells_is_that_of_the_official_decoder():
  mask = sequences.recurrent_cell().mask
  for node in range(1, 12):
    predecessors, activations = mask[2 * node - 2], mask[2 * node - 1]
    assert np.flatnonzero(predecessors).tolist() == list(range(1, node + 1))
    assert np.flatnonzero(activations).tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize(
  'string, message',
  [
    ('0 1 2 1', 'Node i takes one of the states'),
    ('0 4', 'activations 0 to 3'),
    ('0 1 0', 'predecessor and activation of every node'),
    ('0 tanh', 'predecessor and activation of every node'),
    ('', 'predecessor and activation of every node'),
  ],
)
def test_what_is_no_recurrent_cell_is_refused(string, message):
  with pytest.raises(ValueError, match=message):
    sequences.recurrent_from_string(string)
