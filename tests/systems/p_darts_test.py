"""Tests of P-DARTS."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import darts_cell
from nasjax.systems import p_darts

KEY = jax.random.key(0)
SPACE = darts_cell.darts_cell(num_nodes=2)
SKIP = darts_cell.OPERATIONS.index('skip_connect')
STEPS, EPOCHS, FROZEN = 2, 4, 2
RATES = (0.1, 0.4, 0.7)
NUM_OPTIONS = (8, 5, 3)


def _network():
  """Logits from the encoding; the rate shows as a constant loss."""

  def init(key, arch, x):
    del x
    shape = (SPACE.encode(arch).size, 3)
    return {'params': {'w': jax.random.normal(key, shape)}}

  def apply(variables, arch, x, drop_path, rngs):
    del rngs
    logits = x @ jnp.tanh(SPACE.encode(arch) @ variables['params']['w'])[None]
    return jnp.where(drop_path < 0, jnp.nan, 1) * logits

  return SimpleNamespace(init=init, apply=apply)


def _batch(num_steps):
  rng = np.random.default_rng(0)
  part = {
    'image': np.float32(rng.normal(size=(num_steps, 6, 1))),
    'label': rng.integers(3, size=(num_steps, 6)),
  }
  return {'train': part, 'valid': part}


def test_stages_have_fewer_operations_and_few_skip_connections():
  search = p_darts.p_darts(
    SPACE,
    [_network()] * 3,
    (1,),
    STEPS,
    EPOCHS,
    num_frozen_epochs=FROZEN,
    max_skips=1,
    arch_learning_rate=0.1,
    init_scale=1.0,
  )

  def step(state, batch):
    return search.update(KEY, state, batch)

  @jax.jit
  def run():
    state = search.init(KEY)
    return state, *jax.lax.scan(step, state, _batch(3 * STEPS * EPOCHS))

  start, state, metrics = run()
  assert metrics['diverged'].sum() == 0
  for i, mask in enumerate(state.masks):
    for name, leaf in mask.items():
      np.testing.assert_array_equal(leaf.sum(-1), NUM_OPTIONS[i])
      assert np.all(leaf <= state.masks[max(i - 1, 0)][name])
      moved = np.asarray(
        state.stages[i].arch_params[name] - start.stages[i].arch_params[name]
      )
      assert np.all(moved[np.asarray(leaf)] != 0)
  # However strong skip connections are.
  alpha = {
    name: leaf.at[:, SKIP].set(9.0)
    for name, leaf in state.stages[2].arch_params.items()
  }
  masks = jax.tree.map(lambda leaf: leaf.at[:, SKIP].set(True), state.masks[2])
  strong = state._replace(
    masks=(*state.masks[:2], masks),
    stages=(*state.stages[:2], state.stages[2]._replace(arch_params=alpha)),
  )
  best = jax.jit(search.best)(KEY, strong)
  assert np.sum(best['normal'] == SKIP) == 1
  assert np.sum(best['reduce'] == SKIP) == 4
  assert np.sum(best['normal'] > 0) == 4


def test_skip_connections_are_dropped_at_a_rate_that_decays_in_every_stage():
  seen = []

  def apply(variables, arch, x, drop_path, rngs):
    del rngs
    jax.debug.callback(lambda rate: seen.append(float(rate)), drop_path)
    features = SPACE.encode(arch) @ variables['params']['w']
    return x @ features[None]

  network = SimpleNamespace(init=_network().init, apply=apply)
  search = p_darts.p_darts(
    SPACE, [network] * 3, (1,), 1, EPOCHS, num_frozen_epochs=FROZEN
  )
  update, state = jax.jit(search.update), jax.jit(search.init)(KEY)
  rates = []
  for t in range(3 * EPOCHS):
    batch = jax.tree.map(lambda leaf, t=t: leaf[t], _batch(3 * EPOCHS))
    state, _ = update(KEY, state, batch)
    jax.effects_barrier()
    rates.append(set(seen))
    seen.clear()
  for t, found in enumerate(rates):
    stage, epoch = divmod(t, EPOCHS)
    expected = RATES[stage] * (
      (EPOCHS - epoch - 1) / EPOCHS
      if epoch < FROZEN
      else math.exp(-0.2 * (epoch - FROZEN))
    )
    assert len(found) == 1  # in both steps
    np.testing.assert_allclose(found.pop(), expected, rtol=1e-5)


def test_every_stage_needs_a_network():
  with pytest.raises(ValueError, match='2 networks need as many num_options'):
    p_darts.p_darts(SPACE, [_network()] * 2, (1,), 1)
