"""Tests for the edge-normalised relaxation."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import edge_normalised, softmax
from nasjax.spaces import darts_cell


def _distribution():
  return edge_normalised.edge_normalised(
    darts_cell.darts_cell(), darts_cell.edges()[1], derive=darts_cell.derive
  )


class EdgeNormalisedTest(chex.TestCase):
  def test_edge_weights_are_a_softmax_over_each_nodes_inputs(self):
    logits = 5 * jax.random.normal(jax.random.key(0), (14,))
    targets = np.asarray(darts_cell.edges()[1])
    weights = edge_normalised.edge_weights(logits, targets)
    for target in range(2, 6):
      np.testing.assert_allclose(
        weights[targets == target],
        jax.nn.softmax(logits[targets == target]),
        rtol=1e-5,
      )

  def test_equal_edges_scale_the_softmax_by_one_over_the_inputs(self):
    distribution = _distribution()
    params = distribution.init(jax.random.key(0))
    params = params._replace(edges=jax.tree.map(jnp.ones_like, params.edges))
    arch = distribution.sample(jax.random.key(0), params)
    plain = softmax.softmax(darts_cell.darts_cell()).sample(
      jax.random.key(0), params.operations
    )
    inputs = np.repeat([2, 3, 4, 5], [2, 3, 4, 5])[:, None]
    chex.assert_trees_all_close(
      arch, jax.tree.map(lambda leaf: leaf / inputs, plain), rtol=1e-6
    )

  def test_gradient_with_respect_to_the_edges_is_the_closed_form(self):
    distribution = _distribution()
    params = distribution.init(jax.random.key(0))
    costs = jax.random.normal(jax.random.key(1), (14, 8))

    def loss(params):
      arch = distribution.sample(jax.random.key(0), params)
      return jnp.sum(costs * arch['normal'])

    gradient = jax.jit(jax.grad(loss))(params).edges
    targets = np.asarray(darts_cell.edges()[1])
    cost = jnp.sum(costs * jax.nn.softmax(params.operations['normal']), -1)
    beta = edge_normalised.edge_weights(params.edges['normal'], targets)
    mean = np.array(
      [np.sum((beta * cost)[targets == target]) for target in targets]
    )
    np.testing.assert_allclose(
      gradient['normal'], beta * (cost - mean), atol=1e-5
    )
    np.testing.assert_array_equal(gradient['reduce'], 0.0)

  def test_edge_weights_decide_which_edges_the_mode_keeps(self):
    distribution = _distribution()
    params = distribution.init(jax.random.key(0))
    strong = jnp.zeros(14).at[jnp.array([2, 4, 7, 8, 9, 12])].set(3.0)
    params = params._replace(
      edges={'normal': strong, 'reduce': params.edges['reduce']}
    )
    arch = jax.jit(distribution.mode)(params)
    np.testing.assert_array_equal(
      np.flatnonzero(arch['normal']), [0, 1, 2, 4, 7, 8, 9, 12]
    )

  def test_another_number_of_edges_is_a_value_error(self):
    with self.assertRaisesRegex(ValueError, r'5 targets .* shape \(14, 8\)'):
      edge_normalised.edge_normalised(
        darts_cell.darts_cell(), darts_cell.edges(2)[1]
      )


if __name__ == '__main__':
  absltest.main()
