"""Cells of NAS-Bench-101 as sequences of tokens, and back.

R. Luo et al., Semi-Supervised Neural Architecture Search, NeurIPS 2020,
https://arxiv.org/abs/2002.10389; the tokens are those of the authors' code.

Column c = 1, ..., 6 of the adjacency matrix is written as c tokens, 1 for no
edge and 2 for an edge from row 0, ..., c - 1, and one for the operation: 3
conv1x1, 4 conv3x3, 5 maxpool, 6 output. That makes 27 tokens. A cell of V < 7
vertices ends with the column of its output; the rest is filled with 0.

A decoder that is held to `mask` can write 'output' in the middle, or a cell
with too many edges: ask `is_valid` of what it wrote.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells as cells
from nasjax.spaces import sequences as sequences_lib
from nasjax.types import Arch

VOCABULARY = 7
LENGTH = len(cells.EDGES) + cells.OUTPUT
PADDING, NO_EDGE, EDGE = 0, 1, 2
OPERATION_TOKENS = (4, 3, 5)  # in the order of `nasbench101.OPERATIONS`
OUTPUT_TOKEN = 6

# Column of each token, and where the tokens of edges and operations stand.
_COLUMNS = np.repeat(np.arange(1, 7), np.arange(2, 8))
OPERATION_POSITIONS = np.cumsum(np.arange(2, 8)) - 1
EDGE_POSITIONS = np.setdiff1d(np.arange(LENGTH), OPERATION_POSITIONS)
_EDGE_COLUMNS = _COLUMNS[EDGE_POSITIONS]
_OUTPUT_EDGES = np.flatnonzero(_EDGE_COLUMNS == cells.OUTPUT)


def to_sequence(arch: Arch) -> jax.Array:
  """Return the tokens of a cell, those of its pruned form.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`, a cell in the benchmark.

  Returns:
    `int32[27]`.
  """
  matrix = cells.adjacency(cells.prune(arch))
  num_interior = jnp.sum(cells.used_vertices(arch)) - 2
  column = jnp.arange(cells.NUM_VERTICES)
  # The output moves from the last column to that after the used vertices.
  matrix = jnp.where(column[None] == num_interior + 1, matrix[:, -1:], matrix)
  is_written = column <= num_interior + 1
  rows, columns = map(np.array, zip(*cells.EDGES))
  edges = jnp.where(is_written[columns], NO_EDGE + matrix[rows, columns], 0)
  op = jnp.asarray(OPERATION_TOKENS)[cells.prune(arch)['op']]
  op = jnp.append(op, OUTPUT_TOKEN)
  op = jnp.where(column[1:] == num_interior + 1, OUTPUT_TOKEN, op)
  op = jnp.where(is_written[1:], op, PADDING)
  tokens = jnp.zeros(LENGTH, jnp.int32)
  return tokens.at[EDGE_POSITIONS].set(edges).at[OPERATION_POSITIONS].set(op)


def _output_column(tokens):
  """Return the first column whose operation is the output, 1 to 6."""
  return 1 + jnp.argmax(tokens[OPERATION_POSITIONS] == OUTPUT_TOKEN)


def from_sequence(tokens: jax.Array) -> Arch:
  """Return the cell of a sequence, the inverse of `to_sequence`.

  Args:
    tokens: `int32[27]`. What they mean is undefined unless `is_valid`.

  Returns:
    `{'edge': int32[21], 'op': int32[5]}`.
  """
  tokens = jnp.asarray(tokens)
  output = _output_column(tokens)
  is_edge = (tokens[EDGE_POSITIONS] == EDGE).astype(jnp.int32)
  matrix = cells.adjacency({'edge': is_edge})
  to_output = matrix[:-1, output]
  edge = jnp.where(_EDGE_COLUMNS < output, is_edge, 0)
  op = jnp.argmax(
    tokens[OPERATION_POSITIONS[:-1], None] == np.array(OPERATION_TOKENS)[None],
    axis=-1,
  )
  is_interior = np.arange(1, cells.OUTPUT) < output
  return {
    'edge': edge.at[_OUTPUT_EDGES].set(to_output),
    'op': jnp.where(is_interior, op, 0).astype(jnp.int32),
  }


def is_valid(tokens: jax.Array) -> jax.Array:
  """Return whether a sequence is that of a cell in the benchmark.

  Args:
    tokens: `int32[27]`, anything.

  Returns:
    `bool[]`: there is one output, nothing but padding follows it, every other
    token is of its kind, and the cell is valid.
  """
  tokens = jnp.asarray(tokens)
  output = _output_column(tokens)
  op = tokens[OPERATION_POSITIONS]
  column = np.arange(1, cells.NUM_VERTICES)
  is_op = (op >= min(OPERATION_TOKENS)) & (op <= max(OPERATION_TOKENS))
  ops_fit = jnp.where(
    column < output,
    is_op,
    jnp.where(column == output, op == OUTPUT_TOKEN, op == PADDING),
  )
  edge = tokens[EDGE_POSITIONS]
  edges_fit = jnp.where(
    _EDGE_COLUMNS <= output,
    (edge == NO_EDGE) | (edge == EDGE),
    edge == PADDING,
  )
  fits = jnp.all(ops_fit) & jnp.all(edges_fit)
  return fits & cells.is_valid(from_sequence(tokens))


def mask(output_last: bool = False) -> np.ndarray:
  """Return which tokens a decoder may write at every position.

  Args:
    output_last: whether the output may stand in the last column only, and must
      stand there: then every sequence is a graph of 7 vertices. The authors'
      decoder may write it in any.

  Returns:
    `bool[27, 7]`.
  """
  allowed = np.zeros((LENGTH, VOCABULARY), bool)
  allowed[np.ix_(EDGE_POSITIONS, [NO_EDGE, EDGE])] = True
  allowed[np.ix_(OPERATION_POSITIONS, [*OPERATION_TOKENS, OUTPUT_TOKEN])] = True
  if output_last:
    allowed[OPERATION_POSITIONS, OUTPUT_TOKEN] = False
    allowed[-1] = np.arange(VOCABULARY) == OUTPUT_TOKEN
  return allowed


def sequences(output_last: bool = False) -> sequences_lib.Sequences:
  """Return the sequences of the space, for models that read and write them.

  Args:
    output_last: see `mask`.

  Returns:
    The sequences. Token 0 stands for what small cells lack; a decoder that is
    held to the mask never writes it, and `is_valid` then says no where the
    output came before the last column.
  """
  return sequences_lib.Sequences(
    to_sequence, from_sequence, is_valid, mask(output_last)
  )
