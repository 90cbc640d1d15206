"""Tests of LA-DARTS."""

import functools

import jax
from jax import flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.searches import hypergradients
from nasjax.searches import run as runs
from nasjax.systems import darts, latency_darts
from tests.systems import mixtures

KEY = jax.random.key(0)
# Milliseconds of every operation: another one is the fastest of each decision.
TABLE = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 4.0]], np.float32)
# What operations are worth: the slowest are the best.
GAINS = TABLE / 4 + np.array([[0.02], [0.01]], np.float32)


def _latency(arch):
  return 2 + jnp.sum(arch['op'] * TABLE)


def _settings(**settings):
  return {
    'derive': None,
    'hypergradient': hypergradients.first_order(),
    'arch_learning_rate': 0.05,
    'arch_weight_decay': 0.0,
    **settings,
  }


def _search(**settings):
  return latency_darts.latency_darts(
    mixtures.SPACE,
    mixtures.NETWORK,
    mixtures.INPUT_SHAPE,
    2,
    latency=_latency,
    target=5.0,
    **_settings(**settings),
  )


def _run(search, num_steps=60):
  def step(state, inputs):
    key, batch = inputs
    return search.update(key, state, batch)

  inputs = jax.random.split(KEY, num_steps), mixtures.batches(num_steps)

  @jax.jit
  def whole():
    state, metrics = jax.lax.scan(step, search.init(KEY), inputs)
    return state, metrics, search.best(KEY, state)

  return whole()


@pytest.mark.parametrize('form', ['add', 'multiply'])
@pytest.mark.parametrize('encoding', ['derived', 'sampled', 'soft'])
def test_without_balance_the_search_is_darts_bit_for_bit(form, encoding):
  plain = darts.darts(
    mixtures.SPACE, mixtures.NETWORK, mixtures.INPUT_SHAPE, 2, **_settings()
  )
  found, *_ = _run(_search(balance=0.0, form=form, encoding=encoding), 10)
  expected, *_ = _run(plain, 10)
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def _no_loss(weights, arch, key, batch):
  return 0.0 * jnp.sum(weights['w']), {'accuracy': jnp.float32(0)}


@pytest.mark.parametrize('encoding', ['derived', 'sampled', 'soft'])
def test_latency_alone_finds_the_fastest_operations(encoding):
  search = _search(balance=1.0, encoding=encoding, loss=_no_loss)
  *_, arch = _run(search, 100)
  np.testing.assert_array_equal(arch['op'], TABLE.argmin(-1))


def _gains(weights, arch, key, batch):
  """A loss by which each operation is worth something."""
  value = -jnp.sum(arch['op'] * GAINS) + 0.0 * jnp.sum(weights['w'])
  return value, {'accuracy': -value}


def test_the_larger_the_balance_the_faster_what_is_found():

  def found(balance):
    search = _search(balance=balance, loss=_gains, encoding='soft')
    *_, arch = _run(search)
    return float(TABLE[np.arange(2), np.asarray(arch['op'])].sum())

  latencies = [found(b) for b in (0.0, 0.5, 2.0)]
  assert latencies == sorted(latencies, reverse=True)
  assert latencies[0] == TABLE.max(-1).sum()
  assert latencies[-1] == TABLE.min(-1).sum()


def test_latency_moves_alpha_and_no_weights():
  batch = jax.tree.map(lambda x: x[0], mixtures.batches(1))
  states = []
  for balance in (0.0, 1.0):
    search = _search(balance=balance)
    update = jax.jit(functools.partial(search.update, KEY))
    states.append(update(search.init(KEY), batch))
  (plain, _), (steered, metrics) = states
  # Adam's first step is a sign: its moments tell.
  moments = [
    flatten_util.ravel_pytree(state.arch_state)[0] for state in (plain, steered)
  ]
  assert not np.allclose(*moments, rtol=0.1)
  # The weights see another alpha, and no gradient of the latency: with the
  # first alphas they would have been the same.
  frozen = [
    _search(balance=balance, arch_learning_rate=0.0) for balance in (0.0, 1.0)
  ]
  weights = [
    jax.jit(functools.partial(s.update, KEY))(s.init(KEY), batch)[0].weights
    for s in frozen
  ]
  jax.tree.map(np.testing.assert_array_equal, *weights)
  arch = search.best(KEY, search.init(KEY))
  expected = 2 + TABLE[np.arange(2), np.asarray(arch['op'])].sum()
  np.testing.assert_allclose(
    metrics['valid_penalty'], expected / 5 - 1, rtol=1e-5
  )


def test_a_balance_may_be_swept_by_vmap():

  def penalty(balance):
    return runs.run(
      KEY,
      _search(balance=balance),
      lambda key, t: jax.tree.map(lambda x: x[0], mixtures.batches(1)),
      1,
    )[1]['valid_penalty'][0]

  found = jax.jit(jax.vmap(penalty))(jnp.array([0.5, 1.0]))
  np.testing.assert_allclose(found[1], 2 * found[0], rtol=1e-5)


@pytest.mark.parametrize('name', ['encoding', 'form'])
def test_an_unknown_way_is_named(name):
  with pytest.raises(ValueError, match=f'Unknown {name} .other.. Known: '):
    _search(balance=1.0, **{name: 'other'})
