"""Tests for NSGA-II: survival by definition, known fronts, random search."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax import archive, pareto
from nasjax.spaces import categorical, darts_cell
from nasjax.strategies import nsga2, random_search

_SPACE = categorical.categorical({'op': (5, 4), 'width': (2, 3)})
_ACCURACY = np.array([0.0, 1.0, 2.0, 4.0], np.float32)
_COST = np.array([0.0, 1.0, 3.0, 9.0], np.float32)


def _objectives(archs):
  """An accuracy with falling returns, and a cost: `[B, 2]`."""
  accuracy = jnp.asarray(_ACCURACY)[archs['op']].sum(-1)
  cost = jnp.asarray(_COST)[archs['op']].sum(-1)
  # Width is worth nothing, so that a front must do without it.
  return jnp.stack(
    [accuracy, -cost - archs['width'].sum(-1).astype(jnp.float32)], axis=-1
  )


def _front():
  """Returns the values on the Pareto front, by dynamic programming."""
  reached = {(0.0, 0.0)}
  for _ in range(5):
    reached = {
      (a + x, c + y)
      for a, c in reached
      for x, y in zip(_ACCURACY.tolist(), _COST.tolist())
    }
  return {
    (a, -c)
    for a, c in reached
    if not any(b >= a and d <= c and (b, d) != (a, c) for b, d in reached)
  }


def _run(strategy, num_asks):
  """Returns `(key) -> (final state, all values [T, B, 2])`."""

  def step(state, key):
    proposal, state = strategy.ask(key, state)
    values = _objectives(proposal.archs)
    state, metrics = strategy.tell(key, state, proposal, values)
    return state, (values, metrics)

  def run(key):
    keys = jax.random.split(key, num_asks)
    return jax.lax.scan(step, strategy.init(key), keys)

  return jax.jit(jax.vmap(run))


def test_it_finds_the_known_front():
  strategy = nsga2.nsga2(_SPACE, population=60)
  num_seeds = 8
  state, (_, metrics) = _run(strategy, 40)(
    jax.random.split(jax.random.key(0), num_seeds)
  )
  expected, complete = _front(), 0
  assert len(expected) == 20
  for seed in range(num_seeds):
    values = np.asarray(state.population.values[seed])
    best = values[np.asarray(pareto.non_dominated(values))]
    found = {tuple(row) for row in best.tolist()}
    # At most one of twenty is missed, after a quarter of the space.
    assert len(found - expected) <= 1 and len(expected - found) <= 1
    complete += found == expected
    assert int(metrics['front_size'][seed, -1]) == len(best)
    assert float(metrics['best_0'][seed, -1]) == 20.0
  assert complete >= num_seeds // 2


def test_it_dominates_more_than_random_search_does():
  reference = jnp.array([-1.0, -50.0])
  keys = jax.random.split(jax.random.key(1), 20)

  @jax.jit
  @jax.vmap
  def volume(values):
    return pareto.hypervolume(values.reshape(-1, 2), reference)

  random = random_search.random_search(_SPACE, batch_size=20)
  random = random._replace(  # its metric is of one objective
    tell=lambda key, state, proposal, values: (state, {})
  )
  ours = volume(_run(nsga2.nsga2(_SPACE, population=20), 15)(keys)[1][0])
  theirs = volume(_run(random, 15)(keys)[1][0])
  test = stats.wilcoxon(ours, theirs, alternative='greater')
  assert test.pvalue < 1e-3


def test_survivors_are_the_best_fronts_and_the_least_crowded():
  rng = np.random.default_rng(0)
  store = archive.create({'op': jnp.int32(0)}, 12, 2)
  keep = jax.jit(archive.keep_fronts)
  known = {}
  for step in range(6):
    rows = rng.permutation(40)[:8]
    values = rng.integers(0, 6, (8, 2)).astype(np.float32)
    values[0, 1] = np.nan if step == 2 else values[0, 1]
    merged = {
      int(op): row
      for op, row in zip(store.archs['op'], np.asarray(store.values))
      if np.isfinite(row).all()
    } | dict(zip(rows.tolist(), values))
    store = keep(store, {'op': jnp.asarray(rows)}, values)
    items = {op: row for op, row in merged.items() if np.isfinite(row).all()}
    table = np.stack(list(items.values()))
    fronts = np.asarray(pareto.non_dominated_ranks(table))
    crowding = np.asarray(pareto.crowding_distance(table, fronts))
    order = sorted(
      zip(fronts.tolist(), (-crowding).tolist()), key=lambda pair: pair
    )[:12]
    kept = np.asarray(store.values)
    alive = np.isfinite(kept).all(-1)
    assert alive.sum() == min(12, len(items))
    ops = np.asarray(store.archs['op'])[alive].tolist()
    assert len(set(ops)) == len(ops)  # each once
    for op, row in zip(ops, kept[alive]):
      np.testing.assert_array_equal(row, items[op])  # the newest values
    places = dict(zip(items, zip(fronts.tolist(), (-crowding).tolist())))
    found = [places[op] for op in ops]
    assert [f for f, _ in found] == [f for f, _ in order]
    # No item that was dropped dominates one that was kept.
    for op in set(items) - set(ops):
      assert not any(
        (items[op] >= row).all() and (items[op] > row).any()
        for row in kept[alive]
      )
    known |= merged
  assert len(known) > 20


def test_crossover_takes_every_decision_from_one_of_the_parents():
  keys = jax.random.split(jax.random.key(0), 400)
  one = {'op': jnp.zeros(5, jnp.int32), 'width': jnp.zeros(2, jnp.int32)}
  two = jax.tree.map(jnp.ones_like, one)
  cross = jax.jit(jax.vmap(nsga2.uniform_crossover, (0, None, None)))
  children = cross(keys, one, two)
  for leaf in jax.tree.leaves(children):
    assert set(np.unique(leaf).tolist()) == {0, 1}
    assert np.all(np.abs(leaf.mean(0) - 0.5) < 4 * 0.5 / np.sqrt(len(keys)))
  same = np.corrcoef(np.concatenate([children['op'], children['width']], 1).T)
  assert np.abs(same - np.eye(7)).max() < 0.25  # decisions are independent


def _told(strategy, values):
  state = jax.jit(strategy.init)(jax.random.key(0))
  proposal, state = jax.jit(strategy.ask)(jax.random.key(1), state)
  state, _ = jax.jit(strategy.tell)(
    jax.random.key(2), state, proposal, jnp.asarray(values, jnp.float32)
  )
  return state, proposal


def test_children_come_from_winners_of_tournaments_by_front_then_crowding():
  strategy = nsga2.nsga2(
    _SPACE, population=3, crossover=None, mutation_rate=0.0
  )
  # The first dominates the second; the last failed.
  values = [[2.0, 2.0], [1.0, 1.0], [np.nan, 9.0]]
  state, proposal = _told(strategy, values)
  ask = jax.jit(jax.vmap(strategy.ask, (0, None)))
  keys = jax.random.split(jax.random.key(3), 400)
  children = ask(keys, state)[0].archs['op']
  children = np.asarray(children).reshape(1200, -1)
  parents = np.asarray(proposal.archs['op'])
  share = [np.mean(np.all(children == row, axis=1)) for row in parents]
  assert share[2] == 0.0
  # The worse of two wins where both draws are it.
  assert abs(share[0] - 0.75) < 0.05 and abs(share[1] - 0.25) < 0.05


def test_a_child_of_one_parent_is_one_mutation_away():
  strategy = nsga2.nsga2(_SPACE, population=2, crossover=None)
  state, proposal = _told(strategy, [[1.0, 1.0], [0.0, 0.0]])
  parents = np.concatenate([proposal.archs['op'], proposal.archs['width']], 1)
  children, _ = jax.jit(strategy.ask)(jax.random.key(4), state)
  rows = np.concatenate([children.archs['op'], children.archs['width']], 1)
  for row in rows:
    assert min(np.sum(row != parent) for parent in parents) == 1


def test_the_first_generation_is_random_and_others_wait_for_values():
  strategy = nsga2.nsga2(_SPACE, population=4, batch_size=2)
  state = strategy.init(jax.random.key(0))
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  proposals = []
  for key in jax.random.split(jax.random.key(1), 4):  # nothing is told yet
    proposal, state = ask(key, state)
    proposals.append(proposal)
  for i in (3, 0):
    state, _ = tell(
      jax.random.key(2), state, proposals[i], jnp.full((2, 2), float(i))
    )
  alive = state.population.values[:, 0].tolist()
  assert alive[:4] == [3.0, 3.0, 0.0, 0.0]


def test_settings_that_cannot_be_are_refused():
  for sizes in [(0, 4, 2), (2, 4, 5), (2, 4, 0)]:
    with pytest.raises(ValueError, match='NSGA-II needs num_objectives'):
      nsga2.nsga2(_SPACE, *sizes)
  with pytest.raises(ValueError, match='independent choices'):
    nsga2.nsga2(darts_cell.darts_cell())
  nsga2.nsga2(darts_cell.darts_cell(), crossover=None)
