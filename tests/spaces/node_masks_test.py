"""Masks keep the nodes that they should, and all sets of them alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import node_masks

_WIDTHS = (6, 4)


@pytest.mark.parametrize(
  'sparsity, expected',
  [(0, [6, 4]), (0.25, [5, 3]), (0.5, [3, 2]), (0.9, [1, 1]), (0.99, [1, 1])],
)
def test_every_layer_keeps_its_share(sparsity, expected):
  assert node_masks.kept(_WIDTHS, sparsity) == expected
  space = node_masks.node_masks(_WIDTHS, sparsity)
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 50))
  for leaf, k in zip(archs.values(), expected):
    assert set(np.unique(leaf)) <= {0, 1}
    assert (leaf.sum(1) == k).all()


def test_all_masks_are_equally_likely():
  space = node_masks.node_masks((4, 3), 0.5)  # 6 times 3
  assert space.size == 18
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 3600))
  rows = np.concatenate([archs['layer_0'], archs['layer_1']], axis=1)
  _, counts = np.unique(rows, axis=0, return_counts=True)
  assert len(counts) == 18
  assert np.abs(counts - 200).max() < 4 * np.sqrt(200)


def test_a_mutation_moves_one_node():
  space = node_masks.node_masks((6, 1), 0.5)  # the second layer keeps its node
  for seed in range(5):
    arch = space.sample(jax.random.key(seed))
    other = space.mutate(jax.random.key(seed), arch)
    moved = np.asarray(arch['layer_0'] != other['layer_0'])
    assert moved.sum() == 2 and other['layer_0'].sum() == 3
    assert other['layer_1'] == 1


def test_the_highest_scores_are_kept():
  scores = [jnp.array([3.0, 9.0, 1.0, 5.0]), jnp.array([2.0, 4.0])]
  masks = node_masks.top(scores, [2, 1])
  assert masks['layer_0'].tolist() == [0, 1, 0, 1]
  assert masks['layer_1'].tolist() == [0, 1]


def test_weights_that_are_removed_are_counted():
  # 3 inputs, 6 and 4 nodes, 2 outputs: 24 + 28 + 10; 3 and 2 nodes: 12 + 8 + 6.
  assert node_masks.weight_sparsity((3, 6, 4, 2), (3, 2)) == pytest.approx(
    1 - 26 / 62
  )


def test_what_cannot_be_is_refused():
  with pytest.raises(ValueError, match='between 0 and 1'):
    node_masks.node_masks(_WIDTHS, 1.0)
  space = node_masks.node_masks(_WIDTHS, 0.0)
  with pytest.raises(ValueError, match='no mutations'):
    space.mutate(jax.random.key(0), space.sample(jax.random.key(0)))
  with pytest.raises(ValueError, match='no subspaces'):
    space.restrict(space.mask)
