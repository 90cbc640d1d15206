"""Tests of pooling against loops and against XLA's derivatives."""

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from tests import oracles
from tests.ops import derivatives

# Height, width, stride.
CASES = [
  (5, 6, 1),
  (6, 5, 2),
  (2, 2, 2),
  (1, 1, 1),
  (1, 4, 2),
]
_NEIGHBOURS = ((0, 0), (1, 1), (1, 1), (0, 0))


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


def _reduce(x, start, reducer, stride):
  return lax.reduce_window(
    x, start, reducer, (1, 3, 3, 1), (1, stride, stride, 1), _NEIGHBOURS
  )


def _xla_max_pool(x, stride):
  return _reduce(x, -jnp.inf, lax.max, stride)


def _xla_avg_pool(x, stride):
  total = _reduce(x, 0.0, lax.add, stride)
  return total / _reduce(jnp.ones_like(x), 0.0, lax.add, stride)


@pytest.mark.parametrize('height, width, stride', CASES)
@pytest.mark.parametrize(
  'pool, loop, reference',
  [
    (ops.max_pool, oracles.max_pool, _xla_max_pool),
    (ops.avg_pool, oracles.avg_pool, _xla_avg_pool),
  ],
)
def test_values_are_those_of_a_loop_and_derivatives_those_of_xla(
  pool, loop, reference, height, width, stride
):
  x = derivatives.random(0, 2, height, width, 3)
  y = derivatives.assert_same(
    lambda x: pool(x, stride), lambda x: reference(x, stride), x
  )
  np.testing.assert_allclose(y, loop(x, stride), atol=1e-12)


@pytest.mark.parametrize('num, stride', [(1, 1), (3, 2)])
def test_of_equal_pixels_the_first_one_gets_the_gradient(num, stride):
  # As after a ReLU: three values, so that nearly every window has a tie.
  x = np.maximum(np.random.default_rng(1).integers(-2, 3, (num, 5, 6, 2)), 0.0)
  g = derivatives.random(2, *oracles.max_pool(x, stride).shape)
  _, gradient = derivatives.pull_back(lambda x: ops.max_pool(x, stride), x, g)
  expected = oracles.max_pool_gradient(x, g, stride)
  np.testing.assert_allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('pool', [ops.max_pool, ops.avg_pool])
def test_pooling_a_constant_keeps_it_and_loses_no_gradient(pool, stride):
  x = np.full((2, 5, 4, 3), -7.0)
  g = derivatives.random(0, *oracles.max_pool(x, stride).shape)
  y, gradient = derivatives.pull_back(lambda x: pool(x, stride), x, g)
  np.testing.assert_allclose(y, -7, rtol=1e-12)
  np.testing.assert_allclose(gradient.sum(), g.sum(), rtol=1e-9)


@pytest.mark.parametrize('pool', [ops.max_pool, ops.avg_pool])
def test_loops_change_nothing(pool):
  derivatives.assert_loops_change_nothing(
    lambda x: pool(x, 2), derivatives.random(0, 3, 2, 5, 4, 3)
  )
