"""Tests of RMSProp with its schedule."""

import jax.numpy as jnp
import numpy as np
import optax

from nasjax.searches import rms_prop

SETTINGS = {'decay': 0.9, 'momentum': 0.8, 'epsilon': 1e-3, 'weight_decay': 0.1}


def test_rms_prop_is_its_recurrence_and_leaves_norms_undecayed():
  optimizer = rms_prop.rms_prop(
    1, learning_rate=0.5, ending=0.0, warmup_epochs=0.0, **SETTINGS
  )
  params = {'kernel': jnp.array([2.0]), 'scale': jnp.array([2.0])}
  state = optimizer.init(params)
  expected = dict.fromkeys(params, 2.0)
  square = dict.fromkeys(params, 1.0)
  trace = dict.fromkeys(params, 0.0)
  for t, value in enumerate((0.3, -0.2, 0.7)):
    gradient = {name: jnp.array([value]) for name in params}
    updates, state = optimizer.update(gradient, state, params)
    params = optax.apply_updates(params, updates)
    for name in expected:
      g = value + (0.1 * expected[name] if name == 'kernel' else 0.0)
      square[name] = 0.9 * square[name] + 0.1 * g**2
      rate = 0.5 * 0.97 ** (t / 2.4 // 1)
      scaled = g / np.sqrt(square[name] + 1e-3)
      # Of the rate before the momentum: as TensorFlow's, the rate is inside.
      trace[name] = 0.8 * trace[name] - rate * scaled
      expected[name] += trace[name]
  for name, value in expected.items():
    np.testing.assert_allclose(params[name], [value], rtol=1e-5)


def test_gradients_are_clipped_by_value():
  optimizer = rms_prop.rms_prop(1, clip=0.1, warmup_epochs=0.0, **SETTINGS)
  params = {'scale': jnp.zeros(1)}
  results = [
    optimizer.update({'scale': jnp.array([g])}, optimizer.init(params), params)
    for g in (0.1, 5.0)
  ]
  np.testing.assert_array_equal(results[0][0]['scale'], results[1][0]['scale'])
