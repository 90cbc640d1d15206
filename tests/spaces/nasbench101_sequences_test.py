"""Tests for the token sequences of NAS-Bench-101 cells."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.data import nasbench101 as data
from nasjax.spaces import (
  nasbench101,
  nasbench101_classes,
  nasbench101_sequences,
)
from tests.spaces import nasbench101_oracles as oracles


def _tokens(matrix, ops):
  """Writes a pruned cell column by column."""
  tokens = []
  for column in range(1, len(matrix)):
    tokens += [1 + matrix[row, column] for row in range(column)]
    is_output = column == len(matrix) - 1
    tokens.append(6 if is_output else {0: 4, 1: 3, 2: 5}[ops[column - 1]])
  return tokens + [0] * (27 - len(tokens))


def _write(cell):
  """Returns the tokens of text such as '2o', without padding."""
  tokens = [int(token) for token in cell.replace(' ', '')]
  return np.array(tokens + [0] * (27 - len(tokens)), np.int32)


class SequencesTest(chex.TestCase):
  def test_a_sequence_is_written_column_by_column(self):
    sequence = nasbench101.to_sequence(oracles.golden())
    expected = _write('24 125 1124 21114 211223 1121126')
    np.testing.assert_array_equal(sequence, expected)

  def test_all_small_cells_and_some_large_ones_come_back(self):
    small = nasbench101_classes.all_cells(4)
    large = nasbench101_classes.all_cells()
    large = jax.tree.map(lambda leaf: leaf[::1009], large)
    cells = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), small, large)
    sequences = jax.jit(jax.vmap(nasbench101.to_sequence))(cells)
    back = jax.jit(jax.vmap(nasbench101.from_sequence))(sequences)
    chex.assert_trees_all_equal(back, cells)
    valid = jax.jit(jax.vmap(nasbench101.is_valid_sequence))(sequences)
    self.assertTrue(valid.all())
    for i in range(0, len(sequences), 17):
      expected = _tokens(*oracles.prune(oracles.at(cells, i)))
      np.testing.assert_array_equal(sequences[i], expected)

  def test_what_has_no_effect_is_not_written(self):
    edge = np.zeros(21, np.int32)
    edge[[nasbench101.EDGES.index(e) for e in ((0, 2), (2, 6), (0, 5))]] = 1
    arch = {'edge': edge, 'op': np.array([0, 1, 2, 2, 2], np.int32)}
    np.testing.assert_array_equal(
      nasbench101.to_sequence(arch), _write('23 126')
    )

  def test_sequences_of_no_cell_are_found_out(self):
    is_valid = jax.jit(nasbench101.is_valid_sequence)
    self.assertTrue(is_valid(_write('26')))
    self.assertTrue(is_valid(_write('23 126')))
    for tokens in (
      '',
      '16',  # no path
      '24 12',  # no operation
      '24 124',  # no output
      '24 126 1',  # something follows
      '24 126 1116',  # two outputs
      '26 126',
      '34 126',  # an operation in place of an edge
      '22 126',  # an edge in place of an operation
      '20 126',
      '14 116',  # the output is not reached
      '24 224 2224 22224 222224 2222226',  # 21 edges
    ):
      self.assertFalse(is_valid(_write(tokens)), tokens)
    self.assertFalse(is_valid(jnp.full(27, 9)))

  def test_a_graph_of_seven_vertices_may_be_pruned(self):
    # Vertices 2 to 5 lead nowhere: 3 of 14 edges count.
    tokens = _write('24 224 2224 22214 222114 2211116')
    self.assertTrue(nasbench101.is_valid_sequence(tokens))
    pruned = nasbench101.prune(nasbench101.from_sequence(tokens))
    self.assertEqual(int(pruned['edge'].sum()), 3)

  def test_the_mask_allows_what_cells_need(self):
    cells = nasbench101_classes.all_cells()
    cells = jax.tree.map(lambda leaf: leaf[::1009], cells)
    sequences = np.asarray(jax.jit(jax.vmap(nasbench101.to_sequence))(cells))
    allowed = nasbench101.sequence_mask()
    full = sequences[sequences[:, -1] == 6]
    self.assertGreater(len(full), 100)
    self.assertTrue(allowed[np.arange(27), full].all())
    self.assertTrue(
      nasbench101.sequence_mask(output_last=True)[np.arange(27), full].all()
    )
    np.testing.assert_array_equal(
      allowed.sum(1), [2, 4, 2, 2, 4] + [2] * 3 + [4] + [2] * 4 + [4]
      + [2] * 5 + [4] + [2] * 6 + [4],
    )  # fmt: skip
    self.assertFalse(allowed[:, 0].any())

  def test_with_the_output_last_only_the_graph_decides(self):
    allowed = nasbench101.sequence_mask(output_last=True)
    rng = np.random.default_rng(0)
    choices = [rng.choice(np.flatnonzero(row), 300) for row in allowed]
    tokens = jnp.asarray(np.stack(choices, axis=1), jnp.int32)
    archs = jax.jit(jax.vmap(nasbench101.from_sequence))(tokens)
    valid = jax.jit(jax.vmap(nasbench101.is_valid))(archs)
    np.testing.assert_array_equal(
      jax.jit(jax.vmap(nasbench101.is_valid_sequence))(tokens), valid
    )
    self.assertBetween(int(valid.sum()), 1, 299)
    op = jnp.asarray(nasbench101_sequences.OPERATION_TOKENS)[archs['op']]
    positions = nasbench101_sequences.OPERATION_POSITIONS[:-1]
    np.testing.assert_array_equal(op, tokens[:, positions])


def test_models_get_the_sequences_of_the_space():
  sequences = nasbench101_sequences.sequences(output_last=True)
  tokens = sequences.encode(oracles.golden())
  assert np.all(sequences.mask[np.arange(27), tokens])
  chex.assert_trees_all_equal(sequences.decode(tokens), oracles.golden())
  assert sequences.is_valid(tokens)
  assert not sequences.is_valid(jnp.ones(27, jnp.int32))


@pytest.mark.data
def test_every_cell_of_the_table_comes_back(data_dir):
  archs = jax.tree.map(jnp.asarray, data.load_nasbench101(data_dir).archs)
  sequences = jax.jit(jax.vmap(nasbench101.to_sequence))(archs)
  back = jax.jit(jax.vmap(nasbench101.from_sequence))(sequences)
  chex.assert_trees_all_equal(back, archs)
  assert jax.jit(jax.vmap(nasbench101.is_valid_sequence))(sequences).all()
  assert len(np.unique(sequences, axis=0)) == len(sequences)


if __name__ == '__main__':
  absltest.main()
