"""Tests of the sums over all axes but the channels."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from tests.ops import derivatives

module = importlib.import_module('nasjax.ops.channels')


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


@pytest.mark.parametrize(
  'size, limit, expected',
  [(1, 16, 1), (7, 16, 1), (12, 16, 4), (64, 16, 16), (64, 8, 8), (6, 1, 1)],
)
def test_slabs_are_the_largest_power_of_two_that_divides(size, limit, expected):
  assert module.num_slabs(size, limit) == expected


@pytest.mark.parametrize('shape', [(4, 6, 6, 3), (3, 5, 2), (1, 4), (32, 1)])
def test_sums_leave_the_channels(shape):
  x = derivatives.random(0, *shape)
  expected = np.zeros(shape[-1])
  for row in x.reshape(-1, shape[-1]):
    expected += row
  total = derivatives.assert_same(
    ops.sum_channels, lambda x: jnp.sum(x, tuple(range(x.ndim - 1))), x
  )
  np.testing.assert_allclose(total, expected, rtol=1e-10)


def test_spreading_is_the_transpose_of_summing():
  v, x = derivatives.random(0, 3), derivatives.random(1, 2, 5, 3)
  spread = ops.spread_channels(jnp.asarray(v), (2, 5))
  for i, j in np.ndindex(2, 5):
    np.testing.assert_array_equal(spread[i, j], v)
  np.testing.assert_allclose(
    np.vdot(spread, x), np.vdot(v, ops.sum_channels(x)), rtol=1e-10
  )
  derivatives.assert_same(
    lambda v: ops.spread_channels(v, (2, 5)),
    lambda v: jnp.broadcast_to(v, (2, 5, 3)),
    v,
  )


@pytest.mark.parametrize('shape', [(), (3,)])
def test_scale_multiplies_by_one_factor_or_one_a_channel(shape):
  weight, x = derivatives.random(0, *shape), derivatives.random(1, 2, 4, 3)
  np.testing.assert_allclose(
    ops.scale(jnp.asarray(weight), x), weight * x, rtol=1e-12
  )
  derivatives.assert_same(
    ops.scale,
    lambda w, x: jnp.broadcast_to(w, x.shape) * x,
    weight,
    x,
  )


def test_loops_change_nothing():
  derivatives.assert_loops_change_nothing(
    ops.sum_channels, derivatives.random(0, 3, 4, 5, 2)
  )
  derivatives.assert_loops_change_nothing(
    ops.scale, derivatives.random(0, 3), derivatives.random(1, 3, 4, 5, 2)
  )
