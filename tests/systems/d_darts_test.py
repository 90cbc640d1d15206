"""Tests of D-DARTS: every cell has its own loss and its own Adam."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.searches import ablation
from nasjax.spaces import darts_cell, separate_cells
from nasjax.systems import d_darts

KEY = jax.random.key(0)
NUM_CELLS, NUM_EDGES, NUM_CHOICES, NUM_FEATURES = 3, 2, 4, 5
SPACE = darts_cell.darts_cell(
  num_nodes=1, operations=('none', 'a', 'b', 'c'), num_cells=NUM_CELLS
)


def _apply(variables, arch, x):
  """A row of cells; every cell adds mixed linear maps to what it is given."""
  for cell, w in zip(arch['cells'], variables['params']['w']):
    x = x + jnp.tanh(jnp.einsum('ek,ekfg,nf->ng', cell, w, x))
  return x[:, :3]


def _init(key, arch, x):
  shape = (*arch['cells'].shape, x.shape[-1], x.shape[-1])
  return {'params': {'w': jax.random.normal(key, shape)}}


NETWORK = SimpleNamespace(init=_init, apply=_apply)


def _search(**kwargs):
  return d_darts.d_darts(
    SPACE,
    NETWORK,
    (NUM_FEATURES,),
    **({'steps_per_epoch': 1, 'num_epochs': 4} | kwargs),
  )


def _batch(seed):
  keys = jax.random.split(jax.random.key(seed), 4)
  return {
    part: {
      'image': jax.random.normal(keys[i], (8, NUM_FEATURES)),
      'label': jax.random.randint(keys[2 + i], (8,), 0, 3),
    }
    for i, part in enumerate(('train', 'valid'))
  }


def _entropy(w, alphas, batch):
  weights = jax.nn.sigmoid(alphas).at[..., 0].set(0)
  logits = _apply({'params': {'w': w}}, {'cells': weights}, batch['image'])
  losses = optax.losses.softmax_cross_entropy_with_integer_labels
  return losses(logits, batch['label']).mean()


def _loss_of_cell(i, alpha, w, alphas, batch, contribution):
  """L_i as a function of the alphas of cell i, all else held fixed."""
  value = _entropy(w, alphas.at[i].set(alpha), batch)
  zero_one = -jnp.mean((jax.nn.sigmoid(alpha)[:, 1:] - 0.5) ** 2)
  spoilt = _entropy(w, alphas, batch) - contribution[i]
  mean = contribution.mean()
  ablated = -(value - spoilt - mean) / mean
  return value, zero_one, ablated


def _step_by_cells(w, alphas, buffer, states, batch, contribution, t, mode):
  """One update with a loss and an Adam for each cell, all of them apart."""
  adam = optax.chain(optax.add_decayed_weights(1e-3), optax.scale_by_adam())
  cosine = (1 + jnp.cos(jnp.pi * t / 4)) / 2
  moved, moved_states = [], []
  for i, state in enumerate(states):

    def loss(alpha, i=i):
      value, zero_one, ablated = _loss_of_cell(
        i, alpha, w, alphas, batch['valid'], contribution
      )
      return value + 9 * zero_one + 0.7 * (mode == 'differentiable') * ablated

    gradient = jax.grad(loss)(alphas[i]).at[:, 0].set(0)  # none is forbidden
    step, state = adam.update(gradient, state, alphas[i])
    moved.append(alphas[i] - (0.001 + 0.002 * cosine) * step)
    moved_states.append(state)
  alphas = jnp.stack(moved)
  gradient = jax.grad(_entropy)(w, alphas, batch['train'])
  buffer = 0.9 * buffer + gradient + 3e-4 * w
  return w - (0.001 + 0.004 * cosine) * buffer, alphas, buffer, moved_states


@pytest.mark.parametrize('mode', ['off', 'constant', 'differentiable'])
def test_a_cell_moves_by_its_own_loss_and_its_own_adam(mode):
  with jax.enable_x64(True):
    search = _search(ablation=mode, max_norm=1e6)
    spread = jax.random.normal(KEY, (NUM_CELLS, NUM_EDGES, NUM_CHOICES))
    state = search.init(KEY)._replace(arch_params={'cells': spread})
    update = jax.jit(search.update)
    by_cells = jax.jit(functools.partial(_step_by_cells, mode=mode))
    empty = optax.EmptyState(), optax.scale_by_adam().init(spread[0])
    w, alphas = state.weights['w'], spread
    buffer, states = jnp.zeros_like(w), [empty] * NUM_CELLS
    for t in range(3):
      batch = _batch(t)
      state, metrics = update(jax.random.key(t), state, batch)
      contribution = metrics.get('valid_contribution', jnp.ones(NUM_CELLS))
      w, alphas, buffer, states = by_cells(
        w, alphas, buffer, states, batch, contribution, t
      )
    for got, expected in (
      (state.arch_params['cells'], alphas),
      (state.weights['w'], w),
    ):
      np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)


def _parallel(weights, arch, key, batch):
  """The logits are the sum of what the cells say."""
  del key
  image, label = batch
  logits = jnp.einsum('cek,cekfg,nf->ng', arch['cells'], weights, image)
  losses = optax.losses.softmax_cross_entropy_with_integer_labels
  return losses(logits, label).mean(), {}


def _contributions(weights, num_keys, weight=0.0):
  allowed = jnp.asarray(SPACE.mask['cells'])
  loss = ablation.with_ablation(_parallel, allowed, weight)
  arch = {'cells': jnp.full(allowed.shape, 0.8)}
  image = jax.random.normal(jax.random.key(1), (16, NUM_FEATURES))
  batch = (image, jnp.argmax(image[:, :3], -1))
  run = lambda key: jax.value_and_grad(loss, 1, has_aux=True)(
    weights, arch, key, batch
  )
  return jax.jit(jax.vmap(run))(jax.random.split(KEY, num_keys))


def test_a_cell_without_effect_contributes_nothing_and_equal_ones_the_same():
  shape = (NUM_EDGES, NUM_CHOICES, NUM_FEATURES, 3)
  cell = jnp.broadcast_to(jnp.eye(NUM_FEATURES, 3) / 4, shape)
  weights = jnp.stack([cell, jnp.zeros(shape), cell])
  (_, metrics), _ = _contributions(weights, 500)
  contribution = np.asarray(metrics['contribution'])
  np.testing.assert_allclose(contribution[:, 1], 0, atol=1e-6)
  assert np.all(contribution[:, [0, 2]].mean(0) < 0)  # spoiling does harm
  difference = contribution[:, 0] - contribution[:, 2]
  error = difference.std() / np.sqrt(len(difference))
  assert 0 < abs(difference.mean()) < 3 * error
  np.testing.assert_allclose(
    metrics['ablation_loss'],
    -contribution / contribution.mean(1, keepdims=True) + 1,
    rtol=1e-3,
    atol=1e-3,
  )


def test_cells_that_contribute_nothing_have_no_ablation_loss():
  shape = (NUM_CELLS, NUM_EDGES, NUM_CHOICES, NUM_FEATURES, 3)
  (value, metrics), gradient = _contributions(jnp.zeros(shape), 1, weight=0.7)
  np.testing.assert_array_equal(metrics['ablation_loss'], 0)
  np.testing.assert_array_equal(gradient['cells'], 0)
  np.testing.assert_allclose(value, np.log(3), rtol=1e-6)


@pytest.mark.parametrize('parse', ['sparse', 'edge'])
def test_best_is_parsed_cell_by_cell(parse):
  search = _search(parse=parse)
  state = jax.jit(search.init)(KEY)
  assert np.all(search.best(KEY, state)['cells'] == 0)  # all weigh a half
  alphas = 3 * jax.random.normal(KEY, (NUM_CELLS, NUM_EDGES, NUM_CHOICES))
  got = search.best(KEY, state._replace(arch_params={'cells': alphas}))
  rule = {
    'sparse': separate_cells.threshold_sparse,
    'edge': separate_cells.threshold_edges,
  }[parse]
  weights = jax.nn.sigmoid(alphas).at[..., 0].set(0)
  expected = rule({'cells': weights})
  np.testing.assert_array_equal(got['cells'], expected['cells'])
  assert np.any(got['cells'] > 0)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'ablation': 'on'}, "ablation 'on' .*differentiable"),
    ({'parse': 'all'}, "parse 'all'.*edge, sparse"),
  ],
)
def test_an_unknown_option_is_an_error(options, message):
  with pytest.raises(ValueError, match=message):
    _search(**options)


def test_a_space_of_two_kinds_is_an_error():
  with pytest.raises(ValueError, match="one leaf 'cells'"):
    d_darts.d_darts(darts_cell.darts_cell(), NETWORK, (NUM_FEATURES,), 1)
