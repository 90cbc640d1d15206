"""Tests for the path encoding: against a walk through the cell."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench201, paths


def _walks(op):
  """Yields the operations along every path, by depth-first search."""
  edges = list(zip(nasbench201.SOURCES, nasbench201.TARGETS, op))
  stack = [(0, ())]
  while stack:
    node, walked = stack.pop()
    if node == 3:
      yield walked
    stack += [(t, (*walked, o)) for s, t, o in edges if s == node]


# Every sequence of operations: short ones first, the first operation fastest.
_SEQUENCES = [
  sequence[::-1]
  for length in (1, 2, 3)
  for sequence in itertools.product(range(5), repeat=length)
]


def test_a_bit_says_whether_a_walk_bears_the_operations():
  cells = np.random.default_rng(0).integers(5, size=(50, 6))
  encode = jax.jit(jax.vmap(paths.nasbench201_paths))
  encoded = np.asarray(encode({'op': jnp.asarray(cells, jnp.int32)}))
  assert paths.NASBENCH201_FEATURES == len(_SEQUENCES) == 5 + 25 + 125
  for op, bits in zip(cells.tolist(), encoded):
    walks = set(_walks(op))
    assert bits.tolist() == [float(s in walks) for s in _SEQUENCES]


def test_truncation_keeps_the_short_paths():
  arch = {'op': jnp.array([4, 3, 2, 1, 0, 4])}
  np.testing.assert_array_equal(
    paths.nasbench201_paths(arch, 30), paths.nasbench201_paths(arch)[:30]
  )


def test_a_number_is_one_sequence_of_operations_of_nasbench101():
  """A chain of n vertices has one path of n operations: 3^n numbers."""
  encode = jax.jit(jax.vmap(paths.nasbench101_paths))
  numbers = []
  for length in range(6):
    ops = list(itertools.product(range(3), repeat=length))
    op = np.zeros((len(ops), 5), np.int32)
    op[:, :length] = np.reshape(ops, (len(ops), length))
    adjacency = np.zeros((7, 7), np.int32)
    chain = [*range(length + 1), 6]
    adjacency[chain[:-1], chain[1:]] = 1
    edge = np.concatenate([adjacency[:c, c] for c in range(1, 7)])
    edge = np.broadcast_to(edge, (len(ops), 21))
    bits = np.asarray(
      encode({'edge': jnp.asarray(edge), 'op': jnp.asarray(op)})
    )
    assert np.all(bits.sum(1) == 1)
    numbers += bits.argmax(1).tolist()
  assert sorted(numbers) == list(range(paths.NASBENCH101_FEATURES))
