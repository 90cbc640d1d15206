"""Tests of convolution against loops and against XLA's derivatives."""

import importlib

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from tests import oracles
from tests.ops import derivatives

# ops.convolution is the function.
module = importlib.import_module('nasjax.ops.convolution')

# Height, width, kernel height, kernel width, stride, dilation, order of the
# derivatives compared.
CASES = [
  (5, 6, 3, 3, 1, 1, 2),
  (6, 5, 3, 3, 2, 1, 2),
  (5, 5, 3, 3, 1, 2, 1),
  (6, 6, 5, 5, 2, 2, 1),
  (4, 8, 1, 7, 1, 1, 1),
  (7, 3, 7, 1, 2, 1, 1),
  (5, 4, 1, 1, 2, 1, 2),
  (4, 4, 2, 2, 1, 1, 1),
  (1, 1, 3, 3, 1, 1, 1),
  (1, 1, 5, 5, 2, 2, 1),
  (2, 2, 3, 3, 2, 1, 2),
]


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


def _operands(height, width, kh, kw, num=2):
  x = derivatives.random(0, num, height, width, 3)
  return x, derivatives.random(1, kh, kw, 3, 4)


def _xla(x, kernel, stride, dilation, padding):
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    padding,
    rhs_dilation=(dilation, dilation),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


@pytest.mark.parametrize(
  'height, width, kh, kw, stride, dilation, order', CASES
)
def test_values_are_those_of_a_loop_and_derivatives_those_of_xla(
  height, width, kh, kw, stride, dilation, order
):
  x, kernel = _operands(height, width, kh, kw)
  padding = oracles.same_padding(kernel, dilation)
  y = derivatives.assert_same(
    lambda x, k: ops.convolution(x, k, stride, dilation),
    lambda x, k: _xla(x, k, stride, dilation, padding),
    x,
    kernel,
    order=order,
  )
  expected = oracles.convolution(x, kernel, stride, dilation, padding)
  np.testing.assert_allclose(y, expected, atol=1e-10)


@pytest.mark.parametrize(
  'size, stride, padding',
  [
    (2, 1, ((0, 0), (0, 0))),
    (3, 2, ((0, 1), (2, 0))),
    (1, 1, ((1, 1), (1, 1))),  # wider than the kernel's reach
  ],
)
def test_padding_may_be_given(size, stride, padding):
  x, kernel = _operands(4, 5, size, size)
  y = derivatives.assert_same(
    lambda x, k: ops.convolution(x, k, stride, padding=padding),
    lambda x, k: _xla(x, k, stride, 1, padding),
    x,
    kernel,
    order=1,
  )
  expected = oracles.convolution(x, kernel, stride, 1, padding)
  np.testing.assert_allclose(y, expected, atol=1e-10)


def test_stride_two_pads_both_sides_alike_unlike_same():
  x, kernel = _operands(6, 6, 3, 3)
  symmetric = ops.convolution(x, kernel, 2)
  same = _xla(x, kernel, 2, 1, 'SAME')
  assert symmetric.shape == same.shape
  assert np.abs(symmetric - same).max() > 0.1


@pytest.mark.parametrize('num', [1, 5])
def test_any_number_of_examples_will_do(num):
  x, kernel = _operands(4, 4, 3, 3, num)
  derivatives.assert_same(
    lambda x, k: ops.convolution(x, k, 2),
    lambda x, k: _xla(x, k, 2, 1, ((1, 1), (1, 1))),
    x,
    kernel,
    order=1,
  )


def test_the_gradients_of_all_platforms_agree():
  x, kernel = _operands(6, 5, 3, 3)
  static = (2, 2, oracles.same_padding(kernel, 2))

  @jax.jit
  def differences(x, kernel):
    g = jnp.cos(module._forward(x, kernel, *static))
    size, shape = x.shape[1:3], kernel.shape[:2]
    return (
      module._flipped_convolution(g, kernel, size, *static)
      - module._native_gradient(0, x, kernel, g, static),
      module._row_products(x, g, shape, *static)
      - module._native_gradient(1, x, kernel, g, static),
    )

  for difference in differences(x, kernel):
    np.testing.assert_allclose(difference, 0, atol=1e-10)


@pytest.mark.parametrize('stride, dilation', [(2, 1), (1, 2)])
def test_loops_change_nothing(stride, dilation):
  derivatives.assert_loops_change_nothing(
    lambda x, k: ops.convolution(x, k, stride, dilation),
    derivatives.random(0, 3, 2, 5, 4, 3),
    derivatives.random(1, 3, 3, 3, 3, 2),
  )


def test_pointwise_mixes_channels_over_any_leading_axes():
  x, kernel = derivatives.random(0, 2, 3, 5), derivatives.random(1, 5, 4)
  expected = np.zeros((2, 3, 4))
  for i, j, c, f in np.ndindex(2, 3, 5, 4):
    expected[i, j, f] += x[i, j, c] * kernel[c, f]
  np.testing.assert_allclose(ops.pointwise(x, kernel), expected, rtol=1e-12)


def test_channels_that_do_not_fit_are_an_error():
  x, _ = _operands(4, 4, 3, 3)
  with pytest.raises(AssertionError):
    ops.convolution(x, np.zeros((3, 3, 4, 4)))
