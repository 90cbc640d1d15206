"""Tests of the reward that mirrors an expert."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.estimators import combine
from nasjax.searches import black_box, run
from nasjax.spaces import categorical
from nasjax.strategies import q_learning
from nasjax.systems import irlas

_SPACE = categorical.categorical({'op': (4, 3)})


def _agent():
  return q_learning.q_learning(
    _SPACE, 8, 0.3, capacity=32, num_replays=16, num_iterations=20
  )


def _noisy():
  """More of the last choice is better, seen through noise."""
  return combine.stateless(
    lambda key, arch: jnp.mean(arch['op'] == 2) + 0.1 * jax.random.normal(key)
  )


def _stimulus(arch):
  """The expert has the first choice everywhere."""
  return jnp.mean(arch['op'] == 0)


@jax.jit
def _run(key, weight):
  search = irlas.irlas(_noisy(), _stimulus, _agent(), weight)
  state, metrics = run.run(key, search, None, 25)
  return state, metrics, search.best(key, state)


def test_without_the_mirror_it_is_the_agent_alone_bit_for_bit():
  key = jax.random.key(0)
  alone = black_box.black_box(_agent(), _noisy())
  expected = jax.jit(lambda key: run.run(key, alone, None, 25))(key)
  found = _run(key, 0.0)[:2]
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_the_weight_turns_the_search_to_the_expert():
  keys = jax.random.split(jax.random.key(1), 8)
  alone = np.array([_run(key, 0.0)[2]['op'] for key in keys])
  guided = np.array([_run(key, 3.0)[2]['op'] for key in keys])
  assert np.mean(alone == 2) > 0.7
  assert np.mean(guided == 0) > 0.7
