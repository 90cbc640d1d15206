"""Tests of the penalties on architectures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import choice
from nasjax.searches import penalties

STEP = jnp.array(3)


def _rows():
  rows = jax.nn.softmax(jax.random.normal(jax.random.key(0), (7, 4)))
  return {'normal': rows[:3], 'reduce': rows[3:]}


def test_expected_cost_is_the_mean_over_sampled_architectures():
  table = jnp.array([0.0, 2.0, 5.0, 7.0])
  arch = _rows()

  def cost(arch):
    return sum(
      choice.select(c, table) for leaf in jax.tree.leaves(arch) for c in leaf
    )

  got = penalties.expected_cost(cost, 0.1, target=20.0)({}, arch, STEP)
  expected = sum(
    p * t
    for leaf in arch.values()
    for row in np.asarray(leaf)
    for p, t in zip(row, [0, 2, 5, 7])
  )
  np.testing.assert_allclose(got, 0.1 * (expected - 20) / 20, rtol=1e-5)


def test_descent_on_expected_cost_finds_the_cheapest_operation():
  table = jnp.array([3.0, 1.0, 2.0])
  penalty = penalties.expected_cost(
    lambda arch: jnp.sum(arch @ table), weight=1.0
  )
  logits = jnp.zeros((4, 3))
  gradient = jax.grad(lambda a: penalty(a, jax.nn.softmax(a), STEP))(logits)
  np.testing.assert_array_equal(jnp.argmin(gradient, -1), [1, 1, 1, 1])
  # sum_o T_o p_o (delta_ok - p_k)
  np.testing.assert_allclose(gradient[0], [1 / 3, -1 / 3, 0], atol=1e-6)


def test_entropy_is_the_mean_over_decisions_in_nats():
  penalty = penalties.entropy(2.0)
  uniform = {'a': jnp.full((3, 4), 0.25), 'b': jnp.full((1, 2), 0.5)}
  expected = 2 * (3 * np.log(4) + np.log(2)) / 4
  np.testing.assert_allclose(penalty({}, uniform, STEP), expected, rtol=1e-6)
  decided = {'a': jnp.eye(4)}
  assert penalty({}, decided, STEP) == 0


def test_l2_has_the_gradient_of_weight_decay():
  penalty = penalties.l2(0.3)
  params = {'a': jnp.array([1.0, -2.0]), 'b': jnp.array([[3.0]])}
  gradient = jax.grad(penalty)(params, {}, STEP)
  for name, leaf in params.items():
    np.testing.assert_allclose(gradient[name], 0.3 * leaf, rtol=1e-6)


def test_zero_one_pushes_outwards_and_is_still_at_a_half():
  penalty = penalties.zero_one()

  def loss(alphas):
    return penalty(alphas, {'op': jax.nn.sigmoid(alphas)}, STEP)

  alphas = jnp.array([-50.0, -1.0, 0.0, 1.0, 50.0])
  gradient = jax.grad(loss)(alphas)
  assert gradient[2] == 0
  assert gradient[1] > 0 > gradient[3]  # descent moves away from a half
  np.testing.assert_allclose(loss(jnp.zeros(5)), 0)
  np.testing.assert_allclose(loss(jnp.full(5, 50.0)), 10 * -0.25)


@pytest.mark.parametrize(
  'factory',
  [
    lambda weight: penalties.expected_cost(jnp.sum, weight, 0.7),
    penalties.entropy,
    penalties.l2,
    penalties.zero_one,
  ],
)
def test_a_weight_may_be_a_schedule_of_the_step(factory):
  params, arch = jnp.array([0.3, 0.9]), jnp.array([[0.2, 0.8]])
  schedule = optax.linear_schedule(0.0, 1.0, 4)
  scheduled = factory(schedule)(params, arch, STEP)
  np.testing.assert_allclose(
    scheduled, factory(0.75)(params, arch, STEP), rtol=1e-6
  )
  assert scheduled != factory(1.0)(params, arch, STEP)
