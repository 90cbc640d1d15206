"""Tests of estimators trained beforehand, as scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import pretrained
from nasjax.types import Estimator

_KEY = jax.random.key(0)


def _estimator():
  """A sum of batches and noise, from a random start."""

  def update(key, state, batch):
    return state + batch + jax.random.uniform(key), {}

  return Estimator(
    jax.random.uniform, update, lambda key, state, arch: state * arch
  )


def _batches(key, t):
  return t + jax.random.uniform(key)


def test_each_run_is_a_training_of_its_own():
  joint = pretrained.pretrained(_estimator(), _batches, 4, num_runs=3)
  states = jax.jit(joint.init)(_KEY, None)
  found = jax.jit(joint.raw)(_KEY, states, jnp.float32(2))
  assert set(found) == set(joint.proxies) == {'0', '1', '2'}
  for r, key in enumerate(jax.random.split(_KEY, 3)):
    init_key, batch_key, step_key = jax.random.split(key, 3)
    expected = jax.random.uniform(init_key)
    for t in range(4):
      expected += _batches(batch_key, t)
      expected += jax.random.uniform(jax.random.fold_in(step_key, t))
    np.testing.assert_allclose(found[str(r)], 2 * expected, rtol=1e-5)


@pytest.mark.parametrize('numbers', [(0, 1), (1, 0)])
def test_no_training_is_a_value_error(numbers):
  with pytest.raises(ValueError, match='No .* runs'):
    pretrained.pretrained(_estimator(), _batches, *numbers)
