"""Tests of FairDARTS against its loss and Adam written out."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.spaces import darts_cell
from nasjax.systems import fair_darts

KEY = jax.random.key(0)
NUM_FEATURES, NUM_CLASSES = 5, 3
SPACE = darts_cell.darts_cell(num_nodes=1, operations=('none', 'a', 'b', 'c'))


def _apply(variables, arch, x):
  """Mixed linear maps on the edges of both cells, one after the other."""
  for name in ('normal', 'reduce'):
    w = variables['params'][name]
    x = x + jnp.tanh(jnp.einsum('ek,ekfg,nf->ng', arch[name], w, x))
  return x[:, :NUM_CLASSES]


def _init(key, arch, x):
  shape = (*arch['normal'].shape, x.shape[-1], x.shape[-1])
  keys = dict(zip(('normal', 'reduce'), jax.random.split(key)))
  return {
    'params': {name: jax.random.normal(k, shape) for name, k in keys.items()}
  }


def _batch(seed):
  keys = jax.random.split(jax.random.key(seed), 2)
  image = jax.random.normal(keys[0], (8, NUM_FEATURES))
  return {'image': image, 'label': jnp.argmax(image[:, :NUM_CLASSES], -1)}


def _entropy(w, alphas, batch):
  weights = jax.tree.map(lambda a: jax.nn.sigmoid(a).at[:, 0].set(0), alphas)
  logits = _apply({'params': w}, weights, batch['image'])
  losses = optax.losses.softmax_cross_entropy_with_integer_labels
  return losses(logits, batch['label']).mean()


def _loss(alphas, w, batch):
  on = [jax.nn.sigmoid(leaf[:, 1:]) for leaf in alphas.values()]
  zero_one = -jnp.mean((jnp.stack(on) - 0.5) ** 2)
  return _entropy(w, alphas, batch) + 10 * zero_one


def test_three_steps_are_those_of_the_loss_written_out():
  with jax.enable_x64(True):
    search = fair_darts.fair_darts(
      SPACE,
      SimpleNamespace(init=_init, apply=_apply),
      (NUM_FEATURES,),
      steps_per_epoch=1,
      num_epochs=4,
      max_norm=1e6,
    )
    adam = optax.chain(optax.add_decayed_weights(1e-3), optax.adam(3e-3))
    state, update = search.init(KEY), jax.jit(search.update)
    for leaf in state.arch_params.values():
      np.testing.assert_array_equal(leaf, 0)  # weights of one half
    assert not any(leaf.any() for leaf in search.best(KEY, state).values())

    @jax.jit
    def expected(w, alphas, buffer, adam_state, t):
      gradient = jax.grad(_loss)(alphas, w, _batch(10 + t))
      updates, adam_state = adam.update(gradient, adam_state, alphas)
      alphas = optax.apply_updates(alphas, updates)
      rate = 0.001 + 0.004 * (1 + jnp.cos(jnp.pi * t / 4)) / 2
      buffer = jax.tree.map(
        lambda b, g, x: 0.9 * b + g + 3e-4 * x,
        buffer,
        jax.grad(_entropy)(w, alphas, _batch(t)),
        w,
      )
      w = jax.tree.map(lambda x, b: x - rate * b, w, buffer)
      return w, alphas, buffer, adam_state

    w, alphas = state.weights, state.arch_params
    buffer, adam_state = jax.tree.map(jnp.zeros_like, w), adam.init(alphas)
    for t in range(3):
      batch = {'train': _batch(t), 'valid': _batch(10 + t)}
      state, _ = update(KEY, state, batch)
      w, alphas, buffer, adam_state = expected(w, alphas, buffer, adam_state, t)
    for name in ('normal', 'reduce'):
      np.testing.assert_allclose(
        state.arch_params[name], alphas[name], rtol=1e-6, atol=1e-9
      )
      np.testing.assert_allclose(
        state.weights[name], w[name], rtol=1e-6, atol=1e-9
      )


def test_what_reaches_the_bar_is_kept():
  search = fair_darts.fair_darts(
    SPACE,
    SimpleNamespace(init=_init, apply=_apply),
    (NUM_FEATURES,),
    steps_per_epoch=1,
  )
  state = jax.jit(search.init)(KEY)
  alphas = {
    # The sigmoid of 1.74 is above 0.85, that of 1.73 below.
    'normal': jnp.array([[9.0, 0.0, 1.74, 1.73], [9.0, 1.73, 0.0, -1.0]]),
    'reduce': jnp.array([[9.0, 2.0, 3.0, 4.0], [9.0, 1.8, 1.9, 1.75]]),
  }
  best = search.best(KEY, state._replace(arch_params=alphas))
  np.testing.assert_array_equal(best['normal'], [2, 0])
  np.testing.assert_array_equal(best['reduce'], [3, 2])
