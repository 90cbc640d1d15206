"""Tests of clipped weights and of their pruning."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.distributions import clipped, masked, softmax
from nasjax.searches import bilevel
from nasjax.spaces import categorical, darts_cell, decisions

KEY = jax.random.key(0)
SPACE = categorical.categorical({'op': (2, 3)})


def _params(alphas, alive=None):
  alphas = jnp.array(alphas)
  alive = jnp.ones_like(alphas) if alive is None else jnp.array(alive)
  return clipped.ClippedParams({'op': alphas}, {'op': alive})


def test_alphas_start_at_one_over_the_allowed_choices():
  space = darts_cell.darts_cell()
  space = space.restrict(decisions.without(space.mask))
  distribution = clipped.clipped(space)
  params = distribution.init(KEY)
  for name in ('normal', 'reduce'):
    alphas = np.asarray(params.alphas[name])
    deviation = alphas - 1 / 7
    np.testing.assert_allclose(deviation.mean(), 0, atol=4e-5)
    np.testing.assert_allclose(deviation.std(), 1e-4, rtol=0.3)
    weights = np.asarray(distribution.sample(KEY, params)[name])
    np.testing.assert_array_equal(weights[:, 0], 0)
    np.testing.assert_array_equal(weights[:, 1:], alphas[:, 1:])


def test_weights_are_clipped_and_those_of_dead_choices_zero():
  params = _params(
    [[-0.5, 0.3, 1.7], [0.2, 0.4, 0.9]], [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
  )
  weights = clipped.clipped(SPACE).sample(KEY, params)['op']
  np.testing.assert_allclose(weights, [[0, 0.3, 1], [0.2, 0, 0.9]])


def _loss_of_a_linear_node(weights, cost):
  """An edge that feeds a node on which the loss depends linearly."""
  return jnp.sum(weights['op'] * cost)


@pytest.mark.parametrize(
  'factory, couples', [(clipped.clipped, False), (softmax.softmax, True)]
)
def test_choices_do_not_compete_as_those_of_a_softmax_do(factory, couples):
  distribution = factory(SPACE)
  cost = jnp.arange(6.0).reshape(2, 3)
  params = distribution.init(KEY)
  hessian = jax.hessian(
    lambda alphas: _loss_of_a_linear_node(
      distribution.sample(
        KEY,
        {'op': alphas}
        if couples
        else clipped.ClippedParams({'op': alphas}, params.alive),
      ),
      cost,
    )
  )(params['op'] if couples else params.alphas['op']).reshape(6, 6)
  assert np.any(hessian - np.diag(np.diag(hessian)) != 0) == couples


def test_gradients_vanish_where_weights_are_clipped_dead_or_forbidden():
  mask = {'op': np.array([[True, True, True], [True, True, False]])}
  distribution = clipped.clipped(categorical.categorical(mask))
  params = _params(
    [[-0.5, 0.3, 1.7], [0.2, 0.4, 0.9]], [[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
  )
  gradient = jax.grad(
    lambda params: jnp.sum(distribution.sample(KEY, params)['op'])
  )(params)
  np.testing.assert_array_equal(gradient.alphas['op'], [[0, 1, 0], [0, 1, 0]])
  np.testing.assert_array_equal(gradient.alive['op'], 0)


def test_pruning_kills_for_ever_and_rounds_off_what_decay_did():
  params = _params(
    [[-0.1, 0.3, 0.0], [0.2, 0.4, 0.9]], [[1.0, 0.997, 1.0], [0.01, 1.0, 1.0]]
  )
  pruned = clipped.prune(params, jnp.array(1))
  np.testing.assert_array_equal(pruned.alive['op'], [[0, 1, 0], [0, 1, 1]])
  np.testing.assert_allclose(pruned.alphas['op'], [[0, 0.3, 0], [0, 0.4, 0.9]])
  revived = pruned._replace(alphas={'op': jnp.full((2, 3), 0.5)})
  again = clipped.prune(revived)
  np.testing.assert_array_equal(again.alive['op'], pruned.alive['op'])


@pytest.mark.parametrize('prunes', [True, False])
def test_momentum_revives_a_choice_unless_it_is_pruned(prunes):
  distribution = clipped.clipped(SPACE)

  def loss(weights, arch, key, slope):
    return weights + slope * arch['op'][0, 0], {}

  search = bilevel.bilevel(
    loss,
    lambda key: jnp.zeros(()),
    distribution,
    optax.sgd(0.1),
    # A heavy ball on the slope of the decay swings through zero and back.
    optax.masked(
      optax.chain(optax.add_decayed_weights(0.5), optax.sgd(0.2, momentum=0.9)),
      clipped.ClippedParams(alphas=True, alive=False),
    ),
    anneal=clipped.prune if prunes else None,
  )

  def step(state, slope):
    state, _ = search.update(KEY, state, {'train': slope, 'valid': slope})
    return state, distribution.sample(KEY, state.arch_params)['op'][0]

  slopes = jnp.where(jnp.arange(30) < 3, 1.0, 0.0)
  _, weights = jax.jit(lambda: jax.lax.scan(step, search.init(KEY), slopes))()
  died = np.flatnonzero(weights[:, 0] == 0)[0]
  assert 0 < died < 10
  assert np.any(weights[died:, 0] > 0) != prunes


def test_log_prob_is_that_of_exactly_one_choice_on():
  params = _params([[0.2, 0.5, 0.0], [0.1, 1.0, 0.3]])
  log_prob = clipped.clipped(SPACE).log_prob
  got = jnp.exp(log_prob(params, {'op': jnp.array([1, 1])}))
  np.testing.assert_allclose(got, 0.8 * 0.5 * 1 * (0.9 * 1 * 0.7), rtol=1e-6)
  assert log_prob(params, {'op': jnp.array([2, 1])}) == -jnp.inf
  with pytest.raises(ValueError, match='index architectures'):
    log_prob(params, {'op': jnp.ones((2, 3))})


def test_mode_follows_the_rule_of_the_space():
  space = darts_cell.darts_cell()
  space = space.restrict(decisions.without(space.mask))
  distribution = clipped.clipped(space, derive=darts_cell.derive)
  params = distribution.init(KEY)
  arch = jax.jit(distribution.mode)(params)
  expected = darts_cell.derive(distribution.sample(KEY, params))
  for name, leaf in expected.items():
    np.testing.assert_array_equal(arch[name], leaf)
    assert np.sum(leaf > 0) == 8


def test_a_subspace_has_weights_of_zero_outside():
  mask = {'op': np.array([[True, False, True], [False, True, True]])}
  distribution = masked.masked(clipped.clipped(SPACE), mask)
  params = distribution.init(KEY)
  weights = distribution.sample(KEY, params)['op']
  np.testing.assert_array_equal(weights > 0, mask['op'])
  gradient = jax.grad(
    lambda params: jnp.sum(distribution.sample(KEY, params)['op'])
  )(params)
  np.testing.assert_array_equal(gradient.alphas['op'], mask['op'])
