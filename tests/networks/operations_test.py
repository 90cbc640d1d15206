"""Tests of the candidate operations against loops."""

import math

from flax import linen as nn
import jax
import numpy as np
import pytest

from nasjax.networks import operations
from tests import oracles

CHANNELS = 16


def _relu(x):
  return np.maximum(x, 0)


def _convolve(x, kernel, stride=1):
  padding = oracles.same_padding(kernel, 1)
  return oracles.convolution(x, kernel, stride, 1, padding)


def _separable(x, params, stride):
  for i in range(2):
    kernel = params[f'DepthwiseConv_{i}']['kernel']
    x = oracles.depthwise(_relu(x), kernel, 1 if i else stride, 1)
    x = oracles.batch_norm(_convolve(x, params[f'Conv_{i}']['kernel']))
  return x


def _dilated(x, params, stride):
  kernel = params['DepthwiseConv_0']['kernel']
  x = oracles.depthwise(_relu(x), kernel, stride, 2)
  return oracles.batch_norm(_convolve(x, params['Conv_0']['kernel']))


def _factorized(x, params, stride):
  x = _convolve(_relu(x), params['Conv_0']['kernel'])[:, :, ::stride]
  x = _convolve(x, params['Conv_1']['kernel'])[:, ::stride]
  return oracles.batch_norm(x)


def _norm_conv(x, params, stride):
  kernel = params['ReluConvNorm_0']['Conv_0']['kernel']
  return oracles.batch_norm(_convolve(_relu(x), kernel, stride))


def _reduced(x, params, stride):
  if stride == 1:
    return x
  x = np.pad(_relu(x), ((0, 0), (0, 1), (0, 1), (0, 0)))
  convs = [params['FactorizedReduce_0'][f'Conv_{i}']['kernel'] for i in (0, 1)]
  size = x.shape[1] // 2 * 2
  halves = [
    _convolve(x[:, i:size:2, i:size:2], kernel)
    for i, kernel in enumerate(convs)
  ]
  return oracles.batch_norm(np.concatenate(halves, -1))


ORACLES = {
  'none': lambda x, params, stride: np.zeros_like(x[:, ::stride, ::stride]),
  'skip_connect': _reduced,
  'max_pool_3x3': lambda x, params, stride: oracles.batch_norm(
    oracles.max_pool(x, stride)
  ),
  'avg_pool_3x3': lambda x, params, stride: oracles.batch_norm(
    oracles.avg_pool(x, stride)
  ),
  'sep_conv_3x3': _separable,
  'sep_conv_5x5': _separable,
  'sep_conv_7x7': _separable,
  'dil_conv_3x3': _dilated,
  'dil_conv_5x5': _dilated,
  'conv_7x1_1x7': _factorized,
  'nor_conv_1x1': _norm_conv,
  'nor_conv_3x3': _norm_conv,
}


@pytest.mark.parametrize('stride', [1, 2])
def test_every_operation_is_what_the_papers_say(stride):
  assert set(ORACLES) == set(operations.OPERATIONS)
  x = np.random.default_rng(0).normal(size=(2, 5, 5, 4)).astype(np.float32)
  site = operations.Site(channels=4, stride=stride)

  @jax.jit
  def run(x):
    results = {}
    for i, (name, factory) in enumerate(operations.OPERATIONS.items()):
      module = factory(site)
      variables = module.init(jax.random.key(i), x, True)
      y = module.apply(variables, x, True)
      results[name] = variables.get('params', {}), y
    return results

  for name, (params, y) in run(x).items():
    expected = ORACLES[name](x, params, stride)
    np.testing.assert_allclose(y, expected, atol=2e-3, err_msg=name)


def _num_params(name, affine=True, **site):
  module = operations.OPERATIONS[name](
    operations.Site(CHANNELS, affine=affine, **site)
  )
  x = np.zeros((1, 4, 4, CHANNELS), np.float32)
  variables = jax.eval_shape(lambda: module.init(jax.random.key(0), x, True))
  return sum(
    math.prod(leaf.shape)
    for leaf in jax.tree.leaves(variables.get('params', {}))
  )


@pytest.mark.parametrize(
  'name, expected',
  [
    ('sep_conv_3x3', 864),
    ('sep_conv_5x5', 1376),
    ('sep_conv_7x7', 2144),
    ('dil_conv_3x3', 432),
    ('dil_conv_5x5', 688),
    ('conv_7x1_1x7', 3616),
    ('nor_conv_1x1', 288),
    ('nor_conv_3x3', 2336),
    ('max_pool_3x3', 0),
    ('skip_connect', 0),
    ('none', 0),
  ],
)
def test_numbers_of_weights_at_16_channels(name, expected):
  assert _num_params(name) == expected


def test_affine_norm_adds_two_weights_a_channel():
  assert _num_params('skip_connect', stride=2) == 288
  assert _num_params('skip_connect', False, stride=2) == 288 - 2 * CHANNELS
  assert _num_params('sep_conv_3x3', False) == 864 - 4 * CHANNELS


def test_pools_are_normalised_only_where_the_site_says_so():
  x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
  site = operations.Site(3, 2, pool_norm=False)
  for name in ('max', 'avg'):
    module = operations.OPERATIONS[f'{name}_pool_3x3'](site)
    y = jax.jit(lambda x, module=module: module.apply({}, x, True))(x)
    expected = getattr(oracles, f'{name}_pool')(x, 2)
    np.testing.assert_allclose(y, expected, atol=1e-6)


def test_resolving_keeps_the_order_and_takes_operations_of_ones_own():
  custom = {'mine': lambda site: nn.Dense(site.channels)}
  resolved = operations.resolve(('mine', 'none'), custom)
  assert resolved == (('mine', custom['mine']), ('none', operations.Zero))


def test_an_unknown_operation_is_an_error_that_names_the_known():
  with pytest.raises(ValueError) as error:
    operations.resolve(('none', 'conv7'), {'mine': operations.Zero})
  message = str(error.value)
  assert "'conv7'" in message
  for name in ('mine', *operations.OPERATIONS):
    assert name in message
