"""Tests of apprenticeship on a chain of states and on all cells."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.distributions import categorical
from nasjax.estimators import mirror
from nasjax.spaces import nasbench201, topology
from nasjax.strategies import reinforce

_KEY = jax.random.key(0)
_SPACE = nasbench201.nasbench201()
# A residual block: two convolutions, and a skip connection around them.
_EXPERT = nasbench201.from_string(
  '|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|'
  'skip_connect~2|'
)


def _policies():
  """Feature counts of all 32 policies of a walk on a chain of five states."""
  counts = []
  for moves in itertools.product((-1, 1), repeat=5):
    state, count = 2, np.zeros(5, np.float32)
    for t in range(8):
      count[state] += 0.9**t
      state = min(max(state + moves[state], 0), 4)
    counts.append(count)
  return jnp.array(counts)


def _among(counts):
  """The best of some policies, which is what an agent should find."""
  return lambda key, weights: counts[jnp.argmax(counts @ weights)]


def test_projection_ends_at_the_nearest_point_of_a_line():
  nearest, found = jnp.array([0.0, 0.0]), jnp.array([2.0, 0.0])
  expert = jnp.array([0.5, 1.0])
  np.testing.assert_allclose(mirror.project(nearest, found, expert), [0.5, 0.0])
  np.testing.assert_allclose(mirror.project(found, found, expert), found)


@pytest.mark.parametrize(
  'reward', [(0.0, 0.0, 0.3, 0.0, 1.0), (0.0, 1.0, 0.0, 0.0, 0.2)]
)
def test_apprentices_do_as_an_expert_of_an_unknown_reward(reward):
  counts = _policies()
  expert = counts[jnp.argmax(counts @ jnp.array(reward))]
  found = mirror.apprenticeship(
    _KEY, expert, counts.mean(axis=0), _among(counts), num_rounds=20
  )
  assert np.all(np.diff(found.margins) <= 1e-5)
  assert found.distances.min() < 1e-5
  best = counts[jnp.argmax(counts @ found.weights)]
  np.testing.assert_allclose(best, expert, atol=1e-5)
  np.testing.assert_allclose(jnp.linalg.norm(found.weights), 1, rtol=1e-5)
  assert found.one > found.zero


@pytest.fixture(scope='module', name='counts')
def _counts():
  """Feature counts of all cells."""
  cells = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  return jax.jit(jax.vmap(topology.nasbench201))(cells)


def test_the_residual_block_is_the_best_mirror_of_itself(counts):
  expert = topology.nasbench201(_EXPERT)
  random = counts.mean(axis=0)
  found = mirror.apprenticeship(_KEY, expert, random, _among(counts))
  assert np.all(np.diff(found.margins) <= 1e-5)
  stimulus = mirror.stimulus(found, lambda count: count)
  values = jax.vmap(stimulus)(counts)
  np.testing.assert_allclose(stimulus(expert), 1.0, atol=1e-4)
  np.testing.assert_allclose(values.mean(), 0.0, atol=1e-3)
  # By the margin nothing is better: all that ties has its features.
  assert values.max() <= 1 + 1e-4
  ties = np.flatnonzero(values > 1 - 1e-4)
  np.testing.assert_allclose(
    counts[ties], jnp.tile(expert, (len(ties), 1)), atol=1e-4
  )
  assert nasbench201.cell_index(_EXPERT) in ties


def test_a_mirror_learned_with_an_agent_prefers_the_expert(counts):
  agent = reinforce.reinforce(
    categorical.categorical(_SPACE), optax.adam(0.2), batch_size=16
  )
  found = mirror.learn(
    _SPACE, agent, topology.nasbench201, _EXPERT, 4, num_steps=60
  )
  values = jax.vmap(mirror.stimulus(found, lambda count: count))(counts)
  assert np.mean(values < 1) > 0.95
  assert found.distances.min() < found.margins[0]


def test_an_expert_without_anything_special_is_refused():
  agent = reinforce.reinforce(categorical.categorical(_SPACE))
  with pytest.raises(ValueError, match='those of a random policy'):
    mirror.learn(
      _SPACE, agent, lambda arch: jnp.ones(3), _EXPERT, 1, num_steps=1
    )
