"""Tests of the hypergradients against closed forms and against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.searches import hypergradients

ONE_STEP = {
  'exact': hypergradients.exact(),
  'finite_difference': hypergradients.finite_difference(),
  'unrolled': hypergradients.unrolled(1),
}
IMPLICIT = {
  'unrolled': hypergradients.unrolled(200),
  'neumann': hypergradients.neumann(200, 0.2),
  'conjugate_gradient': hypergradients.conjugate_gradient(50),
}


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


def _scalar_losses():
  """The example of figure 2 of the DARTS paper."""
  train = lambda w, a: w**2 - 2 * a * w + a**2
  valid = lambda w, a: (a * w - 2 * a + 1, {})
  return train, valid


def _quadratic():
  """L_train = w A w / 2 - w B a and L_val = |w - c|^2 / 2."""
  rng = np.random.default_rng(0)
  root = rng.normal(size=(4, 4))
  a = np.eye(4) + root @ root.T / 4
  b, c = rng.normal(size=(4, 3)), rng.normal(size=4)
  train = lambda w, x: w @ a @ w / 2 - w @ b @ x
  valid = lambda w, x: (jnp.sum((w - c) ** 2) / 2, {})
  return a, b, c, train, valid


def _network_losses():
  """A mixture of two smooth layers, on fixed random data."""
  rng = np.random.default_rng(1)
  x, y = rng.normal(size=(2, 16, 5)), rng.normal(size=(2, 16))
  weights = {
    'gelu': rng.normal(size=(5, 6)) / 2,
    'tanh': rng.normal(size=(5, 6)) / 2,
    'out': rng.normal(size=6),
  }
  weights = jax.tree.map(jnp.asarray, weights)
  alphas = jnp.asarray(rng.normal(size=2))

  def loss(part, weights, alphas):
    p = jax.nn.softmax(alphas)
    hidden = p[0] * jax.nn.gelu(x[part] @ weights['gelu']) + p[1] * jnp.tanh(
      x[part] @ weights['tanh']
    )
    return jnp.mean((hidden @ weights['out'] - y[part]) ** 2)

  train = lambda w, a: loss(0, w, a)
  valid = lambda w, a: (loss(1, w, a), {'twice': 2 * loss(1, w, a)})
  return train, valid, weights, alphas


def _gradient(hypergradient, losses, weights, alphas, optimizer, state=None):
  state = optimizer.init(weights) if state is None else state
  return jax.jit(lambda w, a, s: hypergradient(*losses, w, a, optimizer, s))(
    weights, alphas, state
  )


@pytest.mark.parametrize('name', ONE_STEP)
def test_one_step_gradients_reproduce_the_scalar_example(name):
  def gradient(xi):
    optimizer = optax.sgd(xi)
    w, a = jnp.array(-2.0), jnp.array(2.0)
    return ONE_STEP[name](
      *_scalar_losses(), w, a, optimizer, optimizer.init(w)
    )[1]

  gradients = jax.vmap(gradient)(jnp.array([0, 0.01, 0.1, 0.5, 0.7]))
  np.testing.assert_allclose(
    gradients, [-4, -3.88, -2.8, 2.0, 4.4], rtol=0, atol=1e-11
  )


def test_first_order_is_the_partial_gradient_at_the_current_weights():
  (value, _), gradient = _gradient(
    hypergradients.first_order(),
    _scalar_losses(),
    jnp.array(-2.0),
    jnp.array(2.0),
    optax.sgd(0.7),
  )
  assert gradient == -4
  assert value == -7  # L_val at w, not at w'


@pytest.mark.parametrize('name', ONE_STEP)
def test_momentum_and_weight_decay_enter_the_unrolled_step_alone(name):
  a, b, c, train, valid = _quadratic()
  xi, momentum, decay = 0.1, 0.9, 0.03
  optimizer = optax.chain(
    optax.add_decayed_weights(decay), optax.sgd(xi, momentum=momentum)
  )
  rng = np.random.default_rng(2)
  w, x, buffer = rng.normal(size=4), rng.normal(size=3), rng.normal(size=4)
  state = optimizer.init(jnp.asarray(w))
  state = optax.tree.set(state, trace=jnp.asarray(buffer))
  (value, _), gradient = _gradient(
    ONE_STEP[name],
    (train, valid),
    jnp.asarray(w),
    jnp.asarray(x),
    optimizer,
    state,
  )
  unrolled = w - xi * (momentum * buffer + a @ w - b @ x + decay * w)
  np.testing.assert_allclose(value, np.sum((unrolled - c) ** 2) / 2, rtol=1e-12)
  np.testing.assert_allclose(gradient, xi * b.T @ (unrolled - c), rtol=1e-9)


@pytest.mark.parametrize('name', IMPLICIT)
def test_many_steps_and_implicit_forms_reach_the_infinite_horizon(name):
  a, b, c, train, valid = _quadratic()
  x = jnp.array([1.0, -0.5, 2.0])
  minimum = np.linalg.solve(a, b @ x)
  expected = b.T @ np.linalg.solve(a, minimum - c)
  start = jnp.zeros(4) if name == 'unrolled' else jnp.asarray(minimum)
  _, gradient = _gradient(
    IMPLICIT[name], (train, valid), start, x, optax.sgd(0.2)
  )
  np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_neumann_series_of_one_term_scales_the_gradient():
  a, b, c, train, valid = _quadratic()
  x = jnp.array([1.0, -0.5, 2.0])
  w = jnp.arange(4.0)
  _, gradient = _gradient(
    hypergradients.neumann(1, 0.3), (train, valid), w, x, optax.sgd(0.1)
  )
  np.testing.assert_allclose(gradient, 0.3 * b.T @ (w - c), rtol=1e-10)


def test_damping_shifts_the_hessian_of_conjugate_gradients():
  a, b, c, train, valid = _quadratic()
  x = jnp.array([1.0, -0.5, 2.0])
  w = jnp.arange(4.0)
  _, gradient = _gradient(
    hypergradients.conjugate_gradient(20, damping=0.7),
    (train, valid),
    w,
    x,
    optax.sgd(0.1),
  )
  expected = b.T @ np.linalg.solve(a + 0.7 * np.eye(4), w - c)
  np.testing.assert_allclose(gradient, expected, rtol=1e-8)


@pytest.mark.parametrize(
  'optimizer',
  [
    optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.5, 0.9)),
    optax.adam(0.1),
  ],
  ids=['sgd', 'adam'],
)
def test_exact_equals_differentiation_through_the_update(optimizer):
  *losses, weights, alphas = _network_losses()
  state = optimizer.init(weights)
  gradient = jax.jit(jax.grad(losses[0]))(weights, alphas)
  _, state = jax.jit(optimizer.update)(gradient, state, weights)  # in use
  results = [
    _gradient(ONE_STEP[name], losses, weights, alphas, optimizer, state)
    for name in ('exact', 'unrolled')
  ]
  for (value, aux), gradient in results[1:]:
    np.testing.assert_allclose(gradient, results[0][1], rtol=1e-10)
    np.testing.assert_allclose(value, results[0][0][0], rtol=1e-12)
    np.testing.assert_allclose(aux['twice'], 2 * value, rtol=1e-12)


def test_finite_differences_approach_exact_in_a_smooth_network():
  *losses, weights, alphas = _network_losses()
  optimizer = optax.sgd(0.01)
  gradient, second_order = {}, {}
  (_, gradient['exact']), (_, gradient['difference']), (_, direct) = (
    _gradient(hypergradient, losses, weights, alphas, optimizer)
    for hypergradient in (
      hypergradients.exact(),
      hypergradients.finite_difference(),
      _direct_at_unrolled(),
    )
  )
  for name, value in gradient.items():
    second_order[name] = value - direct
  np.testing.assert_allclose(
    second_order['difference'], second_order['exact'], rtol=1e-3
  )
  np.testing.assert_allclose(
    gradient['difference'], gradient['exact'], rtol=1e-5
  )
  assert np.any(second_order['difference'] != second_order['exact'])


def _direct_at_unrolled():
  """The partial gradient at w' by the plain formula of gradient descent."""

  def hypergradient(train_loss, valid_loss, w, a, optimizer, state):
    gradient = jax.grad(train_loss)(w, a)
    updates, _ = optimizer.update(gradient, state, w)
    unrolled = optax.apply_updates(w, updates)
    return jax.value_and_grad(valid_loss, 1, has_aux=True)(unrolled, a)

  return hypergradient


def test_exact_equals_the_forward_over_reverse_formula():
  *losses, weights, alphas = _network_losses()
  xi = 0.3
  _, gradient = _gradient(
    hypergradients.exact(), losses, weights, alphas, optax.sgd(xi)
  )
  train, valid = losses

  @jax.jit
  def formula(weights, alphas):
    step = jax.grad(train)(weights, alphas)
    unrolled = jax.tree.map(lambda w, g: w - xi * g, weights, step)
    (v, direct), _ = jax.grad(valid, (0, 1), has_aux=True)(unrolled, alphas)
    _, product = jax.jvp(
      lambda w: jax.grad(train, 1)(w, alphas), (weights,), (v,)
    )
    return direct - xi * product

  np.testing.assert_allclose(gradient, formula(weights, alphas), rtol=1e-11)


def test_the_training_gradient_is_evaluated_once_by_exact():
  *losses, weights, alphas = _network_losses()
  calls = []

  def train(weights, alphas):
    calls.append(None)
    return losses[0](weights, alphas)

  optimizer = optax.sgd(0.1)
  jax.eval_shape(
    lambda w, a: hypergradients.exact()(
      train, losses[1], w, a, optimizer, optimizer.init(w)
    ),
    weights,
    alphas,
  )
  assert len(calls) == 1


def test_unrolling_no_step_is_an_error():
  with pytest.raises(ValueError, match='num_steps'):
    hypergradients.unrolled(0)
