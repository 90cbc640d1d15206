"""Tests of the penalties on architectures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import choice
from nasjax.searches import penalties
from nasjax.spaces import darts_cell

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


def test_zero_one_may_leave_out_choices():
  weights = {'op': jnp.array([[0.0, 0.9, 0.2], [0.0, 0.6, 0.7]])}
  mask = {'op': np.array([[False, True, True]] * 2)}
  got = penalties.zero_one(2.0, mask)({}, weights, STEP)
  expected = -2 * (0.4**2 + 0.3**2 + 0.1**2 + 0.2**2) / 4
  np.testing.assert_allclose(got, expected, rtol=1e-6)


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


# Towards a discrete architecture.

# A cell of one node with two inputs, three operations of which one is none.
_TWO_EDGES = np.array([[0.0, 0.2, 0.7], [0.0, 0.4, 0.1]], np.float32)
_DERIVED = np.array([[0, 0, 1], [0, 1, 0]])


def test_proximity_is_the_distance_by_hand():
  arch = {'normal': jnp.array(_TWO_EDGES), 'reduce': jnp.array(_DERIVED) / 2}
  penalty = penalties.proximity(0.4, darts_cell.derive)
  normal = np.sqrt(0.2**2 + 0.3**2 + 0.6**2 + 0.1**2)
  reduce = np.sqrt(0.5**2 + 0.5**2)
  np.testing.assert_allclose(
    penalty({}, arch, STEP), 0.2 * (normal + reduce), rtol=1e-6
  )
  gradient = jax.grad(penalty, 1)({}, arch, STEP)
  np.testing.assert_allclose(
    gradient['normal'], 0.2 * (_TWO_EDGES - _DERIVED) / normal, rtol=1e-5
  )
  squared = penalties.proximity(0.4, darts_cell.derive, squared=True)
  np.testing.assert_allclose(
    squared({}, arch, STEP), 0.2 * (normal**2 + reduce**2), rtol=1e-6
  )


@pytest.mark.parametrize('squared', [False, True])
def test_proximity_has_no_gradient_where_it_is_zero(squared):
  penalty = penalties.proximity(1.0, darts_cell.derive, squared=squared)
  arch = {'normal': jnp.array(_DERIVED, jnp.float32)}
  value, gradient = jax.value_and_grad(penalty, 1)({}, arch, STEP)
  assert value == 0
  np.testing.assert_array_equal(gradient['normal'], 0)


def test_proximity_keeps_two_edges_a_node_or_the_strongest_choices():
  arch = {'normal': jax.random.uniform(jax.random.key(0), (5, 3))}
  derived = penalties.derived_matrix(arch, darts_cell.derive)['normal']
  expected = darts_cell.derive(arch)['normal']
  np.testing.assert_array_equal(derived.argmax(-1), expected)
  np.testing.assert_array_equal(derived.sum(-1), expected > 0)
  assert derived.sum() == 4
  every = penalties.derived_matrix(arch, none=None)['normal']
  np.testing.assert_array_equal(every.sum(-1), 1)
  np.testing.assert_array_equal(every.argmax(-1), arch['normal'].argmax(-1))


def test_adjusted_proximity_spares_the_undecided_at_first():
  cells = np.zeros((2, 5), np.float32)
  cells[0, 1:] = [0.25, 1.0, 1e-6, 0.5]
  cells[1, 1:] = [0.25, 0.25, 0.25, 0.6]
  arch = {'normal': jnp.array(cells)}

  def expected(p):
    total = 0.0
    for row, best in zip(cells, (2, 4)):
      for k in range(1, 5):
        q = 4 * (max(row[k], 1e-4) ** (np.log(2) / np.log(4)) - 0.5) ** 2
        total += ((row[k] - (k == best)) * ((1 - p) * q + p)) ** 2
    return 0.1 * np.sqrt(total)

  penalty = penalties.adjusted_proximity(
    0.2, optax.linear_schedule(0.0, 1.0, 12), darts_cell.derive
  )
  for step, p in ((0, 0.0), (3, 0.25), (12, 1.0)):
    np.testing.assert_allclose(
      penalty({}, arch, jnp.array(step)), expected(p), rtol=1e-5
    )
  plain = penalties.proximity(0.2, darts_cell.derive)
  np.testing.assert_allclose(
    penalty({}, arch, jnp.array(12)), plain({}, arch, STEP), rtol=1e-6
  )
  undecided = {'normal': jnp.full((2, 5), 0.25).at[:, 0].set(0)}
  gradient = jax.grad(penalty, 1)({}, undecided, jnp.array(0))['normal']
  np.testing.assert_allclose(gradient, 0, atol=1e-6)
  assert np.all(np.isfinite(jax.grad(penalty, 1)({}, arch, STEP)['normal']))
