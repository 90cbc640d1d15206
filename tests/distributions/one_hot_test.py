"""Tests of one-hot samples whose gradient is an estimator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax.distributions import one_hot, softmax
from nasjax.spaces import categorical

K = 4
LOGITS = np.array([[0.5, -1.0, 0.0, 1.0], [0.0, 0.3, 2.0, -0.5]])
COSTS = np.array([[1.0, -2.0, 0.0, 0.5], [0.0, 3.0, -1.0, 0.2]])
MASK = np.ones((2, K), bool)
NUM_KEYS = 4000


def _probs(logits=LOGITS):
  exp = np.exp(logits)
  return exp / exp.sum(-1, keepdims=True)


def _draw(mask=MASK, num_keys=NUM_KEYS, costs=COSTS, **kwargs):
  """Samples [N, 2, K], and the gradients that their costs bring."""
  space = categorical.categorical({'op': mask})
  distribution = one_hot.one_hot(space, **kwargs)

  def draw(key):
    arch, pull_back = jax.vjp(
      lambda logits: distribution.sample(key, {'op': logits})['op'],
      jnp.asarray(LOGITS, jnp.float32),
    )
    return arch, pull_back(jnp.asarray(costs, arch.dtype))[0]

  keys = jax.random.split(jax.random.key(0), num_keys)
  return jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(keys))


@pytest.mark.parametrize('gradient', ['score', 'softmax'])
def test_samples_are_one_hot_and_drawn_by_the_softmax(gradient):
  archs, _ = _draw(gradient=gradient)
  assert np.all((archs == 0) | (archs == 1)) and np.all(archs.sum(-1) == 1)
  for counts, probs in zip(archs.sum(0), _probs()):
    assert stats.chisquare(counts, NUM_KEYS * probs).pvalue > 0.01


def test_the_score_function_sees_the_cost_of_the_drawn_operation_alone():
  archs, gradients = _draw(num_keys=50)
  drawn_cost = np.sum(archs * COSTS, -1, keepdims=True)
  expected = drawn_cost * (archs - _probs())
  np.testing.assert_allclose(gradients, expected, atol=1e-6)


def test_all_operations_give_the_gradient_of_the_softmax():
  _, gradients = _draw(gradient='softmax', num_keys=50)
  p = _probs()
  expected = p * (COSTS - np.sum(p * COSTS, -1, keepdims=True))
  np.testing.assert_allclose(
    gradients, np.broadcast_to(expected, gradients.shape), atol=1e-6
  )


def test_dsnas_proxyless_and_darts_expect_the_same_of_constant_costs():
  archs, gradients = _draw(num_keys=500)
  p = _probs()
  mean = np.zeros((2, K))
  for d in range(2):  # over the drawn operation, exactly
    for k in range(K):
      mean[d] += p[d, k] * gradients[archs[:, d, k] == 1, d][0]
  mixture = softmax.softmax(categorical.categorical({'op': MASK}))
  darts = jax.grad(
    lambda logits: jnp.sum(
      COSTS * mixture.sample(jax.random.key(0), {'op': logits})['op']
    )
  )(jnp.asarray(LOGITS))
  proxyless = _draw(gradient='softmax', num_keys=1)[1][0]
  expected = p * (COSTS - np.sum(p * COSTS, -1, keepdims=True))
  for found in (mean, darts, proxyless):
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize('gradient', ['score', 'softmax'])
def test_forbidden_choices_are_never_drawn_and_have_no_gradient(gradient):
  mask = MASK.copy()
  mask[0, 2] = mask[1, 2] = False
  archs, gradients = _draw(mask, num_keys=200, gradient=gradient)
  assert np.all(archs[..., 2] == 0) and np.all(gradients[..., 2] == 0)
  assert np.all(np.isfinite(gradients)) and np.any(gradients != 0)


def test_costs_are_clipped():
  archs, gradients = _draw(num_keys=50, max_cost=1.5)
  clipped = np.sum(archs * np.clip(COSTS, -1.5, 1.5), -1, keepdims=True)
  np.testing.assert_allclose(gradients, clipped * (archs - _probs()), atol=1e-6)
  assert np.abs(COSTS).max() > 1.5


def test_another_gradient_is_a_value_error():
  with pytest.raises(ValueError, match="'dsnas'. Known: score, softmax"):
    one_hot.one_hot(categorical.categorical({'op': (2, 3)}), 'dsnas')
