"""Tests of the two paths of ProxylessNAS."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from nasjax.distributions import two_path
from nasjax.spaces import categorical

LOGITS = np.array([[0.5, -1.0, 0.0, 1.0], [0.0, 0.3, 2.0, -0.5]])
COSTS = np.array([[1.0, -2.0, 0.0, 0.5], [0.0, 3.0, -1.0, 0.2]])
NUM_KEYS = 4000


def _probs(logits=LOGITS):
  exp = np.exp(logits)
  return exp / exp.sum(-1, keepdims=True)


def _draw(num_keys=NUM_KEYS, mask=(2, 4), logits=LOGITS):
  """Samples [N, 2, 4], and the gradients that their costs bring."""
  distribution = two_path.two_path(categorical.categorical({'op': mask}))

  def draw(key):
    arch, pull_back = jax.vjp(
      lambda logits: distribution.sample(key, {'op': logits})['op'],
      jnp.asarray(logits, jnp.float32),
    )
    return arch, pull_back(jnp.asarray(COSTS, arch.dtype))[0]

  keys = jax.random.split(jax.random.key(0), num_keys)
  return jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(keys))


def test_pairs_are_two_draws_without_replacement():
  archs, gradients = _draw()
  assert np.all((archs == 0) | (archs == 1)) and np.all(archs.sum(-1) == 1)
  pairs = list(itertools.combinations(range(4), 2))
  for d, p in enumerate(_probs()):
    moved = gradients[:, d] != 0
    assert np.all(moved.sum(-1) == 2)
    found = [np.sum(moved[:, i] & moved[:, j]) for i, j in pairs]
    expected = [
      p[i] * p[j] / (1 - p[i]) + p[j] * p[i] / (1 - p[j]) for i, j in pairs
    ]
    test = stats.chisquare(found, NUM_KEYS * np.array(expected))
    assert test.pvalue > 0.01


def test_the_gradient_is_that_of_a_decision_between_the_two():
  archs, gradients = _draw(300)
  pair = gradients != 0
  assert np.all(pair[archs == 1])  # what is used is one of the two
  weights = np.exp(LOGITS) * pair
  q = weights / weights.sum(-1, keepdims=True)
  expected = q * (COSTS - np.sum(q * COSTS, -1, keepdims=True))
  np.testing.assert_allclose(gradients, expected, atol=1e-6)


def test_of_a_pair_the_used_one_is_drawn_by_the_softmax_of_the_two():
  archs, gradients = _draw()
  pair = (gradients[:, 0, 0] != 0) & (gradients[:, 0, 3] != 0)
  share = 1 / (1 + np.exp(LOGITS[0, 0] - LOGITS[0, 3]))
  test = stats.binomtest(int(archs[pair, 0, 3].sum()), int(pair.sum()), share)
  assert test.pvalue > 0.01 and pair.sum() > 500


def test_a_decision_with_one_choice_left_is_made():
  mask = np.array([[True] * 4, [False, False, True, False]])
  archs, gradients = _draw(50, mask)
  assert np.all(archs[:, 1] == [0, 0, 1, 0])
  np.testing.assert_allclose(gradients[:, 1], 0, atol=1e-7)


def test_the_others_keep_their_probabilities_whatever_the_optimiser_does():
  optimizer = two_path.keep_share(
    optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.5))
  )
  _, gradients = _draw(20)

  def step(carry, gradient):
    logits, state = carry
    updates, state = optimizer.update(gradient, state, logits)
    new = optax.apply_updates(logits, updates)
    return (new, state), (logits, new)

  logits = jnp.asarray(LOGITS, jnp.float32)
  _, (before, after) = jax.lax.scan(
    step, (logits, optimizer.init(logits)), gradients
  )
  before, after, pair = np.asarray(before), np.asarray(after), gradients != 0
  np.testing.assert_array_equal(before[~pair], after[~pair])
  old, new = _probs(before), _probs(after)
  np.testing.assert_allclose(old[~pair], new[~pair], atol=1e-6)
  np.testing.assert_allclose(
    np.sum(old * pair, -1), np.sum(new * pair, -1), atol=1e-6
  )
  assert np.abs(old - new)[pair].mean() > 0.01


def test_the_pair_itself_moves_as_the_optimiser_says():
  sgd = optax.sgd(0.1)
  optimizer = two_path.keep_share(sgd)
  _, gradients = _draw(1)
  logits, gradient = jnp.asarray(LOGITS, jnp.float32), gradients[0]
  updates, _ = optimizer.update(gradient, optimizer.init(logits), logits)
  plain, _ = sgd.update(gradient, sgd.init(logits), logits)
  for row, expected, moved in zip(updates, plain, gradient != 0):
    # The difference of the two, hence their ratio, is that of plain descent.
    np.testing.assert_allclose(
      np.diff(np.asarray(row)[moved]),
      np.diff(np.asarray(expected)[moved]),
      atol=1e-6,
    )
  still = np.zeros_like(LOGITS, np.float32)
  updates, _ = optimizer.update(still, optimizer.init(logits), logits)
  np.testing.assert_array_equal(updates, still)
