"""Tests for policy learning: against a comparator that knows the truth."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import archive
from nasjax.data import tabular as tables
from nasjax.distributions import gumbel
from nasjax.spaces import categorical, nasbench201
from nasjax.strategies import comparator_policy, pseudo_pairs

_SPACE = categorical.categorical({'op': (3, 3)})
_WEIGHTS = np.array([9.0, 3.0, 1.0], np.float32)


class _Comparator(NamedTuple):
  compare: callable


def _value(arch):
  return jnp.dot(arch['op'].astype(jnp.float32), _WEIGHTS)


def _oracle(value=_value, temperature=1.0):
  def compare(state, archs, others):
    a, b = jax.vmap(value)(archs), jax.vmap(value)(others)
    return jax.nn.sigmoid(state * (a[:, None] - b[None]) / temperature)

  return _Comparator(compare)


def _controller(space):
  """Independent decisions whose samples are index choices."""
  relaxed = gumbel.gumbel(space)

  def sample(key, params):
    weights = relaxed.sample(key, params)
    return jax.tree.map(
      lambda leaf: jnp.argmax(leaf, -1).astype(jnp.int32), weights
    )

  return relaxed._replace(sample=sample)


_NOTHING = archive.create({'op': jnp.zeros(3, jnp.int32)}, 2)


def _learn(**settings):
  settings = {'num_steps': 60, 'update_every': 10} | settings
  learn = comparator_policy.policy_learning(
    _controller(_SPACE), _oracle(), optax.adam(0.1), **settings
  )
  return jax.jit(learn)(jax.random.key(0), jnp.float32(1), _NOTHING)


def test_wins_are_the_sums_of_the_others_without_the_diagonal():
  archs = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(1), 5))
  wins = comparator_policy.wins(_oracle(), jnp.float32(0.3), archs)
  values = [float(v) for v in jax.vmap(_value)(archs)]
  expected = [
    sum(
      1 / (1 + np.exp(-0.3 * (a - b))) for j, b in enumerate(values) if j != i
    )
    for i, a in enumerate(values)
  ]
  np.testing.assert_allclose(wins, expected, rtol=1e-5)


def test_a_step_is_the_score_function_gradient_of_the_reward_and_entropy():
  """One step of plain descent moves the logits by the expected formula."""
  learn = comparator_policy.policy_learning(
    _controller(_SPACE),
    _oracle(),
    optax.sgd(1.0),
    num_steps=1,
    num_samples=4,
    entropy=0.3,
    control=0.25,
  )
  key = jax.random.key(5)
  outcome = jax.jit(learn)(key, jnp.float32(0.2), _NOTHING)
  init_key, first_key, _ = jax.random.split(key, 3)
  controller = _controller(_SPACE)
  params = controller.init(init_key)
  first = controller.sample(first_key, params)
  logits = np.asarray(params.logits['op'], float)
  p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  expected = np.zeros_like(logits)
  for op in np.asarray(outcome.drawn['op'][0]):
    log_p = sum(np.log(p[d, k]) for d, k in enumerate(op))
    gap = float(op @ _WEIGHTS - _value(first))
    reward = 1 / (1 + np.exp(-0.2 * gap))
    slope = np.eye(3)[op] - p
    expected += (reward - 0.25 - 0.3 * log_p) * slope / 4
  moved = outcome.params.logits['op'] - params.logits['op']
  np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_the_baseline_moves_at_updates_only_and_never_down():
  outcome = _learn()
  values = np.asarray(jax.vmap(_value)(outcome.baselines))
  assert np.all(np.diff(values) >= 0)
  moved = np.flatnonzero(np.diff(values)) + 1
  assert len(moved) and np.all(moved % 10 == 0)
  assert float(_value(outcome.best)) == values[-1] == 26.0


def test_without_the_curriculum_the_baseline_stays_and_the_best_is_found():
  outcome = _learn(curriculum=False)
  baselines = np.asarray(outcome.baselines['op'])
  assert np.all(baselines == baselines[0])
  assert float(_value(outcome.best)) > float(_value({'op': baselines[0]}))


def test_entropy_keeps_a_policy_broad():
  def spread(entropy):
    logits = _learn(entropy=entropy, num_steps=150).params.logits['op']
    p = jax.nn.softmax(logits)
    return float(-jnp.sum(p * jnp.log(p)))

  assert spread(1.0) > spread(0.0) + 0.5


def _explorer(temperature, **settings):
  comparator = _oracle(temperature=temperature)
  return pseudo_pairs.explorer(
    _controller(_SPACE), comparator, optax.sgd(0.5), **settings
  )


def test_the_surest_pairs_are_kept_with_their_labels():
  explorer = _explorer(5.0, num_pairs=6, capacity=9)
  controller = _controller(_SPACE)
  params = controller.init(jax.random.key(0))
  explored = explorer.init(jnp.float32(1), _SPACE.sample(jax.random.key(1)))
  key = jax.random.key(2)
  explore = jax.jit(explorer.explore)
  explored = explore(key, params, explored, _NOTHING)

  keys = jax.random.split(jax.random.split(key)[0], (2, 12))
  draw = jax.vmap(jax.vmap(controller.sample, (0, None)), (0, None))
  first, second = np.asarray(draw(keys, params)['op'], float) @ _WEIGHTS
  surest = sorted(first - second, reverse=True)[:6]
  pairs = explored.pairs
  gaps = np.asarray(
    jax.vmap(_value)(pairs.archs['first'])
    - jax.vmap(_value)(pairs.archs['second'])
  )
  np.testing.assert_allclose(gaps[:6], surest)
  assert pairs.values[:6].tolist() == [float(gap > 0) for gap in surest]
  again = explore(jax.random.key(3), params, explored, _NOTHING)
  assert int(again.pairs.count) == 12  # the oldest three made room
  kept = [
    pairs.archs['first']['op'][3:6] for pairs in (again.pairs, explored.pairs)
  ]
  np.testing.assert_array_equal(*kept)


def test_a_comparator_learns_from_measured_pairs():
  """Told that the order is the other way round, its slope turns."""
  explorer = _explorer(1.0, num_pairs=1, capacity=1, num_steps=40)
  archs = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(3), 20))
  told = archive.create(_SPACE.sample(jax.random.key(4)), 24)
  values = -jax.vmap(_value)(archs)
  values = values.at[3].set(jnp.nan)  # a failure teaches nothing
  told = archive.add(told, archs, values)
  # All architectures of the policy are the same, so its pairs teach nothing.
  params = _controller(_SPACE).init(jax.random.key(0))
  logits = jnp.broadcast_to(jnp.array([50.0, 0, 0]), (3, 3))
  params = params._replace(logits={'op': logits})
  explored = explorer.init(jnp.float32(0.1), _SPACE.sample(jax.random.key(1)))
  explored = jax.jit(explorer.explore)(
    jax.random.key(5), params, explored, told
  )
  assert float(explored.comparator) < -0.1


def test_exploration_is_part_of_learning():
  explorer = _explorer(5.0, num_pairs=4, capacity=8)
  outcome = _learn(explorer=explorer, explore_every=20)
  assert float(outcome.comparator) != 1.0
  assert float(_value(outcome.best)) == 26.0


def test_sizes_that_cannot_be_are_refused():
  with pytest.raises(ValueError, match='positive num_steps'):
    _learn(update_every=0)
  with pytest.raises(ValueError, match='num_pairs must lie'):
    _explorer(1.0, num_pairs=3, capacity=2)


@pytest.mark.data
def test_the_curriculum_leads_to_good_cells_of_nasbench201(data_dir):
  """1000 steps against the true comparison; 87.06 is the mean of all."""
  table = tables.load_nasbench201(data_dir)
  accuracy = tables.values_by_index(table, 'e200_cifar10_test')
  accuracy = jnp.asarray(accuracy, jnp.float32)
  value = lambda arch: accuracy[nasbench201.cell_index(arch)]
  learn = comparator_policy.policy_learning(
    _controller(nasbench201.nasbench201()),
    _oracle(value),
    optax.adam(0.05),
    num_steps=1000,
    control=0.5,
    update_every=20,
  )
  for key in jax.random.split(jax.random.key(0), 3):
    outcome = jax.jit(learn)(key, jnp.float32(1), _NOTHING)
    drawn = np.asarray(
      jax.vmap(value)(jax.tree.map(lambda leaf: leaf[:, 0], outcome.drawn))
    )
    baselines = np.asarray(jax.vmap(value)(outcome.baselines))[::20]
    assert drawn[-100:].mean() >= 93.8 > drawn[:50].mean() + 3
    assert np.mean(np.diff(baselines) >= 0) >= 0.9
