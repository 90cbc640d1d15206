"""Tests for Gaussian processes: against dense algebra in double precision."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import gaussian_process as gp
from nasjax.estimators import graph_kernels
from nasjax.spaces import categorical

_SPACE = categorical.categorical({'op': (5, 3)})
_KERNEL = graph_kernels.hamming(_SPACE, (1.0, 3.0))
_NOISES = (1e-3, 1e-1)
_predict = jax.jit(functools.partial(gp.predict, _KERNEL))


def _dense(gram, cross, prior, y, noise):
  """Mean, variance and likelihood by the inverse and the determinant."""
  covariance = gram + noise * np.eye(len(y))
  inverse = np.linalg.inv(covariance)
  likelihood = (
    -y @ inverse @ y / 2
    - np.linalg.slogdet(covariance)[1] / 2
    - len(y) * np.log(2 * np.pi) / 2
  )
  variance = prior - np.einsum('mi,ij,mj->m', cross, inverse, cross)
  return cross @ inverse @ y, variance, likelihood


def _problem(size=12, known=9, points=5):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(size + points, 3))
  squares = np.sum((x[:, None] - x[None]) ** 2, -1)
  gram = np.exp(-squares / 2)
  mask = np.isin(np.arange(size), rng.permutation(size)[:known])
  return gram, rng.normal(size=size), mask


@pytest.mark.parametrize(
  'dtype, tolerance', [(np.float32, 1e-5), (np.float64, 1e-9)]
)
def test_posterior_and_likelihood_are_those_of_dense_algebra(dtype, tolerance):
  gram, y, known = _problem()
  size, noise = len(y), 0.05
  with jax.enable_x64(dtype == np.float64):
    square, cross, prior, targets = (
      jnp.asarray(x, dtype)
      for x in (
        gram[:size, :size],
        gram[size:, :size],
        np.diag(gram)[size:],
        np.where(known, y, np.inf),
      )
    )
    cholesky, weights, likelihood = gp.condition(
      square, targets, known, dtype(noise)
    )
    mean, variance = gp.posterior(cholesky, weights, known, cross, prior)
    results = [np.asarray(x) for x in (mean, variance, likelihood)]
  assert results[0].dtype == dtype
  expected = _dense(
    gram[:size, :size][known][:, known],
    gram[size:, :size][:, known],
    np.diag(gram)[size:],
    y[known],
    noise,
  )
  for actual, wanted in zip(results, expected):
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


def _told(num, capacity, seed=0):
  archs = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(seed), num))
  rng = np.random.default_rng(seed)
  values = 90 + 3 * np.sum(archs['op'] == 1, 1) + rng.normal(size=num)
  told = archive.create(_SPACE.sample(jax.random.key(5)), capacity)
  return archive.add(told, archs, jnp.asarray(values)), values


def _kernel_oracle(a, b, lengthscale):
  return np.exp(-np.sum(a[:, None] != b[None], -1) / lengthscale)


def test_a_fit_takes_the_most_likely_setting_and_predicts_from_it():
  told, values = _told(10, capacity=14)
  model = gp.gaussian_process(_SPACE, _KERNEL, 14, _NOISES)
  state, metrics = jax.jit(model.update)(jax.random.key(0), None, told)
  others = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(8), 6))
  mean, std = _predict(state, others)

  x, points = np.asarray(told.archs['op'])[:10], np.asarray(others['op'])
  y = (values - values.mean()) / values.std()
  results = {}
  for lengthscale in (1.0, 3.0):
    for noise in _NOISES:
      results[lengthscale, noise] = _dense(
        _kernel_oracle(x, x, lengthscale),
        _kernel_oracle(points, x, lengthscale),
        np.ones(6),
        y,
        noise,
      )
  chosen = max(results, key=lambda setting: results[setting][2])
  best = results[chosen]
  assert (float(state.setting), float(state.noise)) == pytest.approx(chosen)
  np.testing.assert_allclose(metrics['log_likelihood'], best[2], rtol=1e-4)
  np.testing.assert_allclose(
    mean, values.mean() + values.std() * best[0], rtol=1e-5
  )
  np.testing.assert_allclose(
    std, values.std() * np.sqrt(best[1]), rtol=1e-3, atol=1e-4
  )
  one = jax.tree.map(lambda leaf: leaf[2], others)
  np.testing.assert_allclose(
    model.score(jax.random.key(0), state, one), mean[2], rtol=1e-5
  )


def test_empty_slots_and_failures_change_nothing():
  told, values = _told(8, capacity=8)
  more = archive.create(_SPACE.sample(jax.random.key(6)), 12)
  more = archive.add(more, told.archs, jnp.asarray(values))
  failed = jax.tree.map(lambda leaf: leaf[:2], told.archs)
  more = archive.add(more, failed, jnp.array([jnp.nan, jnp.inf]))
  predictions = []
  for batch in (told, more):
    capacity = archive.capacity(batch)
    model = gp.gaussian_process(_SPACE, _KERNEL, capacity, _NOISES)
    state, _ = jax.jit(model.update)(jax.random.key(0), None, batch)
    predictions.append(_predict(state, told.archs))
  np.testing.assert_allclose(predictions[0], predictions[1], rtol=1e-4)


def test_nothing_known_is_the_prior_and_equal_values_are_a_constant():
  model = gp.gaussian_process(_SPACE, _KERNEL, 4)
  archs = _told(3, 4)[0].archs
  mean, std = _predict(jax.jit(model.init)(jax.random.key(0)), archs)
  np.testing.assert_array_equal(mean, 0.0)
  np.testing.assert_array_equal(std, 1.0)
  told, _ = _told(3, 4)
  told = told._replace(values=jnp.where(told.values > 0, 7.0, -jnp.inf))
  state, _ = jax.jit(model.update)(jax.random.key(0), None, told)
  mean, _ = _predict(state, archs)
  np.testing.assert_allclose(mean, 7.0, rtol=1e-6)


def test_a_transformation_is_what_is_modelled():
  told, values = _told(10, capacity=10)
  transform = gp.negative_log_error(120.0)
  plain = gp.gaussian_process(_SPACE, _KERNEL, 10)
  model = gp.gaussian_process(_SPACE, _KERNEL, 10, transform=transform)
  state, _ = jax.jit(model.update)(jax.random.key(0), None, told)
  expected, _ = jax.jit(plain.update)(
    jax.random.key(0),
    None,
    told._replace(values=jnp.asarray(-np.log(120.0 - values), jnp.float32)),
  )
  np.testing.assert_allclose(state.weights, expected.weights, rtol=1e-4)
  np.testing.assert_allclose(state.mean, -np.mean(np.log(120 - values)), 1e-5)


def test_mistakes_are_refused():
  with pytest.raises(ValueError, match='noises are positive'):
    gp.gaussian_process(_SPACE, _KERNEL, 4, noises=(0.0,))
  model = gp.gaussian_process(_SPACE, _KERNEL, 4)
  with pytest.raises(ValueError, match='archive of 4 slots'):
    model.update(jax.random.key(0), None, _told(3, 5)[0])
