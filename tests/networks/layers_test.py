"""Tests of layers: initial weights, padding, statistics."""

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import layers
from tests import oracles


def _images(*shape):
  images = np.random.default_rng(0).normal(size=shape)
  return images.astype(np.float32)


def _run(module, x, *args):
  """Initialise and apply a module as one program; return its weights too."""

  @jax.jit
  def run(x):
    variables = module.init(jax.random.key(1), x, *args)
    return variables.get('params'), module.apply(variables, x, *args)

  return run(x)


# Initial weights.


@pytest.mark.parametrize('fan_in', [9, 100])
def test_initial_weights_are_uniform_within_one_over_root_fan_in(fan_in):
  init = jax.jit(layers.fan_in_uniform(fan_in), static_argnums=1)
  values = np.asarray(init(jax.random.key(0), (100, 200)), np.float64)
  bound = fan_in**-0.5
  assert np.abs(values).max() <= np.float32(bound)
  assert values.max() > 0.999 * bound and values.min() < -0.999 * bound
  # Standard errors: of the mean bound / sqrt(3 n), of the variance bound**2
  # sqrt(4 / 45 n), of a decile's share sqrt(0.09 / n).
  assert abs(values.mean()) < 4 * bound * (3 * values.size) ** -0.5
  assert abs(values.var() / bound**2 - 1 / 3) < 4 * (11 * values.size) ** -0.5
  shares = np.histogram(values, 10, (-bound, bound))[0] / values.size
  np.testing.assert_allclose(shares, 0.1, atol=4 * (0.09 / values.size) ** 0.5)


def test_initial_weights_of_neighbouring_keys_have_nothing_in_common():
  init = layers.fan_in_uniform(1)
  keys = jnp.concatenate(
    [
      jax.random.split(jax.random.key(0), 8),
      jax.vmap(jax.random.key)(jnp.arange(8)),  # neighbours themselves
    ]
  )
  draw = jax.jit(jax.vmap(lambda key: init(key, (4000,))))
  values = np.asarray(draw(keys))
  correlations = np.corrcoef(values) - np.eye(len(keys))
  assert np.abs(correlations).max() < 5 * 4000**-0.5
  # Nor are they the same numbers at other places.
  for a, b in zip(values, values[1:]):
    assert np.intersect1d(a, b).size < 20
  # And places next to each other are independent.
  serial = [np.corrcoef(row[1:], row[:-1])[0, 1] for row in values]
  assert np.abs(serial).max() < 5 * 4000**-0.5


def test_initial_weights_depend_on_the_key_alone():
  init = jax.jit(layers.fan_in_uniform(4), static_argnums=1)
  first, again = (init(jax.random.key(3), (5, 2)) for _ in range(2))
  np.testing.assert_array_equal(first, again)
  batched = jax.vmap(lambda key: init(key, (5, 2)))(
    jax.random.split(jax.random.key(3), 2)
  )
  single = init(jax.random.split(jax.random.key(3), 2)[1], (5, 2))
  np.testing.assert_array_equal(batched[1], single)


@pytest.mark.parametrize(
  'module, fan_in',
  [
    (layers.Conv(50, (3, 5)), 3 * 5 * 8),
    (layers.DepthwiseConv((5, 5)), 25),
    (layers.Dense(200), 8),
  ],
)
def test_layers_know_their_fan_in(module, fan_in):
  x = jnp.zeros((2, 8) if isinstance(module, layers.Dense) else (2, 6, 6, 8))
  params, _ = _run(module, x)
  for leaf in jax.tree.leaves(params):
    largest = np.abs(leaf).max() * fan_in**0.5
    assert 0.95 < largest <= 1


# Convolutions.


def test_factorized_reduction_is_two_interleaved_convolutions():
  x = _images(2, 6, 4, 3)
  params, y = _run(layers.FactorizedReduce(5), x, True)
  kernels = [params[f'Conv_{i}']['kernel'] for i in (0, 1)]
  assert [kernel.shape[-1] for kernel in kernels] == [2, 3]
  expected = np.zeros((2, 3, 2, 5))
  for n, i, j in np.ndindex(2, 3, 2):
    for k, pixel in enumerate((x[n, 2 * i, 2 * j], x[n, 2 * i + 1, 2 * j + 1])):
      columns = slice(0, 2) if k == 0 else slice(2, 5)
      expected[n, i, j, columns] = np.maximum(pixel, 0) @ kernels[k][0, 0]
  np.testing.assert_allclose(y, oracles.batch_norm(expected), atol=1e-4)


def test_factorized_reduction_of_odd_images_keeps_the_last_row_and_column():
  # Beyond the image the shifted half sees zeros.
  x = _images(2, 5, 3, 4)
  padded = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
  for images in (x, padded):
    params, y = _run(layers.FactorizedReduce(6), images, True)
    assert y.shape == (2, 3, 2, 6)
    if images is x:
      expected = params, y
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
    (params, y),
    expected,
  )


def test_dense_adds_its_bias_to_every_row():
  x = _images(4, 3)
  params, y = _run(layers.Dense(5), x)
  expected = x @ np.asarray(params['kernel']) + np.asarray(params['bias'])
  np.testing.assert_allclose(y, expected, atol=1e-6)


# Normalisation.


def _batches(num_batches, *shape):
  """Batches of a population with means (2, -1) and deviations (3, 0.5)."""
  noise = jax.random.normal(jax.random.key(5), (num_batches, *shape, 2))
  deviation, mean = jnp.array([3.0, 0.5]), jnp.array([2.0, -1.0])
  spread = lambda v: jnp.broadcast_to(v, noise.shape)
  return noise * spread(deviation) + spread(mean)


def _train(module, batches):
  """Return the statistics after every batch."""

  @jax.jit
  def train(batches):
    variables = module.init(jax.random.key(0), batches[0], True)

    def step(stats, x):
      _, updates = module.apply(
        variables | {'batch_stats': stats}, x, True, mutable=['batch_stats']
      )
      return updates['batch_stats'], updates['batch_stats']

    return lax.scan(step, variables['batch_stats'], batches)[1]

  return train(batches)


def test_running_statistics_move_by_a_tenth_to_the_unbiased_ones():
  batches = np.asarray(_batches(2, 3, 2, 2))
  stats = _train(layers.BatchNorm(track=True), batches)
  mean, variance = np.zeros(2), np.ones(2)
  for t, batch in enumerate(batches):
    rows = batch.reshape(-1, 2)
    mean = 0.9 * mean + 0.1 * rows.mean(0)
    variance = 0.9 * variance + 0.1 * rows.var(0, ddof=1)
    np.testing.assert_allclose(stats['mean'][t], mean, rtol=1e-4)
    np.testing.assert_allclose(stats['var'][t], variance, rtol=1e-4)


def test_running_statistics_converge_to_those_of_the_population():
  # Two pixels a batch: the biased variance would be half of it.
  stats = _train(
    layers.BatchNorm(track=True, momentum=0.999), _batches(20_000, 1, 2, 1)
  )
  np.testing.assert_allclose(stats['mean'][-1], [2, -1], atol=0.2)
  np.testing.assert_allclose(stats['var'][-1], [9, 0.25], rtol=0.15)


def test_statistics_are_used_and_kept_where_not_training():
  module = layers.BatchNorm(track=True)
  mean, variance = np.array([1.0, -2.0]), np.array([4.0, 0.25])
  scale, bias = np.array([2.0, 3.0]), np.array([-1.0, 0.5])
  x = _images(3, 2, 2, 2)
  variables = {
    'params': {'scale': scale, 'bias': bias},
    'batch_stats': {'mean': mean, 'var': variance},
  }
  variables = jax.tree.map(jnp.float32, variables)
  y, updates = module.apply(variables, x, False, mutable=['batch_stats'])
  expected = (x - mean) / np.sqrt(variance + 1e-5) * scale + bias
  np.testing.assert_allclose(y, expected, atol=1e-5)
  for name in ('mean', 'var'):
    np.testing.assert_array_equal(
      updates['batch_stats'][name], variables['batch_stats'][name]
    )


def test_training_uses_the_batch_whatever_the_statistics_are():
  module = layers.BatchNorm(affine=False, track=True)
  x = _images(3, 2, 2, 2)
  stats = {'mean': jnp.array([7.0, 7.0]), 'var': jnp.array([9.0, 9.0])}
  y = module.apply({'batch_stats': stats}, x, True)
  np.testing.assert_allclose(y, oracles.batch_norm(x), atol=1e-4)


def test_norm_without_statistics_is_a_pure_map():
  module = layers.BatchNorm(affine=False)
  x = _images(3, 2, 2, 2)
  assert not module.init(jax.random.key(0), x, True)
  for train in (True, False):
    y, updates = module.apply({}, x, train, mutable=['batch_stats'])
    assert not updates
    np.testing.assert_allclose(y, oracles.batch_norm(x), atol=1e-4)


def test_the_variance_of_one_pixel_stays_finite():
  stats = _train(layers.BatchNorm(track=True), jnp.ones((1, 1, 1, 1, 2)))
  np.testing.assert_allclose(stats['var'], 0.9, rtol=1e-6)
