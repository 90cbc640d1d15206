"""Tests of depthwise convolution against loops and XLA's derivatives."""

import importlib

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from tests import oracles
from tests.ops import derivatives

# ops.depthwise is the function.
module = importlib.import_module('nasjax.ops.depthwise')

# Height, width, kernel height, kernel width, stride, dilation, order of the
# derivatives compared.
CASES = [
  (5, 6, 3, 3, 1, 1, 1),
  (6, 5, 3, 3, 2, 1, 2),
  (5, 5, 3, 3, 1, 2, 1),
  (6, 6, 5, 5, 2, 2, 1),
  (4, 8, 1, 7, 1, 1, 1),
  (5, 4, 1, 1, 2, 1, 2),
  (1, 1, 3, 3, 1, 1, 1),
  (1, 1, 5, 5, 2, 2, 1),
  (2, 2, 3, 3, 2, 1, 1),
]


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


def _operands(height, width, kh, kw, num=2):
  x = derivatives.random(0, num, height, width, 3)
  return x, derivatives.random(1, kh, kw, 3)


def _xla(x, kernel, stride, dilation):
  return lax.conv_general_dilated(
    x,
    kernel[:, :, None],
    (stride, stride),
    oracles.same_padding(kernel, dilation),
    rhs_dilation=(dilation, dilation),
    feature_group_count=x.shape[-1],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


@pytest.mark.parametrize(
  'height, width, kh, kw, stride, dilation, order', CASES
)
def test_values_are_those_of_a_loop_and_derivatives_those_of_xla(
  height, width, kh, kw, stride, dilation, order
):
  x, kernel = _operands(height, width, kh, kw)
  y = derivatives.assert_same(
    lambda x, k: ops.depthwise(x, k, stride, dilation),
    lambda x, k: _xla(x, k, stride, dilation),
    x,
    kernel,
    order=order,
  )
  expected = oracles.depthwise(x, kernel, stride, dilation)
  np.testing.assert_allclose(y, expected, atol=1e-10)


@pytest.mark.parametrize('num', [1, 12])
def test_any_number_of_examples_will_do(num):
  # The kernel's gradient adds up slabs of examples.
  derivatives.assert_same(
    lambda x, k: ops.depthwise(x, k, 1),
    lambda x, k: _xla(x, k, 1, 1),
    *_operands(3, 4, 3, 3, num),
    order=1,
  )


def test_the_forms_of_all_platforms_agree():
  x, kernel = _operands(6, 5, 3, 3)
  static = (2, 2, oracles.same_padding(kernel, 2))

  @jax.jit
  def differences(x, kernel):
    y = module._forward_native(x, kernel, *static)
    shape, g = kernel.shape[:2], jnp.cos(y)
    return (
      module._forward_shifted(x, kernel, *static) - y,
      module._kernel_gradient_shifted(x, g, shape, *static)
      - module._kernel_gradient_native(x, g, shape, *static),
    )

  for difference in differences(x, kernel):
    np.testing.assert_allclose(difference, 0, atol=1e-10)


def test_loops_change_nothing():
  derivatives.assert_loops_change_nothing(
    lambda x, k: ops.depthwise(x, k, 2),
    derivatives.random(0, 2, 2, 5, 4, 3),
    derivatives.random(1, 2, 3, 3, 3),
  )


def test_channels_that_do_not_fit_are_an_error():
  x, _ = _operands(4, 4, 3, 3)
  with pytest.raises(AssertionError):
    ops.depthwise(x, np.zeros((3, 3, 4)))
