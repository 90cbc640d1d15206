"""Tests of what cells are made of, against loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import cell_statistics, darts_cell, separate_cells

OPERATIONS = ('none', 'max_pool_3x3', 'skip_connect', 'sep_conv_3x3')


def _cells(num_cells, num_nodes=2):
  space = darts_cell.darts_cell(
    num_nodes=num_nodes, operations=OPERATIONS, num_cells=num_cells
  )
  keys = jax.random.split(jax.random.key(0), 20)
  return jax.vmap(space.sample)(keys)['cells']


@pytest.mark.parametrize('num_cells', [3, 4, 6])
def test_counts_are_those_of_a_loop(num_cells):
  sources = darts_cell.edges(2)[0]
  count_skips = cell_statistics.num_chosen(('skip_connect',), OPERATIONS)
  count_free = cell_statistics.num_parameter_free(OPERATIONS)
  seen = set()
  for cells in _cells(num_cells):
    skips = free = 0
    for i, cell in enumerate(cells.tolist()):
      reduces = i in (num_cells // 3, 2 * num_cells // 3)
      for source, op in zip(sources, cell):
        skips += OPERATIONS[op] == 'skip_connect'
        free += OPERATIONS[op] == 'max_pool_3x3'
        if OPERATIONS[op] == 'skip_connect':
          free += not (reduces and source in (0, 1))
    assert count_skips({'cells': cells}) == skips
    assert count_free({'cells': cells}) == free
    seen.add(free - skips)
  assert len(seen) > 2


def test_an_operation_that_does_not_exist_is_named():
  with pytest.raises(ValueError, match="'skip'.*skip_connect"):
    cell_statistics.num_chosen(('skip',), OPERATIONS)


def test_the_share_is_that_of_a_loop_and_leaves_out_none():
  weights = np.random.RandomState(0).rand(2, 3, 4, 5, 6)
  share = cell_statistics.share(weights, 3)
  assert share.shape == (2, 3)
  for t, s in np.ndindex(2, 3):
    skip = total = 0.0
    for g, e, k in np.ndindex(4, 5, 6):
      skip += weights[t, s, g, e, k] * (k == 3)
      total += weights[t, s, g, e, k] * (k != 0)
    np.testing.assert_allclose(share[t, s], skip / total)
  assert cell_statistics.share(np.zeros((4, 5, 6)), 3) == 0


def test_shared_cells_become_rows_by_kind_and_separate_ones_stay():
  arch = {'normal': jnp.array([1, 2]), 'reduce': jnp.array([3, 0])}
  rows = separate_cells.unshared(4)(arch)['cells']
  np.testing.assert_array_equal(rows, [[1, 2], [3, 0], [3, 0], [1, 2]])
  assert separate_cells.unshared(4)({'cells': rows})['cells'] is rows
