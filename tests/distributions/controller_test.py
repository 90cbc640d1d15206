"""Tests for the recurrent controller, over a space that can be enumerated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax import choice
from nasjax.distributions import controller, logits
from nasjax.spaces import categorical

_MASK = {
  'kernel': np.array([[True, True, True], [True, False, True]]),
  'width': np.ones((1, 4), bool),
  'depth': np.ones((1, 1, 2), bool),
}
_SPACE = categorical.categorical(_MASK)  # 48 architectures
_POLICY = controller.controller(_SPACE, features=8, num_layers=2)
_INIT, _MODE = jax.jit(_POLICY.init), jax.jit(_POLICY.mode)
_LOG_PROB = jax.jit(_POLICY.log_prob)
_CONDITIONALS = jax.jit(_POLICY.conditionals)


def _params(seed=0):
  """Returns weights large enough for decisions to depend on each other."""
  params = _INIT(jax.random.key(seed))
  return jax.tree.map(lambda leaf: 30 * leaf, params)


@pytest.fixture(scope='module')
def log_probs():
  archs = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  return jax.jit(jax.vmap(_POLICY.log_prob, (None, 0)))(_params(), archs)


def test_probabilities_sum_to_one_over_the_space(log_probs):
  np.testing.assert_allclose(jnp.sum(jnp.exp(log_probs)), 1.0, rtol=1e-5)
  assert np.ptp(log_probs) > 1.0


def _row(arch):
  return tuple(np.concatenate([x.ravel() for x in jax.tree.leaves(arch)]))


def test_samples_follow_their_likelihood(log_probs):
  num = 4000
  samples = jax.jit(jax.vmap(_POLICY.sample, (0, None)))(
    jax.random.split(jax.random.key(1), num), _params()
  )
  archs = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  place = {
    _row(jax.tree.map(lambda leaf, i=i: leaf[i], archs)): i
    for i in range(_SPACE.size)
  }
  rows = np.concatenate(
    [np.reshape(x, (num, -1)) for x in jax.tree.leaves(samples)], axis=1
  )
  counts = np.bincount(
    [place[tuple(row)] for row in rows], minlength=_SPACE.size
  )
  expected = num * np.exp(np.asarray(log_probs, np.float64))
  rare = expected < 10  # counted together: the test needs some of each
  pool = lambda x: np.append(x[~rare], x[rare].sum())
  expected = pool(expected) * num / expected.sum()
  assert (~rare).sum() > 10 and expected[-1] > 5
  assert stats.chisquare(pool(counts), expected).pvalue > 0.01


def test_samples_and_mode_stay_in_the_mask():
  keys = jax.random.split(jax.random.key(2), 200)
  inside = jax.jit(jax.vmap(lambda arch: categorical.contains(arch, _MASK)))
  sample = jax.jit(jax.vmap(_POLICY.sample, (0, None)))
  assert jnp.all(inside(sample(keys, _params())))
  modes = jax.jit(jax.vmap(lambda key: _POLICY.mode(_POLICY.init(key))))(keys)
  assert jnp.all(inside(modes))
  assert len(set(modes['width'][:, 0].tolist())) > 1
  outside = _SPACE.index(0)
  outside['kernel'] = outside['kernel'].at[1].set(1)
  assert _LOG_PROB(_params(), outside) == -jnp.inf


def _lstm(cell, x, c, h):
  """Returns the output and the cell of an LSTM, in numpy."""

  def gate(name):
    inner, outer = cell['i' + name], cell['h' + name]
    return x @ inner['kernel'] + h @ outer['kernel'] + outer['bias']

  sigmoid = lambda z: 1 / (1 + np.exp(-z))
  c = sigmoid(gate('f')) * c + sigmoid(gate('i')) * np.tanh(gate('g'))
  return sigmoid(gate('o')) * np.tanh(c), c


def _oracle(params, choices, allowed, groups):
  """Returns the log-probability of each choice given those before it."""
  params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
  x, result = params['start'], []
  h, c = np.zeros((2, 8)), np.zeros((2, 8))
  for picked, mask, group in zip(choices, allowed, groups):
    for layer in range(2):
      cell = params['decisions'][f'lstm_{layer}']
      x, c[layer] = _lstm(cell, x, c[layer], h[layer])
      h[layer] = x
    z = (params['heads'][group] @ x + params['biases'][group]) / 5.0
    p = np.where(mask, np.exp(2.5 * np.tanh(z)), 0.0)
    result.append(np.log(p[picked] / p.sum()))
    x = params['embeddings'][group][picked]
  return result


def test_the_likelihood_is_that_of_a_loop_over_decisions():
  # Leaves in order: depth, kernel, width.
  groups = [0, 1, 1, 2]
  allowed = np.zeros((4, 4), bool)
  for row, size in enumerate((2, 3, 3, 4)):
    allowed[row, :size] = True
  allowed[2, 1] = False
  for i in (0, 17, 47):
    arch = _SPACE.index(i)
    expected = _oracle(_params(), _row(arch), allowed, groups)
    log_prob = _LOG_PROB(_params(), arch)
    np.testing.assert_allclose(log_prob, sum(expected), rtol=1e-4)
    static = choice.static(arch)
    np.testing.assert_allclose(
      _POLICY.log_prob(_params(), static), log_prob, rtol=1e-5
    )


def test_mode_takes_the_likeliest_choice_after_those_before():
  arch = _MODE(_params())
  conditionals = _CONDITIONALS(_params(), arch)
  greedy = jax.tree.map(lambda rows: jnp.argmax(rows, -1), conditionals)
  jax.tree.map(np.testing.assert_array_equal, arch, greedy)


def test_the_mean_entropy_along_architectures_is_that_of_the_policy(log_probs):
  p = np.exp(np.asarray(log_probs, np.float64))
  archs = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  params = _params()
  along = jax.jit(
    jax.vmap(lambda arch: logits.entropy(_POLICY.conditionals(params, arch)))
  )(archs)
  np.testing.assert_allclose(p @ along, -np.sum(p * np.log(p)), rtol=1e-4)


def test_the_tanh_constant_bounds_how_sure_a_decision_is():
  params = jax.tree.map(lambda leaf: 1e3 * leaf, _INIT(jax.random.key(3)))
  for bound in (0.5, 2.5):
    policy = controller.controller(_SPACE, 8, 2, tanh_constant=bound)
    rows = jax.jit(policy.conditionals)(params, _MODE(params))
    for leaf in jax.tree.leaves(rows):
      finite = leaf[jnp.isfinite(leaf)]
      assert jnp.max(jnp.abs(finite)) <= bound * (1 + 1e-6)
  free = controller.controller(_SPACE, 8, 2, tanh_constant=None)
  rows = jax.jit(free.conditionals)(params, _MODE(params))
  assert jnp.max(jnp.abs(rows['width'])) > 2.5


def test_a_relaxed_architecture_has_no_likelihood():
  relaxed = choice.one_hot(_SPACE.index(3), _MASK)
  with pytest.raises(ValueError, match='log_prob is of index'):
    _POLICY.log_prob(_params(), relaxed)
