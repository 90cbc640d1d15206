"""Tests for the straight-through relaxation."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import gumbel, straight_through
from nasjax.spaces import categorical

_LOGITS = {'op': jnp.array([[0.5, -1.0, 0.0, 1.0], [0.0, 0.0, 2.0, -3.0]])}


def _space():
  return categorical.categorical({'op': (2, 4)})


def _params(temperature):
  return gumbel.GumbelParams(_LOGITS, jnp.float32(temperature))


class StraightThroughTest(chex.TestCase):
  def test_forward_is_exactly_the_hardened_gumbel_sample(self):
    hard = straight_through.straight_through(_space())
    soft = gumbel.gumbel(_space())
    keys = jax.random.split(jax.random.key(0), 500)
    draw = lambda d: jax.jit(jax.vmap(d.sample, (0, None)))(keys, _params(2.0))
    archs, relaxed = draw(hard)['op'], draw(soft)['op']
    self.assertTrue(jnp.all((archs == 0) | (archs == 1)))
    np.testing.assert_array_equal(jnp.sum(archs, -1), 1.0)
    np.testing.assert_array_equal(
      jnp.argmax(archs, -1), jnp.argmax(relaxed, -1)
    )

  def test_gradient_is_that_of_the_gumbel_softmax(self):
    key = jax.random.key(1)
    costs = jax.random.normal(jax.random.key(2), (2, 4))
    gradients = [
      jax.jit(
        jax.grad(
          lambda params, d=d: jnp.sum(costs * d.sample(key, params)['op'])
        )
      )(_params(2.0))
      for d in (
        straight_through.straight_through(_space()),
        gumbel.gumbel(_space()),
      )
    ]
    chex.assert_trees_all_close(*gradients, atol=1e-6)

  def test_drawn_only_passes_the_gradient_of_the_drawn_weight_alone(self):
    key = jax.random.key(1)
    costs = jax.random.normal(jax.random.key(2), (2, 4))
    drawn = straight_through.straight_through(_space(), drawn_only=True)
    full = straight_through.straight_through(_space())
    arch = drawn.sample(key, _params(2.0))['op']
    np.testing.assert_array_equal(arch, full.sample(key, _params(2.0))['op'])
    loss = lambda params, d, c: jnp.sum(c * d.sample(key, params)['op'])
    chex.assert_trees_all_close(
      jax.grad(loss)(_params(2.0), drawn, costs),
      jax.grad(loss)(_params(2.0), full, costs * arch),
      atol=1e-6,
    )

  def test_paper_temperature_is_the_default(self):
    params = straight_through.straight_through(_space()).init(jax.random.key(0))
    self.assertEqual(float(params.temperature), 10.0)


if __name__ == '__main__':
  absltest.main()
