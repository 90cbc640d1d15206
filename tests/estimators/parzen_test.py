"""Tests for Parzen densities: against loops, and as probabilities."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import parzen
from nasjax.spaces import categorical

_MASK = {
  'op': np.array([[True, True, True, True], [True, False, True, True]]),
  'width': np.ones((2, 2), bool),
  'one': np.array([[False, True]]),
}
_COUNTS = (1, 4, 3, 2, 2)  # of the leaves in their order: one, op, width
_SPACE = categorical.categorical(_MASK)  # 48 architectures
_NUM_DECISIONS = 5


def _rows(archs):
  leaves = [np.asarray(archs[name]) for name in ('one', 'op', 'width')]
  return np.concatenate(leaves, axis=1)


def _told(num, capacity=40, seed=0):
  rng = np.random.default_rng(seed)
  archs = jax.vmap(_SPACE.index)(jnp.asarray(rng.integers(0, 48, num)))
  values = rng.normal(size=num).round(1)  # with ties
  values[::7] = np.nan
  told = archive.create(_SPACE.index(0), capacity)
  return archive.add(told, archs, jnp.asarray(values, jnp.float32))


def _bandwidths(rows, minimum):
  n, h = len(rows), []
  for d, count in enumerate(_COUNTS):
    # The deviation of distances: half the mean square over all pairs.
    pairs = [a != b for a in rows[:, d] for b in rows[:, d]]
    spread = math.sqrt(sum(pairs) / len(pairs) / 2)
    bandwidth = 1.06 * spread * n ** (-1 / (4 + _NUM_DECISIONS))
    h.append(min(max(bandwidth, minimum), (count - 1) / count))
  return h


def _density(rows, h, x):
  total = 0.0
  for row in rows:
    kernel = 1.0
    for d, count in enumerate(_COUNTS):
      kernel *= 1 - h[d] if row[d] == x[d] else h[d] / (count - 1)
    total += kernel / len(rows)
  return total


def _split(told, top):
  """Returns the good and the bad rows, by the paper's two formulas."""
  values = np.asarray(told.values)
  slots = [i for i in range(len(values)) if np.isfinite(values[i])]
  slots.sort(key=lambda i: (-values[i], i))
  num_good = max(_NUM_DECISIONS + 1, math.floor(top * len(slots)))
  num_bad = max(_NUM_DECISIONS + 1, len(slots) - num_good)
  rows = _rows(told.archs)
  return rows[slots[:num_good]], rows[slots[-num_bad:]]


@pytest.mark.parametrize(
  'num, top, minimum', [(9, 0.15, 0.3), (35, 0.15, 0.05), (35, 0.4, 0.3)]
)
def test_densities_are_those_of_a_loop_and_sum_to_one(num, top, minimum):
  told = _told(num)
  estimator = parzen.parzen(_SPACE, 40, top, minimum)
  model, metrics = jax.jit(estimator.update)(jax.random.key(0), (), told)
  assert int(metrics['num_told']) == num - -(-num // 7)
  archs = jax.vmap(_SPACE.index)(jnp.arange(48))
  rows, densities = _rows(archs), []
  for members, density in zip(_split(told, top), (model.good, model.bad)):
    h = _bandwidths(members, minimum)
    actual = _rows(jax.tree.map(lambda x: x[None], density.bandwidths))[0]
    np.testing.assert_allclose(actual, h, rtol=1e-5)
    logs = jax.vmap(
      lambda arch, density=density: parzen.log_density(
        density, model.archs, arch, _SPACE.mask
      )
    )(archs)
    expected = [_density(members, h, row) for row in rows]
    np.testing.assert_allclose(jnp.exp(logs), expected, rtol=1e-4)
    np.testing.assert_allclose(jnp.sum(jnp.exp(logs)), 1, rtol=1e-5)
    densities.append(np.log(expected))
  score = jax.vmap(lambda arch: estimator.score(jax.random.key(0), model, arch))
  np.testing.assert_allclose(
    score(archs), densities[0] - densities[1], atol=1e-4
  )


def test_for_two_choices_the_deviation_is_that_of_their_numbers():
  space = categorical.categorical({'op': (1, 2)})
  choices = np.array([0, 0, 1, 0, 1, 1, 1])
  told = archive.add(
    archive.create(space.index(0), 7),
    {'op': jnp.asarray(choices)[:, None]},
    jnp.zeros(7),
  )
  # All are good: of equal values, none is left to be bad alone.
  model = parzen.fit(told, space.mask, top=1.0, min_bandwidth=0.01)
  expected = 1.06 * np.std(choices) * 7 ** (-1 / 5)
  np.testing.assert_allclose(model.good.bandwidths['op'], min(expected, 0.5))


@pytest.mark.parametrize('factor', [1.0, 1.5])
def test_draws_follow_the_density_of_wider_kernels(factor):
  model = parzen.fit(_told(20), _SPACE.mask, min_bandwidth=0.2)
  keys = jax.random.split(jax.random.key(0), 20_000)
  draw = lambda key: parzen.draw(
    key, model.good, model.archs, _SPACE.mask, factor
  )
  rows = _rows(jax.jit(jax.vmap(draw))(keys))
  members = _rows(model.archs)[np.asarray(model.good.weights) > 0]
  h = _rows(jax.tree.map(lambda x: x[None], model.good.bandwidths))[0]
  h = [min(factor * x, (k - 1) / k) for x, k in zip(h, _COUNTS)]
  counted = {}
  for row in map(tuple, rows.tolist()):
    counted[row] = counted.get(row, 0) + 1
  # Choices that the mask excludes are never drawn.
  choices = ((1,), range(4), (0, 2, 3), range(2), range(2))
  assert set(counted) <= set(itertools.product(*choices))
  for row in itertools.product(*choices):
    p = _density(members, h, row)
    error = math.sqrt(p / 20_000)
    assert abs(counted.get(row, 0) / 20_000 - p) < 5 * error


def test_nothing_told_prefers_nothing():
  estimator = parzen.parzen(_SPACE, 10)
  state = estimator.init(jax.random.key(0))
  assert estimator.score(jax.random.key(0), state, _SPACE.index(3)) == 0
