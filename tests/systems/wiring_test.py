"""Tests of the samplers under one objective."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.distributions import gumbel, one_hot, softmax, two_path
from nasjax.searches import hypergradients
from nasjax.spaces import categorical
from nasjax.systems import wiring

KEY = jax.random.key(0)
K = 3
SPACE = categorical.categorical({'op': (1, K)})
METHODS = {
  'darts': (softmax.softmax, {'level': 'bilevel'}),
  'snas': (gumbel.gumbel, {'final_temperature': 0.03}),
  'dsnas': (one_hot.one_hot, {}),
  'proxyless': (
    lambda space, **kwargs: one_hot.one_hot(space, 'softmax', **kwargs),
    {'level': 'bilevel'},
  ),
  'two_path': (two_path.two_path, {'level': 'bilevel', 'keep_share': True}),
}


def _constant_costs(costs):
  """A network of one edge whose loss is `costs . Z` and a constant.

  Its logits move along the gradient of the loss alone: to first order in the
  small costs, the loss is linear in Z.
  """
  costs = jnp.asarray(costs)

  def apply(variables, arch, x):
    del x
    cost = choice.select(arch['op'][0], costs) + 0 * variables['params']
    # The loss of two classes, label 0, is log 2 + cost + O(cost^2).
    return jnp.stack([-cost, cost])[None]

  return SimpleNamespace(
    init=lambda key, arch, x: {'params': jnp.zeros(())}, apply=apply
  )


def _search(method, costs, **kwargs):
  sampler, settings = METHODS[method]
  options = {'steps_per_epoch': 100, 'num_epochs': 4} | settings | kwargs
  return wiring.wiring(
    SPACE, _constant_costs(costs), sampler(SPACE), (1,), **options
  )


BATCH = {
  part: {'image': jnp.zeros((1, 1)), 'label': jnp.zeros(1, jnp.int32)}
  for part in ('train', 'valid')
}


def _logits(params):
  return np.asarray(getattr(params, 'logits', params)['op'][0])


@pytest.mark.parametrize('method', METHODS)
def test_the_choice_of_least_cost_wins(method):
  """I5: `none`, which costs nothing, wins if and only if all others cost."""
  costs = np.array([(0, 0.2, 0.1), (0, 0.2, -0.1), (0, -0.2, -0.1)])

  def final_logits(costs):
    search = _search(method, costs, arch_learning_rate=0.05)
    step = lambda state, key: (search.update(key, state, BATCH)[0], None)
    keys = jax.random.split(KEY, 300)
    params = jax.lax.scan(step, search.init(KEY), keys)[0].arch_params
    return getattr(params, 'logits', params)['op'][0]

  for row, logits in zip(costs, jax.jit(jax.vmap(final_logits))(costs)):
    best = np.argmax(logits)
    assert best == np.argmin(row)
    assert (best == 0) == (min(row[1:]) > 0)
    assert jax.nn.softmax(logits)[best] > 0.6


def test_the_flow_of_constant_costs_is_replicator_dynamics():
  """I5: plain descent on alpha multiplies odds by exp of the cost gap."""
  costs = 1e-3 * np.array([0.0, 2.0, 1.0])
  distribution = softmax.softmax(SPACE)
  p = lambda logits: np.exp(logits) / np.exp(logits).sum()
  alpha, step = np.zeros(K), 0.1
  for _ in range(20):
    alpha = alpha - step * p(alpha) * (costs - p(alpha) @ costs)
  network = _constant_costs(costs)

  def loss(params):
    arch = distribution.sample(KEY, params)
    logits = network.apply({'params': 0.0}, arch, None)
    return -jax.nn.log_softmax(logits)[0, 0]

  params = {'op': jnp.zeros((1, K))}
  gradient_of = jax.jit(jax.grad(loss))
  for _ in range(20):
    gradient = gradient_of(params)
    params = jax.tree.map(lambda a, g: a - step * g, params, gradient)
  np.testing.assert_allclose(params['op'][0], alpha, rtol=1e-2)
  assert np.argmax(alpha) == 0


def test_the_temperature_falls_linearly_and_not_within_an_epoch():
  search = _search(
    'snas', np.zeros(K), steps_per_epoch=3, num_epochs=4, final_temperature=0.2
  )
  update = jax.jit(search.update)
  state, seen = search.init(KEY), []
  for _ in range(12):
    seen.append(float(state.arch_params.temperature))
    state, _ = update(KEY, state, BATCH)
  np.testing.assert_allclose(seen, np.repeat([1, 0.8, 0.6, 0.4], 3), rtol=1e-5)
  np.testing.assert_allclose(state.arch_params.temperature, 0.2, rtol=1e-5)


def test_without_annealing_the_temperature_stays():
  search = _search('snas', np.zeros(K), final_temperature=None)
  update, state = jax.jit(search.update), search.init(KEY)
  for _ in range(3):
    state, _ = update(KEY, state, BATCH)
  assert state.arch_params.temperature == 1


def test_of_two_paths_the_third_keeps_its_probability():
  search = _search('two_path', (0.3, -0.1, 0.2), arch_learning_rate=0.3)
  update, state = jax.jit(search.update), search.init(KEY)
  for t in range(6):
    old = _logits(state.arch_params)
    state, _ = update(jax.random.key(t), state, BATCH)
    new = _logits(state.arch_params)
    (third,) = np.flatnonzero(old == new)
    p, q = (np.exp(x) / np.exp(x).sum() for x in (old, new))
    np.testing.assert_allclose(p[third], q[third], rtol=1e-5)
    assert np.abs(p - q).max() > 1e-2


def test_a_single_level_sees_the_training_batch_alone():
  search = _search('dsnas', (0.0, 0.2, 0.1))
  train = {'train': BATCH['train']}
  state = search.init(KEY)
  _, metrics = jax.eval_shape(search.update, KEY, state, train)
  assert {'train_loss', 'arch_gradient_norm'} <= set(metrics)
  assert 'valid_loss' not in metrics
  with pytest.raises(ValueError, match="train and valid, got \\['train'\\]"):
    _search('darts', np.zeros(K)).update(KEY, state, train)


def test_gradients_of_alpha_are_clipped():
  costs = (0.0, 30.0, -20.0)

  @jax.jit
  def first_moment(arch_max_norm):
    search = _search('darts', costs, arch_max_norm=arch_max_norm, arch_b1=0.0)
    state, metrics = search.update(KEY, search.init(KEY), BATCH)
    (moment,) = [
      leaf
      for path, leaf in jax.tree_util.tree_leaves_with_path(state.arch_state)
      if '.mu' in jax.tree_util.keystr(path)
    ]
    return jnp.linalg.norm(moment), metrics['arch_gradient_norm']

  for limit in (1e-2, 1e3):
    moment, norm = first_moment(limit)
    assert norm > 1
    # Weight decay comes after clipping.
    np.testing.assert_allclose(moment, min(norm, limit), rtol=1e-3)


@pytest.mark.parametrize(
  'method, kwargs, message',
  [
    ('darts', {'level': 'two'}, "'two'. Known: bilevel, single"),
    ('darts', {'final_temperature': 0.1}, 'temperature .* type dict'),
    (
      'dsnas',
      {'hypergradient': hypergradients.exact()},
      'single-level .* no hypergradient',
    ),
  ],
)
def test_mistakes_are_value_errors(method, kwargs, message):
  with pytest.raises(ValueError, match=message):
    _search(method, np.zeros(K), **kwargs)
