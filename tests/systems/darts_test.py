"""Tests of DARTS against a loop in numpy with the semantics of torch."""

from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.searches import hypergradients
from nasjax.spaces import darts_cell
from nasjax.systems import darts
from tests.systems import mixtures

KEY = jax.random.key(0)
NUM_FEATURES = mixtures.NUM_FEATURES
NUM_CLASSES, SPACE = mixtures.NUM_CLASSES, mixtures.SPACE


def _search(**kwargs):
  options = {'steps_per_epoch': 2, 'num_epochs': 3, 'derive': None} | kwargs
  return darts.darts(SPACE, mixtures.NETWORK, (NUM_FEATURES,), **options)


def _batches(num_steps):
  rng = np.random.default_rng(0)
  return [
    {
      part: {
        'image': rng.normal(size=(6, NUM_FEATURES)),
        'label': rng.integers(NUM_CLASSES, size=6),
      }
      for part in ('train', 'valid')
    }
    for _ in range(num_steps)
  ]


def _softmax(x):
  exp = np.exp(x - x.max(-1, keepdims=True))
  return exp / exp.sum(-1, keepdims=True)


def _gradients(w, alpha, batch):
  """Loss and its gradients with respect to w and alpha, by hand."""
  x, label, p = batch['image'], batch['label'], _softmax(alpha)
  outputs = np.einsum('nf,dkfc->dknc', x, w)
  probs = _softmax(np.einsum('dk,dknc->nc', p, outputs))
  error = (probs - np.eye(NUM_CLASSES)[label]) / len(x)
  to_w = np.einsum('dk,nf,nc->dkfc', p, x, error)
  to_p = np.einsum('nc,dknc->dk', error, outputs)
  to_alpha = p * (to_p - np.sum(p * to_p, -1, keepdims=True))
  loss = -np.mean(np.log(probs[np.arange(len(x)), label]))
  return loss, to_w, to_alpha


def _alpha_gradient(w, alpha, buffer, xi, batch, second_order):
  """Architect.step of the authors' program."""
  if not second_order:
    return _gradients(w, alpha, batch['valid'])[2]
  _, to_w, _ = _gradients(w, alpha, batch['train'])
  unrolled = w - xi * (0.9 * buffer + to_w + 3e-4 * w)
  _, vector, direct = _gradients(unrolled, alpha, batch['valid'])
  scale = 0.01 / np.linalg.norm(vector)
  above = _gradients(w + scale * vector, alpha, batch['train'])[2]
  below = _gradients(w - scale * vector, alpha, batch['train'])[2]
  return direct - xi * (above - below) / (2 * scale)


def _torch_loop(w, alpha, batches, max_norm, second_order):
  """Search of the authors with two steps an epoch and three epochs."""
  buffer, m, v = np.zeros_like(w), np.zeros_like(alpha), np.zeros_like(alpha)
  losses, norms = [], []
  for t, batch in enumerate(batches):
    xi = 0.001 + (0.025 - 0.001) * (1 + np.cos(np.pi * (t // 2) / 3)) / 2
    gradient = _alpha_gradient(w, alpha, buffer, xi, batch, second_order)
    gradient = gradient + 1e-3 * alpha
    m = 0.5 * m + 0.5 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    denominator = np.sqrt(v) / np.sqrt(1 - 0.999 ** (t + 1)) + 1e-8
    alpha = alpha - 3e-4 / (1 - 0.5 ** (t + 1)) * m / denominator
    loss, gradient, _ = _gradients(w, alpha, batch['train'])
    norms.append(np.linalg.norm(gradient))
    gradient = gradient * min(1, max_norm / (norms[-1] + 1e-6))
    buffer = 0.9 * buffer + gradient + 3e-4 * w
    w = w - xi * buffer
    losses.append(loss)
  return w, alpha, losses, norms


@pytest.mark.parametrize('second_order', [False, True])
def test_five_steps_equal_a_loop_with_the_semantics_of_torch(second_order):
  max_norm = 0.93
  with jax.enable_x64(True):
    search = _search(
      max_norm=max_norm,
      init_scale=1.0,
      hypergradient=hypergradients.finite_difference()
      if second_order
      else hypergradients.first_order(),
    )
    state, update = jax.jit(search.init)(KEY), jax.jit(search.update)
    w, alpha = state.weights['w'], state.arch_params['op']
    batches, losses = _batches(5), []
    for batch in batches:
      state, metrics = update(KEY, state, batch)
      losses.append(metrics['train_loss'])
    expected = _torch_loop(
      np.asarray(w), np.asarray(alpha), batches, max_norm, second_order
    )
    assert min(expected[3]) < max_norm < max(expected[3])  # clips some steps
    for got, value in zip(
      (state.weights['w'], state.arch_params['op'], losses), expected
    ):
      np.testing.assert_allclose(got, value, rtol=1e-5)
    np.testing.assert_allclose(  # the steps themselves, not their start
      state.arch_params['op'] - alpha, expected[1] - alpha, rtol=1e-5
    )


def test_second_order_is_exact_by_default():
  batch = _batches(1)[0]

  def norm(hypergradient):
    search = _search(hypergradient=hypergradient)
    _, metrics = search.update(KEY, search.init(KEY), batch)
    return metrics['arch_gradient_norm']

  default, exact, first_order = jax.jit(
    lambda: [
      norm(h)
      for h in (None, hypergradients.exact(), hypergradients.first_order())
    ]
  )()
  assert default == exact != first_order


def test_the_operation_that_generalises_wins():
  def batch(key):
    keys = jax.random.split(key, 2)
    image = jax.random.normal(keys[0], (16, 2 * NUM_FEATURES))
    signal = image[:, :NUM_FEATURES]
    label = jnp.argmax(signal[:, :NUM_CLASSES], -1)
    return {'image': image, 'label': label}

  def apply(variables, arch, x):
    signal, noise = jnp.split(x, 2, -1)
    inputs = [jnp.zeros_like(signal), noise, signal]
    branches = [lambda w, inputs, k=k: inputs[k] @ w for k in range(3)]
    return sum(
      choice.switch(c, branches, variables['params'], inputs)
      for c in arch['op']
    )

  def init(key, arch, x):
    return {'params': jax.random.normal(key, (x.shape[-1] // 2, NUM_CLASSES))}

  search = darts.darts(
    SPACE,
    SimpleNamespace(init=init, apply=apply),
    (2 * NUM_FEATURES,),
    steps_per_epoch=10,
    num_epochs=6,
    arch_learning_rate=0.05,
    learning_rate=0.2,
    derive=None,
  )

  def step(state, key):
    train, valid, update = jax.random.split(key, 3)
    return search.update(
      update, state, {'train': batch(train), 'valid': batch(valid)}
    )

  keys = jax.random.split(jax.random.key(1), 60)
  state, metrics = jax.jit(lambda: jax.lax.scan(step, search.init(KEY), keys))()
  best = search.best(KEY, state)
  np.testing.assert_array_equal(best['op'], [2, 2])
  assert metrics['valid_accuracy'][-10:].mean() > 0.8
  assert metrics['diverged'].sum() == 0


def test_cells_are_derived_by_the_rule_of_the_paper():
  space = darts_cell.darts_cell(num_nodes=2)
  num_edges, num_operations = space.mask['normal'].shape

  def apply(variables, arch, x):
    del x
    rows = [c @ variables['params'] for leaf in arch.values() for c in leaf]
    return jnp.stack(rows[:2])

  def init(key, arch, x):
    del arch, x
    return {'params': jax.random.normal(key, (num_operations, NUM_CLASSES))}

  search = darts.darts(
    space, SimpleNamespace(init=init, apply=apply), (1,), 2, init_scale=1.0
  )
  state = jax.jit(search.init)(KEY)
  best = search.best(KEY, state)
  probs = jax.tree.map(jax.nn.softmax, state.arch_params)
  chex.assert_trees_all_equal(best, darts_cell.derive(probs))
  kept = np.concatenate(list(best.values())) > 0
  assert kept.sum() == 8  # two inputs for each of two nodes of two cells
  assert num_edges == 5


def test_another_space_needs_another_rule():
  with pytest.raises(ValueError, match=r"got \['op'\].*derive=None"):
    _search(derive=darts_cell.derive)


def test_a_sweep_over_hyper_parameters_is_a_vmap():
  batches = jax.tree.map(lambda *leaves: jnp.stack(leaves), *_batches(2))

  def params(learning_rate, decay, arch_learning_rate):
    search = _search(
      learning_rate=learning_rate,
      weight_decay=decay,
      max_norm=decay * 100,
      arch_learning_rate=arch_learning_rate,
    )
    state, _ = jax.lax.scan(
      lambda state, batch: search.update(KEY, state, batch),
      search.init(KEY),
      batches,
    )
    return state.arch_params['op'], state.weights['w']

  sweep = (
    jnp.array([0.01, 0.3]),
    jnp.array([1e-3, 1e-2]),
    jnp.array([1e-3, 1e-2]),
  )
  together = jax.jit(jax.vmap(params))(*sweep)
  loop = jax.lax.map(lambda values: params(*values), sweep)
  chex.assert_trees_all_close(together, loop, rtol=1e-4, atol=1e-6)
  assert np.all(together[0][0] != together[0][1])


def test_updates_are_traced_once():
  search = _search()
  update = jax.jit(chex.assert_max_traces(search.update, 1))
  first = jax.jit(search.init)(KEY)
  state = first
  for t, batch in enumerate(_batches(3)):
    state, _ = update(jax.random.key(t), state, batch)
  chex.assert_trees_all_equal_shapes_and_dtypes(first, state)
