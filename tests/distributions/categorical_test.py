"""Tests for tables of logits with index samples."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.distributions import categorical as categorical_policy
from nasjax.distributions import logits, softmax
from nasjax.spaces import categorical

_MASK = {
  'kernel': np.array([[True, True, True], [True, False, True]]),
  'width': np.ones((1, 4), bool),
}
_SPACE = categorical.categorical(_MASK)


def test_a_table_of_logits_draws_from_the_softmax():
  policy = categorical_policy.categorical(_SPACE)
  params = softmax.softmax(_SPACE, 1.0).init(jax.random.key(4))
  weights = softmax.softmax(_SPACE).sample(jax.random.key(0), params)
  num = 4000
  samples = jax.jit(jax.vmap(policy.sample, (0, None)))(
    jax.random.split(jax.random.key(5), num), params
  )
  for name, leaf in choice.one_hot(samples, _MASK).items():
    error = np.sqrt(weights[name] * (1 - weights[name]) / num)
    assert np.all(np.abs(leaf.mean(0) - weights[name]) <= 4 * error + 1e-9)
  assert samples['width'].dtype == jnp.int32


def test_the_entropy_of_a_table_is_the_sum_over_its_decisions():
  params = softmax.softmax(_SPACE, 1.0).init(jax.random.key(4))
  masked = logits.apply_mask(params, _MASK)
  expected = 0.0
  for name, leaf in masked.items():
    for row in np.asarray(leaf, np.float64).reshape(-1, leaf.shape[-1]):
      p = np.exp(row) / np.exp(row).sum()
      expected -= sum(q * np.log(q) for q in p if q > 0)
    assert name in _MASK
  np.testing.assert_allclose(logits.entropy(masked), expected, rtol=1e-5)
  gradient = jax.grad(lambda x: logits.entropy(logits.apply_mask(x, _MASK)))(
    params
  )
  assert all(jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(gradient))
  assert gradient['kernel'][1, 1] == 0.0
