"""Proxies on networks of a space: definitions, invariances, failures."""

import json

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.data import cifar10, fixed
from nasjax.estimators import training, zero_cost
from nasjax.estimators.zero_cost import initial, rectifiers
from nasjax.networks import NasBench201, layers
from nasjax.spaces import nasbench201

SPACE = nasbench201.nasbench201()
NETWORK = NasBench201(channels=4, cells_per_stage=2)
BATCH = {
  'image': jax.random.normal(jax.random.key(1), (6, 8, 8, 3)),
  'label': jnp.arange(6) % 3,
}
DEAD = {'op': jnp.zeros(6, jnp.int32)}
CELL = {'op': jnp.array([3, 2, 4, 1, 3, 2])}
OF_NETWORKS = {
  name: getattr(zero_cost, name)
  for name in (
    'naswot jacov epe_nas grad_norm snip plain grasp fisher synflow synflow_bn '
    'l2_norm zico kernel_mean label_alignment linear_regions zen'
  ).split()
}


def _score(proxy, arch, key=0, variables=None):
  if variables is None:
    variables = jax.jit(proxy.init)(jax.random.key(0), CELL)
  return jax.jit(proxy.raw)(jax.random.key(key), variables, arch)


class Chain(nn.Module):
  """A chain of convolutions and rectifiers without norm and biases."""

  track: bool = False

  @nn.compact
  def __call__(self, arch, x, train=True):
    del arch, train
    for i, features in enumerate((5, 6, 7)):
      x = layers.Conv(features, (3, 3), name=f'conv{i}')(x)
      x = layers.Relu()(x)
    x = jnp.mean(x, axis=(1, 2))
    return layers.Conv(4, name='last')(x[:, None, None])[:, 0, 0]


@pytest.fixture(name='chain', scope='module')
def _chain():
  return Chain().init(jax.random.key(2), (), BATCH['image'])


_FAST = ('naswot', 'fisher')  # compiled in seconds; one with a tap


@pytest.mark.parametrize(
  'name',
  [
    name if name in _FAST else pytest.param(name, marks=pytest.mark.slow)
    for name in sorted(OF_NETWORKS)
  ],
)
def test_looped_and_unrolled_networks_have_the_same_score(name):
  looped, unrolled = (
    OF_NETWORKS[name](NETWORK.clone(unroll=unroll), BATCH)
    for unroll in (False, True)
  )
  expected = _score(looped, CELL)
  assert np.isfinite(expected)
  tolerance = 2e-2 if name in ('jacov', 'epe_nas') else 2e-3
  np.testing.assert_allclose(_score(unrolled, CELL), expected, rtol=tolerance)


@pytest.mark.parametrize(
  'name', ['naswot', 'fisher', pytest.param('zico', marks=pytest.mark.slow)]
)
def test_static_architectures_have_the_same_score(name):
  proxy = OF_NETWORKS[name](NETWORK, BATCH)
  variables = jax.jit(proxy.init)(jax.random.key(0), CELL)
  raw = lambda arch: proxy.raw(jax.random.key(0), variables, arch)
  expected = jax.jit(raw)(CELL)
  np.testing.assert_allclose(raw(choice.static(CELL)), expected, rtol=1e-3)


def test_the_diagonal_of_the_agreement_counts_units():
  variables = jax.jit(NETWORK.init)(jax.random.key(0), CELL, BATCH['image'])
  count = jax.jit(
    lambda arch: rectifiers.agreement(NETWORK, variables, arch, BATCH['image'])
  )
  for seed in range(5):
    arch = SPACE.sample(jax.random.key(seed))
    num_convolutions = int(np.isin(arch['op'], (2, 3)).sum())
    sides = [(4, 8), (8, 4), (16, 2)]  # channels, pixels a side
    units = [c * s * s for c, s in sides]
    expected = 2 * num_convolutions * sum(units)  # two cells a stage
    # In a reduction: the input of both convolutions; then the last one.
    expected += units[0] + units[1] + units[1] + units[2] + units[2]
    kernel = count(arch)
    np.testing.assert_array_equal(jnp.diagonal(kernel), expected)
    np.testing.assert_array_equal(kernel, kernel.T)


def test_agreement_is_units_minus_hamming_distance(chain):
  x = BATCH['image']
  codes = []
  for i in range(3):
    kernel = chain['params'][f'conv{i}']['kernel']
    x = layers.ops.convolution(x, kernel)
    codes.append(np.asarray(x > 0).reshape(6, -1))
    x = jax.nn.relu(x)
  codes = np.concatenate(codes, axis=1)
  expected = (codes[:, None] == codes[None]).sum(-1)
  found = rectifiers.agreement(Chain(), chain, (), BATCH['image'])
  np.testing.assert_array_equal(found, expected)


def test_mixtures_count_the_operations_that_have_a_weight():
  variables = jax.jit(NETWORK.init)(jax.random.key(0), CELL, BATCH['image'])
  units = jax.jit(
    lambda arch: rectifiers.agreement(NETWORK, variables, arch, BATCH['image'])[
      0, 0
    ]
  )
  weights = np.zeros((6, 5), np.float32)
  weights[:, 1] = 1
  without = units({'op': jnp.asarray(weights)})
  weights[0, 1:4] = 1 / 3  # both convolutions on one edge
  assert units({'op': jnp.asarray(weights)}) - without == 2 * 2 * (
    4 * 64 + 8 * 16 + 16 * 4
  )


def test_regions_are_the_distinct_patterns():
  image = BATCH['image']
  doubled = {'image': jnp.concatenate([image, image[:4]])}
  proxy = zero_cost.linear_regions(Chain(), doubled)
  variables = Chain().init(jax.random.key(0), (), image)
  assert _score(proxy, (), variables=variables) == 6


def test_images_that_are_not_told_apart_are_a_failure():
  image = BATCH['image']
  doubled = {'image': jnp.concatenate([image, image[:1]])}
  proxy = zero_cost.naswot(Chain(), doubled)
  variables = Chain().init(jax.random.key(0), (), image)
  assert _score(proxy, (), variables=variables) == -np.inf
  # A cell without connections: no image leaves a trace.
  estimator = zero_cost.oriented(zero_cost.naswot(NETWORK, BATCH), SPACE)
  state = jax.jit(estimator.init)(jax.random.key(0))
  score = jax.jit(estimator.score)
  assert score(jax.random.key(0), state, DEAD) == -np.inf
  assert np.isfinite(score(jax.random.key(0), state, CELL))


def test_lower_is_better_turns_the_sign():
  proxy = zero_cost.size(nasbench201.num_params)
  smaller = proxy._replace(sign=-1)
  more, less = (
    zero_cost.oriented(p, SPACE).score(jax.random.key(0), (), CELL)
    for p in (proxy, smaller)
  )
  assert more == -less == nasbench201.num_params(CELL)


@pytest.mark.parametrize('name', ['synflow', 'l2_norm'])
def test_data_free_proxies_do_not_see_the_batch(name, chain):
  other = {'image': 3 + BATCH['image'] ** 2, 'label': BATCH['label'][::-1]}
  scores = [
    _score(OF_NETWORKS[name](Chain(), b), (), variables=chain)
    for b in (BATCH, other)
  ]
  np.testing.assert_array_equal(*scores)


def _rescaled(variables, factor):
  params = dict(variables['params'])
  for name, by in (('conv0', factor), ('conv1', 1 / factor)):
    params[name] = {'kernel': by * params[name]['kernel']}
  return {'params': params}


@pytest.mark.parametrize('name', ['snip', 'plain', 'synflow', 'naswot'])
def test_moving_a_factor_from_one_layer_to_the_next_changes_nothing(
  name, chain
):
  proxy = OF_NETWORKS[name](Chain(), BATCH)
  scores = [
    _score(proxy, (), variables=v) for v in (chain, _rescaled(chain, 8.0))
  ]
  np.testing.assert_allclose(*scores, rtol=1e-4)


def test_the_norm_of_the_gradient_does_change(chain):
  proxy = zero_cost.grad_norm(Chain(), BATCH)
  scores = [
    _score(proxy, (), variables=v) for v in (chain, _rescaled(chain, 8.0))
  ]
  assert abs(scores[1] / scores[0] - 1) > 0.1


def test_the_flow_through_every_layer_is_the_output(chain):
  """In a chain each layer's sum of |W dR/dW| is R."""
  params = jax.tree.map(jnp.abs, chain['params'])
  output = Chain().apply({'params': params}, (), jnp.ones((1, 8, 8, 3))).sum()
  score = _score(zero_cost.synflow(Chain(), BATCH), (), variables=chain)
  np.testing.assert_allclose(np.exp(score), 4 * output, rtol=1e-4)


@pytest.mark.slow
def test_the_flow_of_a_deep_network_does_not_overflow():
  network = NasBench201(channels=16, cells_per_stage=5)
  proxy = zero_cost.synflow(network, {'image': jnp.ones((1, 16, 16, 3))})
  arch = {'op': jnp.full(6, 3)}
  variables = jax.jit(proxy.init)(jax.random.key(0), arch)
  score = _score(proxy, arch, variables=variables)
  assert np.log(np.finfo(np.float32).max) < score < 200


def test_weights_drawn_anew_have_the_variance_of_their_fan():
  params = jax.jit(NETWORK.init)(jax.random.key(0), CELL, BATCH['image'])
  kernel = lambda p: p['stage_2']['edges_0']['nor_conv_3x3']['ReluConvNorm_0'][
    'Conv_0'
  ]['kernel']
  for fan, deviation in (('in', 1 / 72), ('out', 1 / 72), (None, 1.0)):
    drawn = initial.normal_weights(jax.random.key(1), params['params'], fan)
    expected = np.sqrt(deviation) if fan else 1.0
    np.testing.assert_allclose(jnp.std(kernel(drawn)), expected, rtol=0.03)
  assert (drawn['last_norm']['scale'] == 1).all()
  assert (drawn['classifier']['bias'] == 0).all()
  with pytest.raises(ValueError, match="Unknown fan 'both'"):
    initial.normal_weights(jax.random.key(1), params['params'], 'both')


@pytest.mark.slow
def test_a_proxy_can_be_taken_after_training():
  network = NETWORK.clone(track=True)
  proxy = zero_cost.label_alignment(network, BATCH, norm='frozen')
  trainer = training.train_child(network, (8, 8, 3), 3, constant=True)
  estimator = zero_cost.trained(proxy, trainer, lambda key, t: BATCH, 3)
  score = jax.jit(estimator.score)
  key = jax.random.key(0)
  found = score(key, (), CELL)
  proxy_key, train_key = jax.random.split(key)
  child = training.train(trainer, train_key, CELL, lambda key, t: BATCH, 3)
  variables = {'params': child.params, 'batch_stats': child.batch_stats}
  expected = proxy.raw(proxy_key, variables, CELL)
  np.testing.assert_allclose(found, expected, rtol=1e-3)
  assert abs(score(key, (), CELL, fidelity=0.0) - found) > 1e-4


def test_networks_that_report_nothing_are_refused():

  class Plain(nn.Module):
    @nn.compact
    def __call__(self, arch, x, train=True):
      return nn.Dense(2)(jax.nn.relu(x.reshape(len(x), -1)))

  variables = Plain().init(jax.random.key(0), (), BATCH['image'])
  for name, message in (('naswot', 'no rectifier'), ('linear_regions', 'Relu')):
    proxy = OF_NETWORKS[name](Plain(), BATCH)
    with pytest.raises(ValueError, match=message):
      proxy.raw(jax.random.key(0), variables, ())
  for name in ('synflow', 'zen'):
    with pytest.raises(ValueError, match='attribute `track`'):
      OF_NETWORKS[name](Plain(), BATCH)
  with pytest.raises(ValueError, match='two batches of equal size'):
    zero_cost.zico(NETWORK, BATCH, num_batches=4)


@pytest.mark.data
@pytest.mark.parametrize('count, factor', [('relu', 1), ('official', 1.055)])
def test_naswot_of_real_cells_is_that_of_the_authors_networks(
  data_dir, count, factor
):
  """Other first weights: scores differ by less than 1 %."""
  path = data_dir / 'nb201_naswot_scores_200.json'
  published = json.loads(path.read_text())['batch64']
  names = [name for name in sorted(published) if published[name]][5:8]
  batch = fixed.first(cifar10.load_cifar10(data_dir=data_dir)['train'], 64)
  network = NasBench201(num_classes=1)
  proxy = zero_cost.naswot(network, batch, count)
  variables = jax.jit(proxy.init)(jax.random.key(0), CELL)
  raw = jax.jit(lambda a: proxy.raw(jax.random.key(0), variables, a))
  for name in names:
    score = raw({'op': jnp.array([int(digit) for digit in name])})
    np.testing.assert_allclose(score, factor * published[name], rtol=0.01)
