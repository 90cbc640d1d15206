"""Architectures as sequences of tokens, for models that read and write them.

A sequence has T tokens below V. Token 0 is none of them: it starts a decoder,
or pads. What may stand at a position is a mask `bool[T, V]`, so that whatever a
masked decoder emits can be parsed; where positions depend on each other,
`is_valid` has the last word.

`categorical` serves every space of independent choices, `recurrent_cell` the
recurrent cells of R. Luo et al., Neural Architecture Optimization, 2018,
https://arxiv.org/abs/1808.07233, section 4.2 and the official code.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical as categorical_space
from nasjax.spaces import rnn_genotypes
from nasjax.types import Arch, Mask

# Cells for the Penn Treebank that the authors publish (README of their code).
NAO_PTB = '0 1 0 1 1 1 3 0 4 1 4 1 5 1 1 1 7 1 1 1 1 2'
NAO_WS_PTB = '0 1 1 1 2 2 1 2 4 1 4 1 4 1 7 1 8 2 1 0 4 1'


class Sequences(NamedTuple):
  """The sequences of a space.

  Attributes:
    encode: `(arch) -> i32[T]`.
    decode: `(tokens) -> arch`, the inverse; for tokens that the mask forbids
      its result has no meaning.
    is_valid: `(tokens) -> bool[]`, whether the tokens are an architecture of
      the space.
    mask: `bool[T, V]`, the tokens allowed at every position; never token 0.
  """

  encode: Callable[[Arch], jax.Array]
  decode: Callable[[jax.Array], Arch]
  is_valid: Callable[[jax.Array], jax.Array]
  mask: np.ndarray


def allows(mask: np.ndarray, tokens: jax.Array) -> jax.Array:
  """Return whether every token `i32[T]` is allowed where it stands."""
  return jnp.all(jnp.asarray(mask)[jnp.arange(len(mask)), tokens])


def categorical(
  mask: Mask, contains: Callable[[Arch], jax.Array] | None = None
) -> Sequences:
  """Return the sequences with one token a decision.

  Leaves follow each other in the order of the pytree. Every leaf has token ids
  of its own, from `1 + choices of the leaves before`: a kernel size never looks
  like an expansion ratio.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> space = nasbench201.nasbench201()
    >>> categorical(space.mask).mask.shape
    (6, 6)

  Args:
    mask: of the space, pytree of `bool[D, K]`.
    contains: `(arch) -> bool[]` where not all combinations of allowed choices
      are in the space; all are by default.

  Returns:
    The sequences.
  """
  mask = categorical_space.check_mask(mask)
  leaves, structure = jax.tree.flatten(mask)
  sizes = [leaf[..., 0].size for leaf in leaves]
  first = 1 + np.cumsum([0, *(leaf.shape[-1] for leaf in leaves)])
  allowed = np.zeros((sum(sizes), first[-1]), bool)
  for leaf, row, column in zip(leaves, np.cumsum([0, *sizes]), first):
    rows = leaf.reshape(-1, leaf.shape[-1])
    allowed[row : row + len(rows), column : column + rows.shape[1]] = rows

  def encode(arch):
    tokens = [
      jnp.ravel(leaf) + int(offset)
      for leaf, offset in zip(structure.flatten_up_to(arch), first)
    ]
    return jnp.concatenate(tokens).astype(jnp.int32)

  def decode(tokens):
    parts = jnp.split(tokens, np.cumsum(sizes)[:-1])
    return structure.unflatten(
      [
        part.reshape(leaf.shape[:-1]).astype(jnp.int32) - int(offset)
        for part, leaf, offset in zip(parts, leaves, first)
      ]
    )

  def is_valid(tokens):
    valid = allows(allowed, tokens)
    return valid if contains is None else valid & contains(decode(tokens))

  return Sequences(encode, decode, is_valid, allowed)


def recurrent_cell(num_nodes: int = 11) -> Sequences:
  """Return the sequences of recurrent cells, two tokens a node.

  For every node `source + 1`, then `function + N`, of which the functions are
  `rnn_cell.FUNCTIONS` without `none`: 22 tokens of a vocabulary of 16 for the
  paper's 11 nodes.

  Args:
    num_nodes: N.

  Returns:
    The sequences of the space `rnn_cell.rnn_cell(num_nodes=N)`.
  """
  num_functions = len(rnn_genotypes.FUNCTIONS) - 1
  allowed = np.zeros((2 * num_nodes, 1 + num_nodes + num_functions), bool)
  allowed[0::2, 1 : num_nodes + 1] = np.tri(num_nodes, dtype=bool)
  allowed[1::2, num_nodes + 1 :] = True

  def encode(arch):
    source, function = rnn_genotypes.inputs(arch['recurrent'])
    pairs = jnp.stack([source + 1, function + num_nodes], -1)
    return pairs.ravel().astype(jnp.int32)

  def decode(tokens):
    tokens = tokens.astype(jnp.int32)
    cell = rnn_genotypes.from_inputs(tokens[0::2] - 1, tokens[1::2] - num_nodes)
    return {'recurrent': cell}

  return Sequences(
    encode, decode, lambda tokens: allows(allowed, tokens), allowed
  )


def recurrent_from_string(string: str) -> Arch:
  """Return the recurrent cell that a string of numbers describes.

  Args:
    string: predecessor and activation of every node in turn, such as `NAO_PTB`.

  Returns:
    `{'recurrent': i32[E]}`, of `rnn_cell.rnn_cell` with as many nodes.

  Raises:
    ValueError: if it is not such a list, or a node takes a later state.
  """
  words = string.split()
  if len(words) % 2 or not words or not all(word.isdecimal() for word in words):
    raise ValueError(
      'A recurrent cell is written as predecessor and activation of every '
      f'node, such as {NAO_PTB!r}, got {string!r}.'
    )
  predecessor, activation = np.asarray(words, np.int32).reshape(-1, 2).T
  names = rnn_genotypes.FUNCTIONS[1:]
  late = np.flatnonzero(predecessor > np.arange(len(predecessor)))
  if late.size or max(activation) >= len(names):
    raise ValueError(
      f'Node i takes one of the states 0 to i and one of the activations 0 to '
      f'{len(names) - 1} ({", ".join(names)}), got {string!r}.'
    )
  return {'recurrent': rnn_genotypes.from_inputs(predecessor, activation + 1)}


def recurrent_to_string(arch: Arch) -> str:
  """Return the string of a recurrent cell.

  Args:
    arch: `{'recurrent': i32[E]}` with known values.

  Returns:
    As `recurrent_from_string` reads it.
  """
  pairs = zip(*rnn_genotypes.inputs(jnp.asarray(arch['recurrent'])))
  return ' '.join(f'{int(state)} {int(name) - 1}' for state, name in pairs)
