"""Tests of batch normalisation against a loop and XLA's derivatives."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from tests import oracles
from tests.ops import derivatives

module = importlib.import_module('nasjax.ops.normalization')

SHAPES = [(4, 5, 3, 2), (1, 2, 2, 3)]


@pytest.fixture(name='float64')
def _float64():
  with jax.enable_x64(True):
    yield


def _xla(x):
  axes = tuple(range(x.ndim - 1))
  mean = x.mean(axes, keepdims=True)
  variance = x.var(axes, keepdims=True)
  return (x - mean) / jnp.sqrt(variance + 1e-5)


@pytest.mark.parametrize('shape', SHAPES)
def test_values_are_those_of_a_loop_and_derivatives_those_of_xla(
  float64, shape
):
  x = 3 * derivatives.random(0, *shape) + 2
  y = derivatives.assert_same(ops.batch_norm, _xla, x, tolerance=1e-7)
  np.testing.assert_allclose(y, oracles.batch_norm(x), atol=1e-9)


def test_one_pixel_alone_becomes_zero_and_gets_no_gradient(float64):
  x = np.full((1, 1, 1, 3), 5.0)
  g = derivatives.random(0, *x.shape)
  y, gradient = derivatives.pull_back(ops.batch_norm, x, g)
  np.testing.assert_allclose(y, 0, atol=1e-10)
  np.testing.assert_allclose(gradient, 0, atol=1e-10)


def test_a_constant_channel_stays_finite_in_single_precision():
  x = np.full((4, 6, 6, 2), 1000.1, np.float32)
  for result in derivatives.pull_back(ops.batch_norm, x, x):
    assert np.isfinite(result).all()


def test_moments_are_the_mean_and_the_biased_variance(float64):
  x = derivatives.random(0, 3, 4, 5, 2)
  mean, variance = module.moments(x)
  np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-10)
  np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-10)


def test_given_statistics_are_used_as_they_are(float64):
  x = derivatives.random(0, 2, 3, 3, 2)
  mean, variance = np.array([1.0, -2.0]), np.array([0.25, 4.0])
  expected = (x - mean) / np.sqrt(variance + 1e-5)
  np.testing.assert_allclose(
    ops.normalize(x, mean, variance), expected, rtol=1e-10
  )


def test_loops_change_nothing(float64):
  derivatives.assert_loops_change_nothing(
    ops.batch_norm, derivatives.random(0, 3, 2, 4, 3, 2)
  )
