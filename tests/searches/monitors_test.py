"""Tests of the curvature monitor and its stop rule."""

from typing import NamedTuple

import jax
from jax import flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.distributions import softmax
from nasjax.searches import monitors
from nasjax.spaces import categorical

KEY = jax.random.key(0)


def _smooth_loss():
  """A loss of two cells' parameters, as of DARTS, far from quadratic."""
  table = jax.random.normal(jax.random.key(1), (2, 5, 4))

  def loss(arch_params):
    scores = [
      jnp.sum(jax.nn.softmax(arch_params[name]) * rows, -1)
      for name, rows in zip(('normal', 'reduce'), table)
    ]
    return jnp.sum(jnp.tanh(scores[0]) ** 2) * jnp.exp(scores[1].mean())

  keys = jax.random.split(jax.random.key(2))
  return loss, {
    name: jax.random.normal(key, (5, 4))
    for name, key in zip(('normal', 'reduce'), keys)
  }


def _eigenvalue(loss, point, num_steps=32):
  return float(
    jax.jit(
      lambda key: monitors.dominant_eigenvalue(key, loss, point, num_steps)
    )(KEY)
  )


def test_dominant_eigenvalue_is_that_of_the_joint_hessian():
  with jax.enable_x64(True):
    loss, arch_params = _smooth_loss()
    flat, unravel = flatten_util.ravel_pytree(arch_params)
    hessian = jax.jit(jax.hessian(lambda flat: loss(unravel(flat))))(flat)
    expected = np.linalg.eigvalsh(hessian)[-1]
    np.testing.assert_allclose(
      _eigenvalue(loss, arch_params), expected, rtol=1e-8
    )


@pytest.mark.parametrize(
  'eigenvalues',
  [
    (3.0, 1.0, -5.0, 0.5),
    (-1.0, -2.0, -3.0, -4.0),
    (2.0, 2.0, 2.0, 2.0),
    (1.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0),
  ],
  ids=str,
)
def test_the_largest_signed_eigenvalue_wins(eigenvalues):
  basis, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
  matrix = jnp.asarray(basis @ np.diag(eigenvalues) @ basis.T, jnp.float32)
  got = _eigenvalue(lambda x: x @ matrix @ x / 2, jnp.zeros(4))
  np.testing.assert_allclose(got, max(eigenvalues), atol=1e-5)


def test_few_steps_bound_the_eigenvalue_from_below():
  diagonal = jnp.linspace(0.0, 1.0, 60).at[-1].set(3.0)
  loss = lambda x: jnp.sum(diagonal * x**2) / 2
  got = [_eigenvalue(loss, jnp.zeros(60), steps) for steps in (1, 3, 12)]
  assert got[0] < got[1] <= got[2] + 1e-6 <= 3 + 2e-6
  np.testing.assert_allclose(got[2], 3, rtol=1e-5)


def test_hessian_products_equal_forward_over_reverse():
  loss, arch_params = _smooth_loss()
  vector = jax.tree.map(jnp.cos, arch_params)

  @jax.jit
  def products(point, vector):
    _, forward = jax.jvp(jax.grad(loss), (point,), (vector,))
    return monitors.hessian_product(loss, point)(vector), forward

  got, expected = products(arch_params, vector)
  for name in got:
    np.testing.assert_allclose(got[name], expected[name], atol=1e-5)


@pytest.mark.parametrize(
  'eigenvalues',
  [np.full(50, 0.3), 0.1 * 1.065 ** np.arange(50)],
  ids=['constant', '6.5 %'],
)
def test_slow_growth_never_stops_a_search(eigenvalues):
  stop = monitors.early_stop(eigenvalues)
  assert not stop.stopped
  assert stop.detected == stop.epoch == 49


@pytest.mark.parametrize(
  'eigenvalues,detected,epoch',
  [
    (0.1 * 1.07 ** np.arange(50), 16, 10),
    (np.where(np.arange(50) < 20, 0.1, 0.2), 21, 15),
  ],
  ids=['7 %', 'step'],
)
def test_fast_growth_goes_back_to_the_epoch_before_it(
  eigenvalues, detected, epoch
):
  stop = monitors.early_stop(eigenvalues)
  assert (bool(stop.stopped), int(stop.detected), int(stop.epoch)) == (
    True,
    detected,
    epoch,
  )


def test_the_rule_fires_on_the_history_up_to_its_epoch():
  eigenvalues = 0.1 * 1.07 ** np.arange(20)
  for e, fires in ((3, False), (8, False), (15, False), (16, True)):
    assert monitors.early_stop(eigenvalues[: e + 1]).stopped == fires


def test_the_rule_equals_a_loop_over_epochs():
  rng = np.random.default_rng(0)
  rule = jax.jit(
    lambda eigenvalues: monitors.early_stop(
      eigenvalues, window=3, factor=1.5, distance=2, first_epoch=4
    )
  )
  for _ in range(5):
    eigenvalues = np.exp(np.cumsum(0.2 * rng.normal(size=30)))
    stop = rule(eigenvalues)
    expected = (False, 29, 29)
    for e in range(30):
      centre = e - 1
      if centre - 2 >= 4:
        now = eigenvalues[centre - 1 : centre + 2].mean()
        before = eigenvalues[centre - 3 : centre].mean()
        if now / before > 1.5:
          expected = (True, e, centre - 2)
          break
    assert tuple(np.asarray(part).item() for part in stop) == expected


def test_curvature_is_that_of_the_loss_on_the_first_batch():
  distribution = softmax.softmax(categorical.categorical({'op': (2, 3)}))
  rows = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3)), jnp.float32)

  def loss(weights, arch, key, batch):
    del key
    return batch * jnp.sum(weights * arch['op'] * rows) ** 2, {}

  class State(NamedTuple):
    weights: jax.Array
    arch_params: dict

  state = State(jnp.float32(2), distribution.init(KEY))
  observe = monitors.curvature(loss, distribution, lambda key, t: t + 3.0)
  got = jax.jit(observe)(KEY, state)

  def of_alpha(alpha):
    return 3 * jnp.sum(2 * jax.nn.softmax(alpha) * rows) ** 2

  alpha = state.arch_params['op']
  hessian = jax.jit(jax.hessian(of_alpha))(alpha).reshape(6, 6)
  np.testing.assert_allclose(
    got['dominant_eigenvalue'], np.linalg.eigvalsh(hessian)[-1], rtol=1e-4
  )
  np.testing.assert_allclose(got['monitor_loss'], of_alpha(alpha), rtol=1e-5)


def test_the_window_must_have_a_centre():
  with pytest.raises(ValueError, match='window must be odd, got 4'):
    monitors.early_stop(np.ones(20), window=4)
