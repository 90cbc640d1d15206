"""AGNN: whose weights an offspring is given."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.estimators import heredity
from nasjax.searches import run
from nasjax.spaces import categorical
from nasjax.systems import agnn

_SPACE = categorical.categorical({'a': (2, 3), 'b': (1, 4)})


def _value(arch):
  return jnp.sum(arch['a']) + jnp.sum(arch['b']).astype(jnp.float32)


def test_offspring_are_given_the_weights_of_the_best():
  """The weights of a network are its value, and what it was given is told."""

  def score(key, arch, ancestor, weights, is_first):
    del key
    expected = jnp.where(is_first, -1.0, _value(ancestor))
    # An error wins, so it would be found.
    error = 100.0 * (weights != expected)
    return _value(arch) + error, _value(arch)

  inherited = heredity.Heredity(lambda key, arch: jnp.float32(-1), score)
  search = agnn.agnn(_SPACE, inherited, features=4)
  state, metrics = jax.jit(lambda key: run.run(key, search, None, 60))(
    jax.random.key(0)
  )
  best = np.asarray(metrics['strategy_best'])
  np.testing.assert_array_equal(
    best, np.maximum.accumulate(np.asarray(metrics['score_mean']))
  )
  assert best[-1] == 7 == state.weights
  assert _value(search.best(jax.random.key(1), state)) == 7
