"""Tests for the traits of cells: against walks over their paths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench201, nasbench201_classes, nasbench201_traits

_SPACE = nasbench201.nasbench201()
_EDGES = list(zip(nasbench201.SOURCES, nasbench201.TARGETS))
_ENCODE = jax.jit(jax.vmap(nasbench201_traits.encode))


def _walks(ops, node=0):
  """Yields the operations of every path from a node to the output."""
  if node == 3:
    yield ()
  for (source, target), op in zip(_EDGES, ops):
    if source == node and op != 0:
      yield from ((op, *rest) for rest in _walks(ops, target))


def _sequences():
  kinds = (2, 3, 4)
  return [s for k in range(4) for s in itertools.product(kinds, repeat=k)]


def _oracle(ops):
  """Returns all but the first 30 features."""
  walks = list(_walks(ops))
  short = [tuple(op for op in walk if op != 1) for walk in walks]
  arch = {'op': jnp.array(ops)}
  pruned = nasbench201_classes.prune(arch)
  convolutions = [sum(op in (2, 3) for op in walk) for walk in walks]
  return [
    *(short.count(sequence) for sequence in _sequences()),
    *(pruned['op'].tolist().count(op) for op in (1, 2, 3, 4)),
    len(walks),
    max(convolutions, default=-1),
    max([walk.count(3) for walk in walks], default=-1),
    min(convolutions, default=4),
    min([walk.count(4) for walk in walks], default=4),
    float(nasbench201.num_params(arch)) / 1e6,
    float(nasbench201.num_params(pruned)) / 1e6,
  ]


def test_traits_are_those_of_the_paths():
  rows = np.random.default_rng(0).integers(0, 5, (40, 6))
  rows[0] = 0
  features = np.asarray(_ENCODE({'op': jnp.array(rows)}))
  assert features.shape == (40, nasbench201_traits.NUM_TRAITS)
  for row, actual in zip(rows.tolist(), features):
    np.testing.assert_allclose(actual[30:], _oracle(row), rtol=1e-6)


def test_edges_that_do_nothing_change_the_number_of_weights_alone():
  archs = jax.vmap(_SPACE.index)(jnp.arange(0, 15625, 7))
  pruned = jax.vmap(nasbench201_classes.prune)(archs)
  same = np.asarray(_ENCODE(archs) == _ENCODE(pruned))
  assert np.flatnonzero(~same.all(0)).tolist() == [79]


def test_different_pruned_cells_have_different_traits():
  pruned = jax.vmap(nasbench201_classes.prune)(
    jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  )
  rows = np.unique(np.asarray(pruned['op']), axis=0)
  features = np.asarray(_ENCODE({'op': jnp.array(rows)}))
  assert len(np.unique(features, axis=0)) == len(rows)
