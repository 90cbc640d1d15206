"""Tests for kernels: Weisfeiler-Lehman by dictionaries and by counting."""

import collections
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import graph_kernels
from nasjax.spaces import categorical

_SIZE = 7
_OPS = 3


class _Graph(NamedTuple):
  adjacency: jax.Array
  op: jax.Array
  mask: jax.Array


def _random_graphs(num, seed=0):
  """Directed acyclic graphs of 2 to 7 vertices, some of them padded."""
  rng = np.random.default_rng(seed)
  adjacency = np.triu(rng.random((num, _SIZE, _SIZE)) < 0.4, 1)
  mask = np.arange(_SIZE) < rng.integers(2, _SIZE + 1, (num, 1))
  op = rng.integers(_OPS, size=(num, _SIZE))
  # Padding may hold anything.
  return _Graph(adjacency.astype(np.float32), op, mask.astype(np.float32))


def _histograms(graphs, depth):
  """Counts of the labels of every round, as texts: no hashing."""
  counters = []
  for adjacency, op, mask in zip(*map(np.asarray, graphs)):
    vertices = [v for v in range(_SIZE) if mask[v]]
    label = {v: str(op[v]) for v in vertices}
    counter = collections.Counter((0, label[v]) for v in vertices)
    for h in range(1, depth + 1):
      fed = {v: [w for w in vertices if adjacency[v, w]] for v in vertices}
      label = {
        v: f'{label[v]}({sorted(label[w] for w in fed[v])})' for v in vertices
      }
      counter.update((h, label[v]) for v in vertices)
    counters.append(counter)
  return counters


def _oracle(graphs, depth, assignment):
  pair = min if assignment else lambda a, b: a * b
  counters = _histograms(graphs, depth)
  gram = np.array(
    [[sum(pair(a[x], b[x]) for x in a) for b in counters] for a in counters],
    float,
  )
  scale = np.sqrt(np.diag(gram))
  return gram / scale[:, None] / scale[None, :]


def _gram(graphs, depth, assignment):
  kernel = graph_kernels.weisfeiler_lehman(
    lambda graph: graph, (depth, 3), assignment
  )
  graphs = jax.tree.map(jnp.asarray, graphs)
  features = jax.jit(jax.vmap(kernel.features))(graphs)
  return np.asarray(
    jax.jit(kernel.gram)(kernel.settings[0], features, features)
  )


@pytest.mark.parametrize('assignment', [False, True])
@pytest.mark.parametrize('depth', [0, 1, 3])
def test_counts_are_those_of_dictionaries(depth, assignment):
  graphs = _random_graphs(25)
  gram = _gram(graphs, depth, assignment)
  expected = _oracle(graphs, depth, assignment)
  np.testing.assert_allclose(gram, expected, atol=2e-6)


@pytest.mark.parametrize('assignment', [False, True])
def test_the_kernel_is_positive_and_one_on_the_diagonal(assignment):
  gram = _gram(_random_graphs(60, seed=1), 3, assignment)
  np.testing.assert_allclose(np.diag(gram), 1.0, atol=1e-6)
  np.testing.assert_array_equal(gram, gram.T)
  assert np.linalg.eigvalsh(gram.astype(np.float64)).min() > -1e-5
  assert gram.min() >= 0 and gram.max() <= 1 + 1e-6


def test_the_numbering_of_vertices_does_not_matter():
  graphs = _random_graphs(20, seed=2)
  rng = np.random.default_rng(3)
  order = np.stack([rng.permutation(_SIZE) for _ in range(20)])
  rows = np.arange(20)[:, None]
  renumbered = _Graph(
    graphs.adjacency[rows[..., None], order[:, :, None], order[:, None]],
    graphs.op[rows, order],
    graphs.mask[rows, order],
  )
  both = jax.tree.map(
    lambda *leaves: np.concatenate(leaves), graphs, renumbered
  )
  gram = _gram(both, 3, False)
  np.testing.assert_allclose(np.diag(gram[:20, 20:]), 1.0, atol=1e-6)


def test_deeper_labels_see_further():
  """Two chains that differ three vertices down are equal up to depth 2."""
  adjacency = np.diag(np.ones(_SIZE - 1, np.float32), 1)
  op = np.zeros((2, _SIZE), np.int32)
  op[1, 3] = 1
  mask = np.ones(_SIZE, np.float32)
  rounds = [
    graph_kernels.labels(_Graph(adjacency, row, mask), 3)[:, 0] for row in op
  ]
  assert (rounds[0] == rounds[1]).tolist() == [True, True, True, False]


def test_hamming_counts_the_decisions_that_differ():
  space = categorical.categorical({'op': (4, 3), 'width': (1, 5)})
  kernel = graph_kernels.hamming(space, (0.5, 2.0))
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 12))
  features = jax.vmap(kernel.features)(archs)
  rows = np.concatenate([archs['op'], archs['width']], axis=1)
  for setting in kernel.settings:
    gram = kernel.gram(setting, features, features[:7])
    expected = [
      [np.exp(-np.sum(a != b) / float(setting)) for b in rows[:7]] for a in rows
    ]
    np.testing.assert_allclose(gram, expected, rtol=1e-5)


def test_depths_that_cannot_be_are_refused():
  with pytest.raises(ValueError, match='counts of rounds'):
    graph_kernels.weisfeiler_lehman(lambda graph: graph, (-1, 2))
