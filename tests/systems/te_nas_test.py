"""Pruning against brute force, on planted and on real networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import zero_cost
from nasjax.networks import NasBench201
from nasjax.spaces import categorical, nasbench201
from nasjax.systems import te_nas

SPACE = categorical.categorical({'op': (2, 3)})
_CONDITION = np.array([[0.0, 7.0, 3.0], [0.0, 1.0, 4.0]], np.float32)
_REGIONS = np.array([[0.0, 2.0, 6.0], [0.0, 5.0, 1.0]], np.float32)


def _planted(table):
  """A proxy that is linear in the mixture, 10 or more."""

  def raw(key, variables, arch):
    del key
    return 10 + variables * jnp.sum(arch['op'] * table)

  init = lambda key, arch: jnp.ones(())
  return zero_cost.Proxy(init, raw, 1, 'unused', 0.0, '')


def _brute_force(left):
  """One update of algorithm 1, with Python's sorting."""

  def value(table, left):
    count = np.maximum(left.sum(1, keepdims=True), 1)
    return 10 + (left / count * table).sum()

  ids = [(e, k) for e, k in np.argwhere(left) if left[e].sum() > 1]
  changes = {}
  for e, k in ids:
    without = left.copy()
    without[e, k] = False
    changes[e, k] = [
      round((value(t, left) - value(t, without)) / value(t, left), 3)
      for t in (_CONDITION, _REGIONS)
    ]
  sums = dict.fromkeys(ids, 0)
  for column, sign in ((0, -1), (1, 1)):
    levels = sorted({sign * change[column] for change in changes.values()})
    for key, change in changes.items():
      sums[key] += levels.index(sign * change[column])
  left = left.copy()
  for e in {e for e, _ in ids}:
    goes = min((k for i, k in ids if i == e), key=lambda k: sums[e, k])
    left[e, goes] = False
  return left


def _search(**options):
  return te_nas.te_nas(
    SPACE, _planted(_CONDITION), _planted(_REGIONS), **options
  )


def test_pruning_of_a_planted_space_equals_brute_force():
  search = _search()
  state = search.init(jax.random.key(0))
  left = np.array([[False, True, True]] * 2)
  np.testing.assert_array_equal(state.mask['op'], left)
  update = jax.jit(lambda s: search.update(jax.random.key(1), s, None))
  state, metrics = update(state)
  left = _brute_force(left)
  np.testing.assert_array_equal(state.mask['op'], left)
  assert metrics['num_left'] == 2
  np.testing.assert_array_equal(
    search.best(jax.random.key(0), state)['op'], left.argmax(1)
  )
  state, _ = update(state)  # nothing to prune any more
  np.testing.assert_array_equal(state.mask['op'], left)


def test_without_an_option_for_nothing_all_options_compete():
  search = _search(none=None, prune_number=1)
  state = search.init(jax.random.key(0))
  assert state.mask['op'].all()
  left = np.ones((2, 3), bool)
  for _ in range(2):
    state, _ = search.update(jax.random.key(1), state, None)
    left = _brute_force(left)
    np.testing.assert_array_equal(state.mask['op'], left)


def test_several_options_go_at_once_but_one_stays():
  search = _search(none=None, prune_number=5)
  state, metrics = search.update(
    jax.random.key(1), search.init(jax.random.key(0)), None
  )
  assert metrics['num_left'] == 2
  assert (state.mask['op'].sum(1) == 1).all()


def test_groups_of_edges_are_pruned_when_every_edge_has_one_option():
  space = categorical.categorical({'op': (3, 2)})
  table = np.array([[0, 1.0], [0, 5.0], [0, 3.0]], np.float32)
  search = te_nas.te_nas(
    space,
    _planted(table),
    _planted(-0.1 * table),
    groups=[(0, 3)],
    num_kept=2,
  )
  state = search.init(jax.random.key(0))
  state, _ = search.update(jax.random.key(1), state, None)
  # Without edge 1 conditioning improves and regions rise the most.
  np.testing.assert_array_equal(state.mask['op'][:, 1], [True, False, True])
  best = search.best(jax.random.key(0), state)
  np.testing.assert_array_equal(best['op'], [1, 0, 1])
  state, _ = search.update(jax.random.key(1), state, None)
  assert state.mask['op'].sum() == 2


@pytest.mark.slow
def test_a_cell_is_pruned_to_single_operations():
  space = nasbench201.nasbench201()
  image = jax.random.normal(jax.random.key(0), (6, 8, 8, 3))
  patches = jax.random.normal(jax.random.key(1), (100, 3, 3, 1))
  thick = NasBench201(channels=3, cells_per_stage=1)
  thin = NasBench201(channels=1, cells_per_stage=1, num_stages=1, stem=False)
  search = te_nas.te_nas(
    space,
    zero_cost.initialized(
      zero_cost.condition_number(thick, {'image': image}, block_size=2), 'out'
    ),
    zero_cost.initialized(
      zero_cost.linear_regions(thin, {'image': patches}), 'in'
    ),
    num_repeats=2,
  )
  state = search.init(jax.random.key(0))
  update = jax.jit(lambda key, s: search.update(key, s, None))
  for num_left in (18, 12, 6):
    state, metrics = update(jax.random.key(num_left), state)
    assert metrics['num_left'] == num_left
    assert metrics['condition_number'] > 1
    assert 1 <= metrics['linear_regions'] <= 100
  assert (state.mask['op'].sum(1) == 1).all()
  assert (search.best(jax.random.key(0), state)['op'] > 0).all()
