"""Tests of the alternating and the joint search."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax import types
from nasjax.searches import bilevel, hypergradients, single_level

KEY = jax.random.key(0)
PARAMETERS = types.Distribution(
  init=lambda key: jnp.array(2.0),
  sample=lambda key, params: params,
  log_prob=lambda params, arch: jnp.array(0.0),
  mode=lambda params: (params > 0).astype(jnp.int32),
)
TRAIN, VALID = {'train': jnp.array(0.0)}, {'valid': jnp.array(1.0)}


def _scalar_loss(w, a, key, is_valid):
  """The example of figure 2 of the DARTS paper; one function for both parts."""
  train = w**2 - 2 * a * w + a**2
  valid = a * w - 2 * a + 1
  value = is_valid * valid + (1 - is_valid) * train
  return value, {'key': jax.random.key_data(key)}


def _scalar_search(hypergradient=None, xi=0.1, **kwargs):
  return bilevel.bilevel(
    _scalar_loss,
    lambda key: jnp.array(-2.0),
    PARAMETERS,
    optax.sgd(xi),
    optax.sgd(0.1),
    hypergradient,
    **kwargs,
  )


def _run(search, num_steps, batch):
  def step(state, t):
    return search.update(jax.random.fold_in(KEY, t), state, batch)

  return jax.lax.scan(step, search.init(KEY), jnp.arange(num_steps))


@pytest.mark.parametrize(
  'hypergradient',
  [
    hypergradients.exact(),
    hypergradients.finite_difference(),
    hypergradients.unrolled(1),
  ],
  ids=['exact', 'difference', 'unrolled'],
)
def test_second_order_converges_to_the_published_fixed_points(hypergradient):
  with jax.enable_x64(True):
    xi = jnp.array([0.1, 0.5, 0.7])
    state, metrics = jax.jit(
      jax.vmap(
        lambda xi: _run(_scalar_search(hypergradient, xi), 400, TRAIN | VALID)
      )
    )(xi)
    expected = 2 / (1 + 2 * np.asarray(xi))
    np.testing.assert_allclose(state.arch_params, expected, rtol=1e-6)
    np.testing.assert_allclose(state.weights, expected, rtol=1e-6)
    np.testing.assert_allclose(
      metrics['valid_loss'][:, -1], (expected - 1) ** 2, atol=1e-6
    )


def test_first_order_stalls_away_from_the_optimum():
  with jax.enable_x64(True):
    state, metrics = jax.jit(
      lambda: _run(_scalar_search(), 400, TRAIN | VALID)
    )()
    np.testing.assert_allclose(
      [state.arch_params, state.weights], [2, 2], rtol=1e-6
    )
    np.testing.assert_allclose(metrics['valid_loss'][-1], 1, rtol=1e-6)


def test_the_weight_step_follows_and_sees_the_architecture_step():
  search = _scalar_search()
  state, metrics = jax.jit(search.update)(KEY, search.init(KEY), TRAIN | VALID)
  got = [
    state.arch_params,
    state.weights,
    metrics['arch_gradient_norm'],
    metrics['weight_gradient_norm'],
    metrics['train_loss'],
  ]
  alpha = 2 - 0.1 * -4
  weight = -2 - 0.1 * 2 * (-2 - alpha)
  np.testing.assert_allclose(
    got, [alpha, weight, 4, 2 * (2 + alpha), (2 + alpha) ** 2], rtol=1e-6
  )


def test_training_and_validation_draw_from_different_keys():
  search = _scalar_search()
  _, metrics = search.update(KEY, search.init(KEY), TRAIN | VALID)
  assert np.any(metrics['train_key'] != metrics['valid_key'])


def _linear(batch_size=8):
  """Least squares on a mixture of two noisy inputs, with sampled weights."""
  x = jax.random.normal(jax.random.key(1), (2, batch_size, 4))

  def loss(weights, arch, key, part):
    noise = jax.random.normal(key, weights.shape)
    inputs = arch[0] * x[part] + arch[1] * x[part] ** 2
    return jnp.mean((inputs @ (weights + noise) - 1) ** 2), {}

  def sample(key, params):
    return jax.nn.softmax(params + jax.random.gumbel(key, params.shape))

  distribution = types.Distribution(
    lambda key: jax.random.normal(key, (2,)), sample, None, jnp.argmax
  )
  optimizer = optax.chain(
    optax.add_decayed_weights(0.1), optax.sgd(0.05, momentum=0.9)
  )
  init = lambda key: jax.random.normal(key, (4,))
  return loss, init, distribution, optimizer, {'train': 0, 'valid': 1}


def _reporting(train_loss, valid_loss, weights, alphas, optimizer, state):
  """A hypergradient of zero that reports the step which others unroll."""
  gradient = jax.grad(train_loss)(weights, alphas)
  updates, _ = optimizer.update(gradient, state, weights)
  value, metrics = valid_loss(weights, alphas)
  metrics = dict(metrics, weights=optax.apply_updates(weights, updates))
  return (value, metrics), jnp.zeros_like(alphas)


@pytest.mark.parametrize('max_norm', [1e6, 0.01])
def test_the_unrolled_step_is_the_real_step_unless_that_is_clipped(max_norm):
  loss, init, distribution, optimizer, batch = _linear()
  search = bilevel.bilevel(
    loss,
    init,
    distribution,
    optimizer,
    optax.sgd(0.0),
    _reporting,
    max_norm=max_norm,
  )
  state, update = search.init(KEY), jax.jit(search.update)
  for t in range(3):  # the momentum buffer is in use
    state, metrics = update(jax.random.key(t), state, batch)
    found = metrics['valid_weights']
    assert metrics['weight_gradient_norm'] > 0.01
    same = np.allclose(found, state.weights, rtol=1e-6)
    assert same == (max_norm == 1e6)


def test_clipping_scales_the_gradient_before_weight_decay():
  loss, init, distribution, _, batch = _linear()
  decay, max_norm = 0.1, 0.01
  optimizer = optax.chain(optax.add_decayed_weights(decay), optax.sgd(1.0))
  search = bilevel.bilevel(
    loss, init, distribution, optimizer, optax.sgd(0.0), max_norm=max_norm
  )
  before = search.init(KEY)
  after, _ = jax.jit(search.update)(KEY, before, batch)
  step = before.weights - after.weights - decay * before.weights
  np.testing.assert_allclose(np.linalg.norm(step), max_norm, rtol=1e-4)


def test_architecture_parameters_move_from_the_start_on_every_nth_step():
  search = _scalar_search(arch_start=3, arch_every=2)
  state, update = search.init(KEY), jax.jit(search.update)
  moved = []
  for _ in range(8):
    before = state.arch_params
    state, metrics = update(KEY, state, TRAIN | VALID)
    moved.append(bool(state.arch_params != before))
    assert (metrics['arch_gradient_norm'] > 0) == moved[-1]
    assert np.isfinite(metrics['valid_loss'])
  assert moved == [t in (3, 5, 7) for t in range(8)]


def test_a_penalty_moves_the_architecture_in_its_own_step_alone():
  def penalty(arch_params, arch, step):
    return 0.5 * step * arch_params + 0.25 * arch

  plain, penalised = _scalar_search(), _scalar_search(penalty=penalty)
  state = plain.init(KEY)._replace(step=jnp.array(2))
  expected, plain_metrics = plain.update(KEY, state, TRAIN | VALID)
  got, metrics = penalised.update(KEY, state, TRAIN | VALID)
  np.testing.assert_allclose(
    got.arch_params, expected.arch_params - 0.1 * (0.5 * 2 + 0.25)
  )
  np.testing.assert_allclose(metrics['valid_penalty'], 2.5)
  np.testing.assert_allclose(metrics['valid_loss'], plain_metrics['valid_loss'])
  np.testing.assert_allclose(  # the training loss itself has no penalty
    got.weights, -2 - 0.2 * (-2 - got.arch_params)
  )


def test_annealing_gets_the_number_of_updates_done():
  search = _scalar_search(anneal=lambda params, step: 100.0 + step + 0 * params)
  state = search.init(KEY)
  for done in (1, 2):
    state, _ = search.update(KEY, state, TRAIN | VALID)
    np.testing.assert_allclose(state.arch_params, 100 + done)


@pytest.mark.parametrize('part', ['train', 'valid'])
def test_a_loss_that_is_not_finite_is_counted(part):
  search = _scalar_search()
  state = search.init(KEY)
  _, metrics = search.update(KEY, state, TRAIN | VALID)
  assert metrics['diverged'] == 0
  batch = TRAIN | VALID | {part: jnp.array(jnp.nan)}
  _, metrics = search.update(KEY, state, batch)
  assert metrics['diverged'] == 1


def test_best_is_the_mode_of_the_distribution():
  search = _scalar_search()
  state = search.init(KEY)
  assert search.best(KEY, state) == 1
  assert search.best(KEY, state._replace(arch_params=jnp.array(-1.0))) == 0


def test_updates_are_traced_once_and_keep_the_form_of_the_state():
  loss, init, distribution, optimizer, batch = _linear()
  search = bilevel.bilevel(
    loss,
    init,
    distribution,
    optimizer,
    optax.adam(0.1),
    hypergradients.exact(),
    max_norm=5.0,
  )
  update = jax.jit(chex.assert_max_traces(search.update, 1))
  first = jax.jit(search.init)(KEY)
  state = first
  for t in range(3):
    state, _ = update(jax.random.key(t), state, batch)
  chex.assert_trees_all_equal_shapes_and_dtypes(first, state)


def test_runs_over_keys_are_batched_by_vmap():
  loss, init, distribution, optimizer, batch = _linear()
  search = bilevel.bilevel(
    loss,
    init,
    distribution,
    optimizer,
    optax.adam(0.1),
    hypergradients.exact(),
    max_norm=5.0,
    arch_start=1,
  )

  def run(key):
    state = search.init(key)
    for t in range(2):
      state, _ = search.update(jax.random.fold_in(key, t), state, batch)
    return state

  keys = jax.random.split(KEY, 3)
  together, loop = jax.jit(jax.vmap(run))(keys), jax.lax.map(run, keys)
  chex.assert_trees_all_close(together, loop, rtol=1e-5)


def test_single_level_takes_both_steps_on_the_same_training_loss():
  search = single_level.single_level(
    _scalar_loss,
    lambda key: jnp.array(-2.0),
    PARAMETERS,
    optax.sgd(0.1),
    optax.sgd(0.1),
    penalty=lambda params, arch, step: params,
  )
  state, metrics = search.update(KEY, search.init(KEY), TRAIN)
  np.testing.assert_allclose(state.weights, -2 - 0.1 * 2 * (-2 - 2))
  np.testing.assert_allclose(state.arch_params, 2 - 0.1 * (2 * (2 + 2) + 1))
  np.testing.assert_allclose(metrics['train_loss'], 16)
  np.testing.assert_allclose(metrics['train_penalty'], 2)


@pytest.mark.parametrize(
  'options', [{'arch_start': -1}, {'arch_every': 0}], ids=str
)
def test_impossible_intervals_are_errors(options):
  with pytest.raises(ValueError, match='arch_start must be at least 0'):
    _scalar_search(**options)


def test_a_batch_without_its_parts_is_an_error():
  search = _scalar_search()
  with pytest.raises(ValueError, match=r"train and valid, got \['train'\]"):
    search.update(KEY, search.init(KEY), TRAIN)


def _counting_loss(weights, arch, key, batch):
  """A loss whose carry counts its batches, and is part of the value."""
  del key
  count = batch['carry']
  value = (weights - batch['target'] - count) ** 2 + 0.1 * arch * weights
  return value, {'carry': count + batch['step']}


def test_each_part_has_a_carry_of_its_own():
  search = bilevel.bilevel(
    _counting_loss,
    lambda key: jnp.array(0.0),
    PARAMETERS,
    optax.sgd(0.1),
    optax.sgd(0.0),
    carry=jnp.array(3.0),
    arch_every=2,  # a carry is handed on without an architecture step, too
  )
  batch = {
    'train': {'target': jnp.array(1.0), 'step': jnp.array(1.0)},
    'valid': {'target': jnp.array(-1.0), 'step': jnp.array(10.0)},
  }
  state, metrics = jax.jit(lambda: _run(search, 3, batch))()
  assert state.carry == {'train': 6, 'valid': 33}
  assert 'train_carry' not in metrics
  w, train, valid = 0.0, [], []
  for t in range(3):
    valid.append((w + 1 - (3 + 10 * t)) ** 2 + 0.2 * w)
    train.append((w - 1 - (3 + t)) ** 2 + 0.2 * w)
    w -= 0.1 * (2 * (w - 1 - (3 + t)) + 0.2)
  np.testing.assert_allclose(metrics['train_loss'], train, rtol=1e-5)
  np.testing.assert_allclose(metrics['valid_loss'], valid, rtol=1e-5)


def test_the_validation_loss_may_be_another():
  def other(weights, arch, key, batch):
    return batch + 0.0 * weights * arch, {'seen': weights}

  search = _scalar_search(valid_loss=other)
  _, metrics = search.update(KEY, search.init(KEY), TRAIN | VALID)
  assert metrics['valid_loss'] == 1 and metrics['valid_seen'] == -2
  assert metrics['train_loss'] == 16 and 'train_seen' not in metrics


def _by_batch():
  def update(updates, state, params=None, *, batch, **kwargs):
    del params, kwargs
    return optax.tree.scale(batch + 1, updates), state

  return optax.GradientTransformationExtraArgs(
    lambda params: optax.EmptyState(), update
  )


def test_a_weight_optimiser_may_ask_for_the_training_batch():
  # The real step and the unrolled one are those of the same optimiser.
  search = bilevel.bilevel(
    lambda w, a, key, part: (part * w**2 + (1 - part) * (w - a) ** 2, {}),
    lambda key: jnp.array(-2.0),
    PARAMETERS,
    optax.chain(optax.sgd(0.1), _by_batch()),
    optax.sgd(0.0),
    hypergradients.exact(),
  )
  batch = {'train': jnp.array(0.5), 'valid': jnp.array(1.0)}
  state, metrics = search.update(KEY, search.init(KEY), batch)
  w = -2 - 1.5 * 0.1 * (2 * 0.5 * -2 + (-2 - 2))
  np.testing.assert_allclose(state.weights, w, rtol=1e-6)
  # dw' / da = 1.5 * 0.1, d L_val / dw' = 2 w'.
  np.testing.assert_allclose(
    metrics['arch_gradient_norm'], abs(0.15 * 2 * w), rtol=1e-5
  )
