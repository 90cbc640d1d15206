"""Tests for the concrete relaxation."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import gumbel
from nasjax.spaces import categorical

_LOGITS = {'op': jnp.array([[0.5, -1.0, 0.0, 1.0], [0.0, 0.0, 2.0, -3.0]])}


def _space():
  return categorical.categorical({'op': (2, 4)})


def _params(temperature):
  return gumbel.GumbelParams(_LOGITS, jnp.float32(temperature))


class GumbelTest(chex.TestCase):
  def test_largest_weight_is_distributed_as_softmax_at_any_temperature(self):
    distribution = gumbel.gumbel(_space())
    keys = jax.random.split(jax.random.key(0), 20_000)
    sample = jax.jit(jax.vmap(distribution.sample, (0, None)))
    for temperature in (0.1, 5.0):
      archs = sample(keys, _params(temperature))['op']
      np.testing.assert_allclose(jnp.sum(archs, -1), 1.0, rtol=1e-5)
      frequency = np.stack(
        [np.mean(np.argmax(archs, -1) == k, axis=0) for k in range(4)], -1
      )
      # Four standard errors of a frequency at most.
      np.testing.assert_allclose(
        frequency, jax.nn.softmax(_LOGITS['op']), atol=4 * 0.5 / 20_000**0.5
      )

  def test_low_temperatures_are_nearly_one_hot_and_high_ones_uniform(self):
    distribution = gumbel.gumbel(_space())
    key = jax.random.key(0)
    cold = distribution.sample(key, _params(1e-3))['op']
    np.testing.assert_allclose(jnp.max(cold, -1), 1.0, rtol=1e-4)
    hot = distribution.sample(key, _params(1e5))['op']
    np.testing.assert_allclose(hot, 0.25, atol=1e-3)

  def test_gradient_is_the_closed_form_and_skips_the_temperature(self):
    distribution = gumbel.gumbel(_space())
    key, tau = jax.random.key(1), 0.7
    costs = jax.random.normal(jax.random.key(2), (2, 4))

    def loss(params):
      return jnp.sum(costs * distribution.sample(key, params)['op'])

    gradient = jax.jit(jax.grad(loss))(_params(tau))
    z = distribution.sample(key, _params(tau))['op']
    # (1 / tau) z_k (c_k - sum_m z_m c_m), the SNAS credit of an operation.
    expected = z * (costs - jnp.sum(z * costs, -1, keepdims=True)) / tau
    np.testing.assert_allclose(gradient.logits['op'], expected, atol=1e-5)
    self.assertEqual(float(gradient.temperature), 0.0)

  def test_init_holds_the_temperature(self):
    params = gumbel.gumbel(_space(), temperature=3.0).init(jax.random.key(0))
    self.assertEqual(float(params.temperature), 3.0)

  def test_annealing_sets_the_temperature_alone(self):
    anneal = gumbel.anneal(lambda step: 1 - step / 10)
    params = jax.jit(anneal)(_params(1.0), jnp.int32(4))
    np.testing.assert_allclose(params.temperature, 0.6, rtol=1e-6)
    chex.assert_trees_all_equal_dtypes(params, _params(1.0))
    chex.assert_trees_all_equal(params.logits, _LOGITS)


if __name__ == '__main__':
  absltest.main()
