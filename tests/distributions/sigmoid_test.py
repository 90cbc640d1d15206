"""Tests for the sigmoid relaxation."""

import itertools

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import sigmoid
from nasjax.spaces import categorical, darts_cell


class SigmoidTest(chex.TestCase):
  def test_weights_start_at_one_half_and_do_not_compete(self):
    distribution = sigmoid.sigmoid(categorical.categorical({'op': (2, 3)}))
    params = distribution.init(jax.random.key(0))
    sample = lambda p: distribution.sample(jax.random.key(0), p)['op']
    np.testing.assert_array_equal(sample(params), 0.5)
    jacobian = jax.jit(jax.jacobian(sample))(params)['op'].reshape(6, 6)
    np.testing.assert_allclose(jacobian, 0.25 * np.eye(6), atol=1e-7)

  def test_log_prob_is_that_of_exactly_one_choice_on(self):
    distribution = sigmoid.sigmoid(categorical.categorical({'op': (1, 3)}))
    logits = {'op': jnp.array([[0.3, -1.2, 2.0]])}
    on = 1 / (1 + np.exp(-np.asarray(logits['op'][0], np.float64)))
    subsets = {
      bits: np.prod([p if bit else 1 - p for p, bit in zip(on, bits)])
      for bits in itertools.product((0, 1), repeat=3)
    }
    np.testing.assert_allclose(sum(subsets.values()), 1.0)
    for k in range(3):
      bits = tuple(int(j == k) for j in range(3))
      np.testing.assert_allclose(
        jnp.exp(distribution.log_prob(logits, {'op': jnp.array([k])})),
        subsets[bits],
        rtol=1e-5,
      )

  def test_mode_keeps_two_inputs_a_node_above_the_threshold(self):
    mask = {name: np.ones((14, 8), bool) for name in ('normal', 'reduce')}
    for leaf in mask.values():
      leaf[:, 0] = False  # the paper's seven operations
    distribution = sigmoid.sigmoid(
      darts_cell.darts_cell(mask), derive=darts_cell.derive, threshold=0.85
    )
    logits = {name: np.full((14, 8), -2.0, np.float32) for name in mask}
    for edge, op, value in (
      (0, 3, 3.0),
      (1, 4, 1.0),
      (2, 5, 2.0),
      (3, 6, 2.5),
      (4, 7, 4.0),
    ):
      logits['normal'][edge, op] = value  # sigmoid(1) = 0.73, sigmoid(2) = 0.88
    arch = jax.jit(distribution.mode)(logits)
    expected = np.zeros(14, int)
    expected[[0, 3, 4]] = 3, 6, 7
    np.testing.assert_array_equal(arch['normal'], expected)
    np.testing.assert_array_equal(arch['reduce'], 0)


if __name__ == '__main__':
  absltest.main()
