"""Which codes of NAS-Bench-Graph are the same network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.data import nasbench_graph as data
from nasjax.spaces import nasbench_graph as spaces

_OPS = {name: i for i, name in enumerate(spaces.OPERATIONS)}


def _canonical(link, ops):
  return spaces.canonical(
    spaces.LINKS.index(link), tuple(_OPS[op] for op in ops.split())
  )


@pytest.mark.parametrize(
  'a, b',
  [
    # Brothers.
    (((0, 0, 0, 0), 'gcn gat gin fc'), ((0, 0, 0, 0), 'fc gin gat gcn')),
    (((0, 0, 1, 2), 'gcn gat gin fc'), ((0, 0, 1, 2), 'gat gcn fc gin')),
    # A skip connection inside a chain stands at its root as well.
    (((0, 1, 2, 3), 'gcn skip gat gin'), ((0, 1, 2, 3), 'skip gcn gat gin')),
    (((0, 1, 2, 3), 'gcn gat gin skip'), ((0, 1, 2, 3), 'skip gcn gat gin')),
    # Its children are then those of its parent.
    (((0, 0, 1, 1), 'skip gcn gat gin'), ((0, 1, 1, 1), 'skip gcn gat gin')),
    # The input as output does not count.
    (((0, 0, 0, 0), 'skip gcn gat gin'), ((0, 1, 1, 1), 'skip gcn gat gin')),
  ],
)
def test_equal_networks_have_one_string(a, b):
  assert _canonical(*a) == _canonical(*b)


@pytest.mark.parametrize(
  'a, b',
  [
    (((0, 1, 2, 3), 'gcn gat gin fc'), ((0, 1, 2, 3), 'gat gcn gin fc')),
    # A skip connection beside others adds what its parent gives.
    (((0, 1, 1, 1), 'gcn skip gat gin'), ((0, 1, 1, 1), 'skip gcn gat gin')),
    (((0, 1, 1, 2), 'gcn gat gin fc'), ((0, 1, 1, 2), 'gcn gin gat fc')),
  ],
)
def test_other_networks_have_another_string(a, b):
  assert _canonical(*a) != _canonical(*b)


def test_there_are_as_many_networks_as_published():
  found = {
    spaces.canonical(code[0], code[1:]) for code in np.ndindex(9, *[9] * 4)
  }
  # And that of skip connections alone, of which there is no row.
  assert spaces.nasbench_graph().size == 59049
  assert len(found - {''}) == data.NUM_ROWS == 26206


def test_rows_that_repeat_are_refused():
  ops = np.array([[1, 2, 3, 4], [2, 1, 3, 4]])
  with pytest.raises(ValueError, match='2 rows of a table hold 1'):
    spaces.row_of(np.zeros(2, int), ops)


def test_names_agree_with_the_reader():
  assert spaces.OPERATIONS == data.OPERATIONS


@pytest.mark.data
def test_every_row_of_the_table_finds_itself():
  table = data.load_nasbench_graph()
  row_of = spaces.row_of(table.archs['link'], table.archs['op'])
  rows = jax.jit(jax.vmap(row_of))(table.archs)
  np.testing.assert_array_equal(rows, np.arange(data.NUM_ROWS))
  skips = {'link': jnp.array([4]), 'op': jnp.full(4, _OPS['skip'])}
  assert row_of(skips) == data.NUM_ROWS
  # Best test accuracy, and what plain networks of two layers have.
  assert np.nanmax(table.columns['cora_test']) == pytest.approx(83.13, abs=0.01)
  for op, expected in (('gcn', 80.17), ('gat', 80.97)):
    ops = [_OPS[name] for name in ('skip', 'skip', op, op)]
    row = row_of({'link': jnp.array([8]), 'op': jnp.array(ops)})
    value = table.columns['cora_test'][row]
    assert value == pytest.approx(expected, abs=0.01)
