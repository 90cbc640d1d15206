"""Tests of what optax lacks of optimisers for supernets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.searches import optimizers

_OPTIMIZERS = {
  'sgd': lambda: optimizers.cosine_sgd(0.1, 0.01, 5, 2, 0.9, 0.3, True),
  'adam': lambda: optimizers.adam(0.1, 0.5, 0.9, 0.3),
}


@pytest.mark.parametrize('name', _OPTIMIZERS)
def test_what_has_no_gradient_keeps_its_value_and_its_moments(name):
  optimizer = _OPTIMIZERS[name]()
  kept = optimizers.where_used(optimizer)
  weights = {'a': jnp.ones((2, 3)), 'b': jnp.full(2, 2.0)}
  used = {'a': jnp.array([[0.5, -1.0, 2.0]] * 2), 'b': jnp.array([1.0, 3.0])}
  half = {'a': used['a'].at[1].set(0.0), 'b': jnp.zeros(2)}
  state = kept.init(weights)
  updates, state = kept.update(used, state, weights)
  expected, all_used = optimizer.update(used, optimizer.init(weights), weights)
  jax.tree.map(np.testing.assert_array_equal, updates, expected)
  jax.tree.map(np.testing.assert_array_equal, state, all_used)

  updates, after = kept.update(half, state, weights)
  expected, moved = optimizer.update(half, state, weights)
  np.testing.assert_array_equal(updates['a'][0], expected['a'][0])
  np.testing.assert_array_equal(updates['a'][1], 0)
  np.testing.assert_array_equal(updates['b'], 0)
  assert np.all(expected['b'] != 0)  # decay and momentum, without `where_used`
  checked = 0
  for new, old, plain in zip(*map(jax.tree.leaves, (after, state, moved))):
    if new.shape == (2, 3):
      np.testing.assert_array_equal(new[0], plain[0])
      np.testing.assert_array_equal(new[1], old[1])
      checked += 1
    elif new.shape == ():  # the count of updates
      assert new == plain
  assert checked >= 1
