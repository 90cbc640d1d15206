"""Tests for the softmax relaxation."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import softmax
from nasjax.spaces import categorical, darts_cell


class SoftmaxTest(chex.TestCase):
  def test_jacobian_is_the_closed_form(self):
    distribution = softmax.softmax(categorical.categorical({'op': (1, 4)}))
    logits = jax.random.normal(jax.random.key(0), (1, 4))

    def sample(logits):
      return distribution.sample(jax.random.key(0), {'op': logits})['op'][0]

    jacobian = jax.jit(jax.jacobian(sample))(logits)[:, 0]
    p = np.exp(np.asarray(logits[0], np.float64))
    p /= p.sum()
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), atol=1e-6)

  def test_adding_a_constant_to_a_row_changes_nothing(self):
    space = darts_cell.darts_cell()
    distribution = softmax.softmax(space, derive=darts_cell.derive)
    logits = softmax.softmax(space, init_scale=1.0).init(jax.random.key(0))
    shift = jax.random.normal(jax.random.key(1), (14, 1))
    shifted = jax.tree.map(lambda leaf: leaf + shift, logits)
    archs = [
      distribution.sample(jax.random.key(0), params)
      for params in (logits, shifted)
    ]
    chex.assert_trees_all_close(*archs, atol=1e-6)
    chex.assert_trees_all_equal(
      distribution.mode(logits), distribution.mode(shifted)
    )

  def test_derived_modes_stay_in_a_restricted_cell_space(self):
    mask = {name: np.ones((14, 8), bool) for name in ('normal', 'reduce')}
    mask['normal'][:, 1:5] = False
    mask['reduce'][3, 1:] = False  # an edge without operations
    space = darts_cell.darts_cell(mask)
    distribution = softmax.softmax(
      space, init_scale=100.0, derive=darts_cell.derive
    )
    modes = jax.jit(
      jax.vmap(lambda key: distribution.mode(distribution.init(key)))
    )(jax.random.split(jax.random.key(0), 20))
    inside = jax.jit(jax.vmap(lambda a: darts_cell.contains(a, mask)))(modes)
    self.assertTrue(jnp.all(inside))


if __name__ == '__main__':
  absltest.main()
