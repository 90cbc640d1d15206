"""Tests of alternating directions towards a discrete architecture."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.searches import admm, penalties
from nasjax.spaces import darts_cell

KEY = jax.random.key(0)


def test_it_finds_the_best_vertex_of_a_convex_function():
  # min (a - c)' A (a - c) / 2 over rows that are one-hot.
  num_rows, num_choices = 2, 3
  size = num_rows * num_choices
  rng = np.random.default_rng(0)
  vertices = np.array(
    [
      np.concatenate([np.eye(num_choices)[k] for k in chosen])
      for chosen in itertools.product(range(num_choices), repeat=num_rows)
    ]
  )
  basis = 0.05 * rng.normal(size=(8, size, size))
  quadratic = np.eye(size) + basis @ basis.transpose(0, 2, 1)
  centre = rng.uniform(-0.2, 1.0, size=(8, size))

  def loss(a, quadratic, centre):
    gap = a['op'].ravel() - centre
    return gap @ quadratic @ gap / 2

  # So many steps between renewals that each minimises exactly.
  optimizer = optax.chain(
    admm.admm(lambda params: params, 3.0, period=60, none=None), optax.sgd(0.1)
  )

  def solve(quadratic, centre):
    def step(carry, _):
      params, state = carry
      gradient = jax.grad(loss)(params, quadratic, centre)
      updates, state = optimizer.update(gradient, state, params)
      return (optax.apply_updates(params, updates), state), state[0].dual['op']

    params = {'op': jnp.full((num_rows, num_choices), 0.5)}
    (params, state), duals = jax.lax.scan(
      step, (params, optimizer.init(params)), length=60 * 80
    )
    return params['op'], state[0].target['op'], jnp.abs(duals).max()

  found, target, largest = jax.jit(jax.vmap(solve))(
    jnp.array(quadratic), jnp.array(centre)
  )
  for i in range(8):
    gaps = vertices - centre[i]
    values = np.einsum('vi,ij,vj->v', gaps, quadratic[i], gaps) / 2
    best = vertices[values.argmin()].reshape(num_rows, num_choices)
    np.testing.assert_array_equal(target[i], best)
  np.testing.assert_allclose(found, target, atol=1e-3)
  assert largest.max() < 2


def _loop(alphas, gradients, rho, period, decay, squared):
  """Descent with rate 1 on clipped weights, by hand."""
  relax = lambda alphas: np.clip(alphas, 0, 1)
  target, dual = relax(alphas), np.zeros_like(alphas)
  for n, gradient in enumerate(gradients):
    weights = relax(alphas)
    on = weights > 0
    if n and n % period == 0:
      target = np.zeros_like(weights)
      for row, summed in zip(target, weights + dual):
        row[1 + summed[1:].argmax()] = 1  # both edges of the node are kept
      dual = (decay * dual + weights - target) * on
    gap = (weights - target + dual) * on
    pull = gap if squared else gap / 2 / max(np.linalg.norm(gap), 1e-30)
    inside = (alphas > 0) & (alphas < 1)
    alphas = alphas - gradient - rho * pull * inside
  return alphas, target, dual


@pytest.mark.parametrize('squared', [False, True])
def test_it_equals_a_loop_that_renews_every_few_architecture_steps(squared):
  rng = np.random.default_rng(0)
  alphas = rng.uniform(0.1, 0.9, (2, 4)).astype(np.float32)
  alphas[:, 0] = 0  # pruned
  gradients = 0.05 * rng.normal(size=(11, 2, 4)).astype(np.float32)
  gradients[:, :, 0] = 0
  relax = lambda params: jax.tree.map(lambda a: jnp.clip(a, 0, 1), params)
  optimizer = optax.chain(
    admm.admm(relax, 0.05, 3, 0.5, darts_cell.derive, squared=squared),
    optax.sgd(1.0),
  )
  params = {'normal': jnp.array(alphas)}
  state, update = optimizer.init(params), jax.jit(optimizer.update)
  np.testing.assert_array_equal(state[0].target['normal'], alphas)
  for gradient in gradients:
    updates, state = update({'normal': gradient}, state, params)
    params = optax.apply_updates(params, updates)
  expected = _loop(alphas, gradients, 0.05, 3, 0.5, squared)
  got = (params['normal'], state[0].target['normal'], state[0].dual['normal'])
  for a, b in zip(got, expected):
    np.testing.assert_allclose(a, b, atol=1e-6)
  assert np.any(expected[2] != 0) and np.all(expected[2][:, 0] == 0)


def test_at_the_derived_architecture_it_adds_nothing_and_no_nan():
  params = {'normal': jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])}
  transformation = admm.admm(
    lambda params: params, derive=darts_cell.derive, squared=False
  )
  zeros = jax.tree.map(jnp.zeros_like, params)
  updates, _ = transformation.update(zeros, transformation.init(params), params)
  np.testing.assert_array_equal(updates['normal'], 0)
  assert penalties.length(zeros) == 0


def test_mistakes_are_errors():
  with pytest.raises(ValueError, match='period must be at least 1, got 0'):
    admm.admm(lambda params: params, period=0)
  transformation = admm.admm(lambda params: params)
  with pytest.raises(ValueError, match='needs the parameters'):
    transformation.update({}, transformation.init({'op': jnp.ones((1, 2))}))
