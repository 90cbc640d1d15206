"""Tests of cells that share nothing, against the authors' rules in loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import darts_cell, separate_cells

# Accuracies of single operations, in the order of the authors' op_stats.json:
# conv_3x1_1x3, conv_7x1_1x7, max and average pool, skip_connect,
# simple_conv_1x1 and 3x3, sep_conv_3x3 and 5x5, dil_conv_3x3 and 5x5,
# bottleneck_1x3x1. github.com/aheuillet/D-DARTS
ACCURACIES = np.array(
  [
    82.105830863444,
    83.1591640991211,
    82.13416411336264,
    81.56333073120116,
    81.34166406249999,
    81.49166413777668,
    82.30333082275389,
    83.39583075561525,
    84.97416410115558,
    82.73583073323566,
    82.89249749959309,
    82.87499756469727,
  ]
)
SKIP, CONV, BOTTLENECK = 4, 6, 11


@pytest.mark.parametrize(
  'num_layers, official, expected',
  [
    (8, False, '0 1 2 3 4 5 6 7'),
    (8, True, '0 1 2 3 4 5 6 7'),
    (14, False, '0 1 0 1 2 4 3 4 3 5 6 7 6 7'),
    (14, True, '0 0 0 1 2 4 3 4 3 5 6 7 6 7'),
    (20, False, '0 1 0 1 0 1 2 4 3 4 3 4 3 5 6 7 6 7 6 7'),
    (20, True, '0 0 0 1 1 1 2 4 3 4 3 4 3 5 6 7 6 7 6 7'),
  ],
)
def test_deeper_networks_take_the_cells_in_turn(num_layers, official, expected):
  cells = separate_cells.layer_cells(num_layers, 8, official)
  assert ' '.join(map(str, cells)) == expected


@pytest.mark.parametrize('num_layers, num_cells', [(7, 8), (8, 4)])
def test_layers_without_a_cell_are_an_error(num_layers, num_cells):
  with pytest.raises(
    ValueError, match=f'got {num_layers} layers and {num_cells} cells'
  ):
    separate_cells.layer_cells(num_layers, num_cells)


def _parse(table, threshold, edge):
  """The authors' parse of one cell: {(operation, target, source)}."""
  genes, start = [], 0
  for node in range(4):
    rows = table[start : start + node + 2, 1:].tolist()
    start += node + 2
    sources = range(node + 2)
    if not edge:
      sources = sorted(sources, key=lambda s: -max(rows[s]))[:2]
    for source in sources:
      order = sorted(range(7), key=lambda k: -rows[source][k])
      for k in order[: 2 if edge else 1]:
        if rows[source][k] >= threshold:
          genes.append((1 + k, node + 2, source))
  alive = {0, 1}
  for node in range(2, 6):
    if any(t == node and s in alive for _, t, s in genes):
      alive.add(node)
  return {gene for gene in genes if gene[2] in alive}


def _genes(cell, operations_per_edge):
  source, target = darts_cell.edges()
  return {
    (int(k), target[i // operations_per_edge], source[i // operations_per_edge])
    for i, k in enumerate(cell)
    if k
  }


@pytest.mark.parametrize('edge', [False, True])
def test_cells_are_parsed_as_by_the_authors(edge):
  # Above the bar are one in seven, or one in three.
  low = jax.random.uniform(jax.random.key(0), (20, 14, 8), maxval=0.99)
  high = jax.random.uniform(jax.random.key(1), (20, 14, 8)) ** 0.4
  tables = jnp.concatenate([low, high]).at[..., 0].set(0)
  rule = (
    separate_cells.threshold_edges if edge else separate_cells.threshold_sparse
  )
  arch = jax.jit(rule)({'cells': tables})['cells']
  assert arch.shape == (40, 28 if edge else 14) and arch.dtype == jnp.int32
  dropped = 0
  for cell, table in zip(np.asarray(arch), np.asarray(tables)):
    genes = _genes(cell, 2 if edge else 1)
    assert genes == _parse(table, 0.85, edge)
    dropped += len({target for _, target, _ in genes}) < 4
  assert 0 < dropped < 40  # nodes vanish from some cells


def test_what_leaves_empty_nodes_is_dropped():
  # Edges 0-2, 1-2 | 0-3, 1-3, 2-3 | 0-4, 1-4, 2-4, 3-4.
  cells = jnp.array([[0, 0, 0, 0, 1, 0, 2, 0, 3], [0, 1, 0, 0, 2, 0, 0, 0, 3]])
  kept = separate_cells.drop_unreached({'cells': cells})['cells']
  np.testing.assert_array_equal(
    kept, [[0, 0, 0, 0, 0, 0, 2, 0, 0], [0, 1, 0, 0, 2, 0, 0, 0, 3]]
  )


def _rows(num_edges, *operations):
  cell = np.zeros((1, num_edges, len(ACCURACIES)))
  for row, chosen in enumerate(operations):
    cell[0, row, list(chosen)] = 1
  return cell


def test_the_distance_of_two_residual_networks_is_the_authors():
  # The first cells of their ResNet18 (4 nodes) and ResNet50 (6 nodes).
  small = _rows(14, [CONV], [CONV], [SKIP], [CONV], [CONV], [SKIP])
  large = _rows(27, *[[BOTTLENECK, SKIP]] * 3)
  got = separate_cells.distance(small, large, ACCURACIES)
  np.testing.assert_allclose(got, 0.0836, atol=5e-5)
  assert separate_cells.distance(small, small, ACCURACIES) == 0
  np.testing.assert_allclose(
    separate_cells.distance(large, small, ACCURACIES), got, rtol=1e-6
  )


def test_the_distance_equals_a_loop():
  rng = np.random.default_rng(0)
  a, b = rng.integers(2, size=(3, 5, 4)), rng.integers(2, size=(2, 9, 4))
  accuracies = rng.uniform(1, 2, 4)

  def far(e, f):
    return sum(s * (x != y) for s, x, y in zip(accuracies, e, f)) / sum(
      accuracies
    )

  expected = np.mean(
    [
      max(
        max(min(far(e, f) for f in other) for e in cell),
        max(min(far(e, f) for e in cell) for f in other),
      )
      for cell, other in zip(a, b)
    ]
  )
  got = separate_cells.distance(a, b, accuracies)
  np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_space_of_separate_cells_has_one_leaf():
  space = darts_cell.darts_cell(num_nodes=2, num_cells=3)
  arch = jax.jit(space.sample)(jax.random.key(0))
  assert {name: leaf.shape for name, leaf in arch.items()} == {'cells': (3, 5)}
  assert darts_cell.contains(arch, space.mask)
  assert space.size == darts_cell.darts_cell(num_nodes=2, num_cells=1).size ** 3
