"""ParEGO: its scores by hand, and fronts of noisy objectives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive, pareto
from nasjax.spaces import categorical
from nasjax.strategies import parego, random_search

_SPACE = categorical.categorical({'x': (8, 9)})


def _features(arch):
  return arch['x'] / 8.0


def _objectives(key, archs):
  """Two objectives with optima apart, and noise that grows with the first."""
  x = archs['x'] / 8.0
  centres = jnp.array([[0.25] * 4 + [0.5] * 4, [0.75] * 4 + [0.5] * 4])
  squares = jnp.sum(jnp.square(x[:, None] - centres[None]), axis=-1)
  noise = 0.02 + 0.1 * x[:, :1]
  return -squares + noise * jax.random.normal(key, squares.shape)


def _hypervolume(strategy, num_asks, num_seeds):
  """The volume of what the noiseless objectives of all proposals dominate."""

  def one(key):
    keys = jax.random.split(key, (num_asks, 3))

    def step(state, keys):
      proposal, state = strategy.ask(keys[0], state)
      values = _objectives(keys[1], proposal.archs)
      state, _ = strategy.tell(keys[2], state, proposal, values)
      x = proposal.archs
      return state, jnp.mean(
        jax.vmap(lambda key: _objectives(key, x))(
          jax.random.split(jax.random.key(9), 100)
        ),
        axis=0,
      )

    state = strategy.init(key)
    _, values = jax.lax.scan(step, state, keys)
    return pareto.hypervolume(values.reshape(-1, 2), jnp.full(2, -2.0))

  keys = jax.random.split(jax.random.key(0), num_seeds)
  return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys))


def test_scores_are_augmented_distances_from_the_best_of_all():
  values = np.array(
    [[1.0, 10.0], [3.0, 30.0], [2.0, 40.0], [np.nan, 99.0]], np.float32
  )
  weights = np.array([0.7, 0.3], np.float32)
  scores = parego.scalarise(values, weights, rho=0.1)
  for row, score in zip(values[:3], scores):
    worse = [
      w * (best - value) / (best - worst)
      for w, value, best, worst in zip(weights, row, (3, 40), (1, 10))
    ]
    assert score == pytest.approx(-(max(worse) + 0.1 * sum(worse)), abs=1e-6)
  assert scores[3] == -np.inf


def test_what_is_best_by_some_weights_is_on_the_front():
  values = jax.random.normal(jax.random.key(0), (40, 2))
  front = pareto.non_dominated(values)
  for i in range(20):
    weights = jnp.array([i / 19, 1 - i / 19])
    assert front[jnp.argmax(parego.scalarise(values, weights))]


def test_values_of_failures_are_forgiven():
  strategy = parego.parego(
    _SPACE, _features, num_initial=2, capacity=8, num_mutants=10, num_random=4
  )
  state = strategy.init(jax.random.key(0))
  for t in range(4):
    proposal, state = strategy.ask(jax.random.key(t), state)
    values = jnp.array([[jnp.nan if t % 2 else t, 1.0]])
    state, metrics = strategy.tell(jax.random.key(t), state, proposal, values)
  assert metrics['told_best_0'] == 2
  assert archive.num_filled(state.told) == 4


def test_fronts_are_better_than_random_ones_of_twice_the_evaluations():
  model = parego.parego(_SPACE, _features, num_initial=12, capacity=60)
  ours = _hypervolume(model, 60, 10)
  theirs = _hypervolume(random_search.random_search(_SPACE), 120, 10)
  assert np.mean(ours) > np.mean(theirs) + 2 * np.std(theirs) / np.sqrt(10)
