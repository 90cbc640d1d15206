"""Tests for proposals by acquisition: against sets of rows in Python."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.spaces import categorical
from nasjax.strategies import acquisition, bayes_opt

_SPACE = categorical.categorical({'op': (3, 3), 'width': (1, 2)})
_ALL = list(itertools.product(range(3), range(3), range(3), range(2)))
_PLACES = np.array([27, 9, 3, 1])


def _rows(archs):
  return [
    tuple(row)
    for row in np.concatenate([archs['op'], archs['width']], axis=1).tolist()
  ]


def _archs(rows):
  rows = jnp.asarray(rows, jnp.int32)
  return {'op': rows[:, :3], 'width': rows[:, 3:]}


def _mean(row):
  """A value of its own for every row, in no simple order."""
  return float(np.sin(7.0 * np.dot(row, _PLACES)))


def _predict(state, archs):
  number = jnp.concatenate([archs['op'], archs['width']], 1) @ _PLACES
  return state * jnp.sin(7.0 * number), jnp.ones(number.shape)


_by_mean = acquisition.upper_confidence_bound(0.0)


def _told(rows, values, capacity=8):
  told = archive.create(_SPACE.sample(jax.random.key(9)), capacity)
  return archive.add(told, _archs(rows), jnp.asarray(values))


_KNOWN = [(0, 1, 2, 1), (1, 1, 1, 0), (2, 0, 0, 1), (2, 2, 2, 0)]
_TOLD = _told(_KNOWN, [1.0, jnp.nan, 3.0, 2.0])


def _distance(a, b):
  return sum(x != y for x, y in zip(a, b))


def test_mutants_are_of_the_best_told_in_their_order():
  pool = bayes_opt.mutants(_SPACE, 12, num_parents=3)
  rows = _rows(jax.jit(pool)(jax.random.key(0), _TOLD))
  for i, row in enumerate(rows):
    parent = [(2, 0, 0, 1), (2, 2, 2, 0), (0, 1, 2, 1)][i // 4]
    assert _distance(row, parent) == 1


def test_what_failed_is_no_parent():
  pool = bayes_opt.mutants(_SPACE, 8, num_parents=4)
  rows = _rows(jax.jit(pool)(jax.random.key(0), _TOLD))
  assert all(_distance(row, (2, 0, 0, 1)) == 1 for row in rows[6:])


def test_neighbours_are_all_edits_and_the_parent():
  pool = bayes_opt.neighbours(_SPACE, num_parents=2)
  rows = _rows(jax.jit(pool)(jax.random.key(0), _TOLD))
  assert len(rows) == 2 * 11
  for parent, part in [((2, 0, 0, 1), rows[:11]), ((2, 2, 2, 0), rows[11:])]:
    near = {row for row in _ALL if _distance(row, parent) <= 1}
    assert set(part) == near


def test_neighbours_stay_inside_a_subspace():
  mask = {'op': np.array([[1, 0, 1]] * 3, bool), 'width': np.ones((1, 2), bool)}
  pool = bayes_opt.neighbours(_SPACE.restrict(mask))
  rows = _rows(jax.jit(pool)(jax.random.key(0), _TOLD))
  assert set(rows) == {
    row
    for row in _ALL
    if _distance(row, (2, 0, 0, 1)) <= 1 and 1 not in row[:3]
  }


def test_everything_is_the_space_and_pools_are_joined_in_order():
  whole = bayes_opt.everything(_SPACE)
  near = bayes_opt.neighbours(_SPACE)
  rows = _rows(bayes_opt.joined(near, whole)(jax.random.key(0), _TOLD))
  assert set(rows[11:]) == set(_ALL) and len(rows) == 11 + 54
  assert rows[:11] == _rows(near(jax.random.key(0), _TOLD))


def test_first_of_equals_is_that_of_a_loop():
  rows = np.random.default_rng(0).integers(2, size=(40, 4))
  seen, expected = set(), []
  for row in map(tuple, rows.tolist()):
    expected.append(row not in seen)
    seen.add(row)
  assert archive.first_of_equals(_archs(rows)).tolist() == expected


def test_the_best_unknown_candidates_are_proposed():
  propose = bayes_opt.bayes_opt(
    _SPACE, _predict, bayes_opt.everything(_SPACE), 6, _by_mean
  )
  rows = _rows(jax.jit(propose)(jax.random.key(0), jnp.float32(1), _TOLD))
  unknown = [row for row in _ALL if row not in _KNOWN]
  assert rows == sorted(unknown, key=_mean, reverse=True)[:6]


def test_no_candidate_comes_twice_nor_beyond_the_first_new_ones():
  pool = bayes_opt.mutants(_SPACE, 60, num_parents=3)
  propose = bayes_opt.bayes_opt(
    _SPACE, _predict, pool, 5, _by_mean, num_candidates=9
  )
  pool, propose = jax.jit(pool), jax.jit(propose)
  for key in jax.random.split(jax.random.key(1), 3):
    drawn = _rows(pool(jax.random.split(key, 3)[0], _TOLD))
    new = [row for row in dict.fromkeys(drawn) if row not in _KNOWN][:9]
    rows = _rows(propose(key, jnp.float32(1), _TOLD))
    assert rows == sorted(new, key=_mean, reverse=True)[:5]


def test_random_architectures_fill_what_a_pool_lacks():
  told = _told(_ALL[:54:2] + _ALL[1:54:2], np.arange(54.0), capacity=54)
  propose = bayes_opt.bayes_opt(
    _SPACE, _predict, bayes_opt.neighbours(_SPACE), 4, _by_mean
  )
  key = jax.random.key(3)
  rows = _rows(jax.jit(propose)(key, jnp.float32(1), told))
  keys = jax.random.split(jax.random.split(key, 3)[2], 4)
  assert rows == _rows(jax.vmap(_SPACE.sample)(keys))


def test_part_of_a_batch_may_be_random():
  pool = bayes_opt.everything(_SPACE)
  propose = bayes_opt.bayes_opt(
    _SPACE, _predict, pool, 6, _by_mean, num_random=3
  )
  propose = jax.jit(propose)
  draws = [
    _rows(propose(key, jnp.float32(1), _TOLD))
    for key in jax.random.split(jax.random.key(0), 3)
  ]
  unknown = [row for row in _ALL if row not in _KNOWN]
  best = sorted(unknown, key=_mean, reverse=True)[:3]
  assert all(rows[:3] == best for rows in draws)
  assert len({tuple(rows[3:]) for rows in draws}) == 3


def test_predictions_that_are_not_finite_come_last():
  def predict(state, archs):
    mean, spread = _predict(state, archs)
    return jnp.where(archs['op'][:, 0] == 0, jnp.nan, mean), spread

  propose = bayes_opt.bayes_opt(
    _SPACE, predict, bayes_opt.everything(_SPACE), 40, _by_mean
  )
  rows = _rows(jax.jit(propose)(jax.random.key(0), jnp.float32(1), _TOLD))
  assert [row[0] for row in rows[33:]] == [0] * 7
  assert all(row[0] for row in rows[:33])
  assert not set(rows) & set(_KNOWN)


def test_incumbents_are_the_best_finite_value_and_the_best_mean():
  assert bayes_opt.best_told(None, _TOLD) == 3.0
  best = bayes_opt.best_mean(_predict)(jnp.float32(2), _TOLD)
  known = [_KNOWN[i] for i in (0, 2, 3)]
  np.testing.assert_allclose(best, 2 * max(map(_mean, known)), rtol=1e-5)


def test_mistakes_are_refused():
  with pytest.raises(ValueError, match='multiple of num_parents'):
    bayes_opt.mutants(_SPACE, 10, num_parents=3)
  with pytest.raises(ValueError, match='num_random must lie'):
    bayes_opt.bayes_opt(
      _SPACE, _predict, bayes_opt.neighbours(_SPACE), 2, num_random=3
    )
  large = categorical.categorical({'op': (40, 5)})
  with pytest.raises(ValueError, match='cannot be enumerated'):
    bayes_opt.everything(large)
