"""Tests of RADARS: what its pruning keeps, and what its descent computes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import choice
from nasjax.distributions import categorical as policies
from nasjax.distributions import softmax
from nasjax.estimators import combine
from nasjax.searches import bilevel, black_box, memory
from nasjax.spaces import categorical
from nasjax.strategies import reinforce
from nasjax.systems import radars

_SPACE = categorical.categorical({'op': (4, 6)})
_VALUES = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
_BEST = _VALUES.argmax(axis=1)
_BATCH = {'train': jnp.zeros(()), 'valid': jnp.zeros(())}


def _additive(key, arch):
  """A noisy score in which every decision counts for itself."""
  values = jnp.asarray(_VALUES)[jnp.arange(4), arch['op']]
  return jnp.sum(values) + 0.1 * jax.random.normal(key)


def _loss(weights, arch, key, batch):
  """Descends along the mean value of a mixture; the weights play no part."""
  del key, batch
  mixed = choice.one_hot(arch, _SPACE.mask)['op']
  return jnp.sum(weights**2) - jnp.sum(mixed * _VALUES), {}


def _search(score=_additive, **kwargs):
  def inner(relaxation):
    return bilevel.bilevel(
      _loss,
      lambda key: jnp.ones(3),
      relaxation(_SPACE),
      weight_optimizer=optax.sgd(0.1),
      arch_optimizer=optax.adam(0.1),
    )

  return radars.radars(
    _SPACE,
    combine.stateless(score),
    inner,
    **{'num_rounds': 2, 'steps_per_round': 40, **kwargs},
  )


@functools.cache
def _run(score, num_steps, num_seeds):
  """States and metrics of all steps of some seeds."""
  search = _search(score)

  def one(key):
    def step(state, t):
      return search.update(jax.random.fold_in(key, t), state, _BATCH)

    return jax.lax.scan(step, search.init(key), jnp.arange(num_steps))

  keys = jax.random.split(jax.random.key(0), num_seeds)
  return jax.jit(jax.vmap(one))(keys)


def test_options_go_round_by_round_until_k_are_left():
  _, metrics = _run(_additive, 100, 20)
  left = np.asarray(metrics['num_left'])
  # 6 (2 / 6)^(1/2) is 3.46: four options, then two, of each of four decisions.
  np.testing.assert_array_equal(left[:, :39], 24)
  np.testing.assert_array_equal(left[:, 39:79], 16)
  np.testing.assert_array_equal(left[:, 79], 8)
  assert np.all(np.asarray(metrics['valid_loss'])[:, :80] == 0)
  assert np.all(np.asarray(metrics['valid_loss'])[:, 80:] != 0)


def test_the_best_options_survive_far_more_often_than_by_chance():
  state, _ = _run(_additive, 100, 20)
  kept = np.asarray(state.first.mask['op'])
  assert np.all(kept.sum(-1) == 2)
  survived = kept[:, np.arange(4), _BEST]
  # A random pruning keeps each with probability 1/3: 27 of 80.
  assert survived.mean() > 0.8


def test_the_likeliest_architecture_is_never_pruned():
  """Rounds of one update: at each the likeliest of S must be kept."""
  search = _search(steps_per_round=1, num_rounds=4)
  update, state = jax.jit(search.update), search.init(jax.random.key(0))
  for t in range(4):
    before = np.asarray(state.first.mask['op'])
    state, _ = update(jax.random.fold_in(jax.random.key(1), t), state, _BATCH)
    params = np.asarray(state.first.policy.params['op'])
    likeliest = np.where(before, params, -np.inf).argmax(-1)
    kept = np.asarray(state.first.mask['op'])
    assert np.all(kept[np.arange(4), likeliest])
    assert np.all(kept <= before) and kept.sum() < before.sum()


def test_a_policy_that_does_not_learn_prunes_at_random():
  search = _search(optimizer=optax.set_to_zero())

  def mask(key):
    step = lambda state, k: search.update(k, state, _BATCH)
    keys = jax.random.split(key, 80)
    return jax.lax.scan(step, search.init(key), keys)[0].first.mask['op']

  masks = jax.jit(jax.vmap(mask))(jax.random.split(jax.random.key(0), 200))
  # 800 draws of 2 of 6: four standard deviations are 0.067.
  np.testing.assert_allclose(np.asarray(masks).mean((0, 1)), 1 / 3, atol=0.067)


def test_a_pair_that_is_best_only_together_is_pruned():
  def deceptive(key, arch):
    del key
    first, second = arch['op'][0], arch['op'][1]
    # The mean score of option 0 is 1 in both, that of option 5 is 1.5.
    return jnp.where(first + second == 0, 3.0, 0.2 * (first + second))

  kept = np.asarray(_run(deceptive, 100, 20)[0].first.mask['op'])
  assert np.mean(kept[:, 0, 0] & kept[:, 1, 0]) < 0.5
  assert np.mean(kept[:, 0, 5] & kept[:, 1, 5]) > 0.5


def test_descent_finds_the_best_of_what_is_left():
  search = _search()
  state, _ = _run(_additive, 300, 3)
  for seed in range(3):
    one = jax.tree.map(lambda leaf, i=seed: leaf[i], state)
    arch = search.best(jax.random.key(0), one)
    left = np.where(np.asarray(one.first.mask['op']), _VALUES, -np.inf)
    np.testing.assert_array_equal(arch['op'], left.argmax(-1))


@pytest.mark.parametrize('sizes', [{'num_rounds': 0}, {'steps_per_round': 0}])
def test_rounds_without_steps_are_a_value_error(sizes):
  with pytest.raises(ValueError, match='rounds of'):
    _search(**sizes)


@pytest.mark.parametrize('num_options', [0, 7])
def test_options_that_there_are_not_are_a_value_error(num_options):
  with pytest.raises(ValueError, match=f'from 1 to 6.*got {num_options}'):
    _search(num_options=num_options)


def _deep(num_operations):
  """A space, and `(weights, arch, x) -> f32[]`: layers with a choice each."""

  def loss(weights, arch, x):
    branches = [
      lambda w, x, k=k: jnp.tanh(x @ w[k]) for k in range(num_operations)
    ]
    for w, chosen in zip(weights, arch['op']):
      x = choice.switch(chosen, branches, w, x)
    return jnp.mean(x**2)

  return categorical.categorical({'op': (3, num_operations)}), loss


def _of_layers(num_operations, num_options=None):
  """RADARS whose rewards are trainings; descent alone without num_options."""
  space, loss = _deep(num_operations)
  weights = jnp.ones((3, num_operations, 16, 16))

  def reward(key, arch):
    x = jax.random.normal(key, (4096, 16))
    trained = weights - jax.grad(loss)(weights, arch, x)
    return -loss(trained, arch, x)

  def inner(relaxation):
    return bilevel.bilevel(
      lambda weights, arch, key, x: (loss(weights, arch, x), {}),
      lambda key: weights,
      relaxation(space),
      weight_optimizer=optax.sgd(0.1),
      arch_optimizer=optax.adam(0.1),
    )

  if num_options is None:
    return inner(softmax.softmax), reward
  estimator = combine.stateless(reward)
  return radars.radars(space, estimator, inner, num_options), reward


def test_radars_fits_where_descent_in_the_whole_space_is_refused():
  batch = dict.fromkeys(('train', 'valid'), jnp.zeros((4096, 16)))
  whole, few = _of_layers(8)[0], _of_layers(8, 2)[0]
  budget = int(0.7 * memory.peak_bytes(whole, batch))
  assert memory.check(few, batch, budget) is few
  with pytest.raises(ValueError, match='takes .* MB, the budget is'):
    memory.check(whole, batch, budget)


def test_a_single_path_takes_the_same_however_many_options_there_are():
  def peak(num_operations):
    space, _ = _deep(num_operations)
    policy = reinforce.reinforce(policies.categorical(space), batch_size=2)
    reward = combine.stateless(_of_layers(num_operations)[1])
    return memory.peak_bytes(black_box.black_box(policy, reward), None)

  peaks = [peak(n) for n in (2, 8)]
  np.testing.assert_allclose(peaks[1], peaks[0], rtol=0.1)
  assert peaks[0] > 3 * 4096 * 16 * 4
