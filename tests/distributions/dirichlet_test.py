"""Tests of the Dirichlet relaxation against moments in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from nasjax.distributions import dirichlet, masked
from nasjax.spaces import categorical

SPACE = categorical.categorical({'op': (2, 4)})
ALPHA = np.array([[0.5, -1.0, 2.0, 0.0], [-2.0, 1.0, 0.3, -0.4]], np.float32)
NUM_SAMPLES = 20_000


def _concentration():
  return np.where(ALPHA > 0, ALPHA + 1, np.exp(ALPHA))


def test_samples_have_the_mean_and_the_second_moment():
  distribution = dirichlet.dirichlet(SPACE)
  keys = jax.random.split(jax.random.key(0), NUM_SAMPLES)
  sample = jax.vmap(lambda key: distribution.sample(key, {'op': ALPHA})['op'])
  samples = np.asarray(jax.jit(sample)(keys))
  c = _concentration()
  total = c.sum(-1, keepdims=True)
  np.testing.assert_allclose(samples.sum(-1), 1, rtol=1e-5)
  np.testing.assert_allclose(samples.mean(0), c / total, atol=0.01)
  second = c * (c + 1) / (total * (total + 1))
  np.testing.assert_allclose((samples**2).mean(0), second, atol=0.01)


def test_mean_gradient_is_that_of_the_moments():
  distribution = dirichlet.dirichlet(SPACE)
  costs = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]], np.float32)

  def sampled(alpha, key):
    weights = distribution.sample(key, {'op': alpha})['op']
    return jnp.sum(costs * weights) + jnp.sum(costs * weights**2)

  def expected(alpha):
    c = jax.nn.elu(alpha) + 1
    total = jnp.sum(c, -1, keepdims=True)
    second = c * (c + 1) / (total * (total + 1))
    return jnp.sum(costs * c / total) + jnp.sum(costs * second)

  keys = jax.random.split(jax.random.key(1), NUM_SAMPLES)
  gradients = jax.jit(jax.vmap(jax.grad(sampled), (None, 0)))(ALPHA, keys)
  error = np.std(gradients, 0) / np.sqrt(NUM_SAMPLES)
  exact = jax.grad(expected)(jnp.asarray(ALPHA))
  assert np.all(np.abs(np.mean(gradients, 0) - exact) < 4 * error + 1e-6)


def test_divergence_from_the_uniform_is_that_of_scipy():
  # KL(Dir(c) || Dir(1)) is minus the entropy minus log Gamma(K).
  rows = [
    -stats.dirichlet(c).entropy() - special.gammaln(4) for c in _concentration()
  ]
  got = jax.jit(dirichlet.divergence)({'op': ALPHA})
  np.testing.assert_allclose(got, sum(rows), rtol=1e-4)
  assert abs(dirichlet.divergence({'op': np.zeros((2, 4))})) < 1e-5
  gradient = jax.grad(dirichlet.divergence)({'op': jnp.zeros((2, 4))})
  np.testing.assert_allclose(gradient['op'], 0, atol=1e-5)


def test_masked_options_are_as_if_they_were_not_there():
  mask = np.array([[True, False, True, True], [False, True, True, False]])
  logits = {'op': jnp.where(mask, ALPHA, -jnp.inf)}
  rows = [
    -stats.dirichlet(c[allowed]).entropy() - special.gammaln(allowed.sum())
    for c, allowed in zip(_concentration(), mask)
  ]
  value, gradient = jax.value_and_grad(dirichlet.divergence)(logits)
  np.testing.assert_allclose(value, sum(rows), rtol=1e-4)
  assert np.all(np.isfinite(gradient['op']))

  relaxed = masked.masked(dirichlet.dirichlet(SPACE), {'op': mask})

  def first(alpha):
    return relaxed.sample(jax.random.key(0), {'op': alpha})['op']

  weights, jacobian = jax.jit(lambda a: (first(a), jax.jacrev(first)(a)))(ALPHA)
  np.testing.assert_array_equal(weights == 0, ~mask)
  np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
  assert np.all(np.isfinite(jacobian))
  assert np.all(np.moveaxis(jacobian, (2, 3), (0, 1))[~mask] == 0)
