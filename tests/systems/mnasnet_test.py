"""Tests of rewards of accuracy and latency, and of the search for them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import expressions
from nasjax.data import digits_table, latency
from nasjax.data import tabular as tables
from nasjax.distributions import categorical as categorical_policy
from nasjax.distributions import controller
from nasjax.estimators import combine, tabular
from nasjax.searches import run
from nasjax.spaces import categorical, nasbench201
from nasjax.strategies import ppo
from nasjax.systems import mnasnet

_MASK = digits_table.MASK
_SPACE = nasbench201.nasbench201(_MASK)
_CELLS = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
_PARAMS = np.asarray(jax.vmap(nasbench201.num_params)(_CELLS)) / 1e6


def _values():
  return digits_table.values(digits_table.load(), 'valid')


def _search(target, w, strategy):
  row_of = categorical.numbering(_MASK)
  return mnasnet.mnasnet(
    _SPACE,
    tabular.tabular(row_of, _values()),
    tabular.tabular(row_of, _PARAMS),
    target,
    w,
    strategy,
  )


def _ppo():
  policy = categorical_policy.categorical(_SPACE)
  return ppo.ppo(policy, optax.adam(0.05), batch_size=10)


@jax.jit
def _seeds(target, below, above):
  """What 40 seeds have found, the weights of it, and their mean rewards."""
  policy = categorical_policy.categorical(_SPACE)
  # Adam would blow up the rounding of gradients that are zero.
  optimizer = optax.adam(0.05, eps=1e-3)
  strategy = ppo.ppo(policy, optimizer, batch_size=10)
  search = _search(target, (below, above), strategy)

  def seed(key):
    state, metrics = run.run(key, search, None, 30)
    found = search.best(key, state)
    return nasbench201.num_params(found) / 1e6, metrics['score_mean']

  return jax.vmap(seed)(jax.random.split(jax.random.key(0), 40))


def test_the_target_of_the_soft_reward_changes_no_step_of_the_search():
  _, rewards = _seeds(0.2, combine.SOFT, combine.SOFT)
  _, others = _seeds(3.0, combine.SOFT, combine.SOFT)
  # Later, rounding in the other direction may have drawn another cell.
  ratios = (others / rewards)[:, :10]
  same = np.abs(ratios / (3.0 / 0.2) ** 0.07 - 1) < 1e-5
  assert same.mean() > 0.95


def test_the_target_of_the_hard_reward_is_kept_to_by_what_is_found():
  small, _ = _seeds(0.3, *combine.HARD)
  large, _ = _seeds(1.0, *combine.HARD)
  assert np.mean(small <= 1.05 * 0.3) > 0.9
  assert np.mean(large <= 1.05 * 1.0) > 0.9
  assert np.median(small) < np.median(large)


def test_the_policy_draws_better_ones_than_chance():
  _, rewards = _seeds(0.3, *combine.HARD)
  table = combine.weigh(_values(), _PARAMS, 0.3, combine.HARD)
  assert abs(np.mean(rewards[:, 0]) - np.mean(table)) < 3
  assert np.mean(rewards[:, -1] > np.quantile(table, 0.9)) > 0.9


def test_the_recurrent_policy_learns_where_the_reward_is():
  """A bandit: one choice of the first edge is worth one, the others nothing."""
  first = combine.stateless(lambda key, arch: jnp.float32(arch['op'][0] == 2))
  cost = combine.stateless(lambda key, arch: jnp.float32(1.0))
  policy = controller.controller(_SPACE, 8, num_layers=1)
  strategy = ppo.ppo(policy, optax.adam(0.03), batch_size=16)
  search = mnasnet.mnasnet(_SPACE, first, cost, 1.0, strategy=strategy)
  _, metrics = jax.jit(lambda key: run.run(key, search, None, 60))(
    jax.random.key(1)
  )
  assert metrics['score_mean'][-10:].mean() > 0.9
  assert metrics['score_mean'][0] < 0.6


def test_a_target_that_is_not_positive_is_refused():
  with pytest.raises(ValueError, match='positive, got 0'):
    _search(0.0, combine.SOFT, None)


def _oracle(latency, accuracy, target, w):
  best = int(jnp.argmax(combine.weigh(accuracy, latency, target, w)))
  return round(float(accuracy[best]), 2), round(float(latency[best]), 2)


@pytest.mark.data
def test_measured_latencies_have_their_known_answers(data_dir):
  table = tables.load_nasbench201(data_dir)
  accuracy = tables.values_by_index(table, 'e200_cifar10_test')
  devices = latency.load_nasbench201_latency(data_dir)
  of = lambda name: tables.values_by_index(devices, name)
  pixel3 = of('pixel3')
  for target in (3.27, 6.44, 10.68):
    assert _oracle(pixel3, accuracy, target, combine.SOFT) == (89.88, 1.71)
  assert _oracle(pixel3, accuracy, 6.44, combine.HARD) == (93.12, 6.49)
  condition = expressions.parse('latency <= 6.44')
  within = np.asarray(condition.holds({'latency': pixel3}))
  feasible = np.where(within, accuracy, 0)
  assert (feasible.max(), pixel3[feasible.argmax()]) == pytest.approx(
    (92.22, 6.31), abs=0.006
  )
  known = {
    'gold_6226': {
      6.21: (92.22, 6.02),
      7.79: (92.49, 6.36),
      9.61: (93.91, 8.89),
    },
    '1080ti_1': {6.93: (92.35, 6.89), 8.48: (93.45, 8.43)},
  }
  for device, answers in known.items():
    for target, answer in answers.items():
      assert _oracle(of(device), accuracy, target, combine.HARD) == answer
