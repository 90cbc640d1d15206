"""Tests of DARTS-PRIME against a loop in numpy, and of what it claims."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.searches import hypergradients, penalties
from nasjax.spaces import categorical
from nasjax.systems import darts, darts_prime

KEY = jax.random.key(0)
NUM_DECISIONS, NUM_CHOICES, NUM_FEATURES, NUM_CLASSES = 2, 4, 5, 3
SPACE = categorical.categorical({'op': (NUM_DECISIONS, NUM_CHOICES)})
BRANCHES = [lambda rows, x, k=k: x @ rows[k] for k in range(NUM_CHOICES)]


def _apply(variables, arch, x):
  """Sum over decisions of the chosen linear map."""
  return sum(
    choice.switch(c, BRANCHES, rows, x)
    for c, rows in zip(arch['op'], variables['params']['w'])
  )


def _init(key, arch, x):
  del arch
  shape = (NUM_DECISIONS, NUM_CHOICES, x.shape[-1], NUM_CLASSES)
  return {'params': {'w': jax.random.normal(key, shape)}}


NETWORK = SimpleNamespace(init=_init, apply=_apply)


def _search(**kwargs):
  options = {
    'steps_per_epoch': 4,
    'num_epochs': 10,
    'arch_every': 1,
    'arch_learning_rate': 0.05,
    'derive': None,
  } | kwargs
  return darts_prime.darts_prime(SPACE, NETWORK, (NUM_FEATURES,), **options)


def _batches(num_steps, num_examples=6):
  rng = np.random.default_rng(0)
  return [
    {
      part: {
        'image': 2 * rng.normal(size=(num_examples, NUM_FEATURES)),
        'label': rng.integers(NUM_CLASSES, size=num_examples),
      }
      for part in ('train', 'valid')
    }
    for _ in range(num_steps)
  ]


def _gradients(w, weights, batch):
  """Gradients of the loss with respect to w and to the relaxed weights."""
  x, label = batch['image'], batch['label']
  outputs = np.einsum('nf,dkfc->dknc', x, w)
  logits = np.einsum('dk,dknc->nc', weights, outputs)
  exp = np.exp(logits - logits.max(-1, keepdims=True))
  error = exp / exp.sum(-1, keepdims=True) - np.eye(NUM_CLASSES)[label]
  error /= len(x)
  to_w = np.einsum('dk,nf,nc->dkfc', weights, x, error)
  return to_w, np.einsum('nc,dknc->dk', error, outputs)


def _loop(w, alpha, batches, rho):
  """The authors' loop: clipping, informed schedule, proximity, masks."""
  mask = np.ones_like(alpha)
  mask[:, 0] = 0  # no zero operation
  buffer, m, v = np.zeros_like(w), np.zeros_like(alpha), np.zeros_like(alpha)
  trace, threshold, moved, count = -1.0, 1.0, [], 0
  for t, batch in enumerate(batches):
    weights = mask * np.clip(alpha, 0, 1)
    moved.append(0 < trace < threshold)
    threshold *= 1.05 ** (-1.0 if moved[-1] else 1.0)
    if moved[-1]:
      count += 1
      gap = weights - np.eye(NUM_CHOICES)[weights.argmax(-1)]
      _, gradient = _gradients(w, weights, batch['valid'])
      gradient += t / len(batches) * rho / 2 * gap / np.linalg.norm(gap)
      gradient *= mask * (alpha > 0) * (alpha < 1)
      gradient += 1e-3 * alpha
      m = 0.5 * m + 0.5 * gradient
      v = 0.999 * v + 0.001 * gradient**2
      scale = np.sqrt(v / (1 - 0.999**count)) + 1e-8
      alpha = alpha - 0.05 * m / (1 - 0.5**count) / scale
      weights = mask * np.clip(alpha, 0, 1)
    gradient, _ = _gradients(w, weights, batch['train'])
    norm = np.linalg.norm(gradient)
    trace = norm**2 if trace < 0 else 0.2 * norm**2 + 0.8 * trace
    rate = 0.001 + 0.024 * (1 + np.cos(np.pi * (t // 4) / 10)) / 2
    buffer = 0.9 * buffer + gradient * min(1, 0.5 / norm) + 3e-4 * w
    w = w - rate * buffer
    mask *= alpha > 0
    alpha = alpha * mask
  return w, alpha, mask, moved


def test_forty_steps_equal_a_loop_of_the_three_improvements():
  with jax.enable_x64(True):
    search = _search(max_norm=0.5, rho=2.0)
    start = jax.jit(search.init)(KEY)
    batches = _batches(40)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *batches)
    state, metrics = jax.jit(
      lambda: jax.lax.scan(
        lambda state, batch: search.update(KEY, state, batch), start, stacked
      )
    )()
    w, alpha, mask, moved = _loop(
      np.asarray(start.weights['w']),
      np.asarray(
        start.arch_params.alphas['op'] * start.arch_params.alive['op']
      ),
      batches,
      rho=2.0,
    )
  np.testing.assert_array_equal(metrics['arch_step'], moved)
  assert 5 < sum(moved) < 35, sum(moved)
  np.testing.assert_array_equal(state.arch_params.alive['op'], mask)
  assert 0 < mask[:, 1:].sum() < mask[:, 1:].size  # some have died
  np.testing.assert_allclose(state.weights['w'], w, rtol=1e-5)
  np.testing.assert_allclose(
    state.arch_params.alphas['op'], alpha, rtol=1e-4, atol=1e-8
  )


def test_without_the_improvements_it_is_darts_of_the_first_order():
  batch = _batches(1)[0]
  prime = _search(clipped=False, informed=False, regularizer=None)
  plain = darts.darts(
    SPACE,
    NETWORK,
    (NUM_FEATURES,),
    steps_per_epoch=4,
    num_epochs=10,
    hypergradient=hypergradients.first_order(),
    arch_learning_rate=0.05,
    derive=None,
  )

  @jax.jit
  def run():
    states = []
    for search in (prime, plain):
      state = search.init(KEY)
      for _ in range(3):
        state, _ = search.update(KEY, state, batch)
      states.append((state.weights, state.arch_params))
    return states

  first, second = run()
  for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second)):
    np.testing.assert_allclose(a, b, rtol=1e-6)


def _planted(key):
  """A batch whose label needs all of the first features."""
  image = jax.random.normal(key, (32, NUM_FEATURES))
  label = jnp.argmax(image[:, :NUM_CLASSES], -1)
  return {'image': image, 'label': label}


def _views(variables, arch, x):
  """A linear map of a mixture of views, each of one of the features."""
  views = jnp.eye(NUM_CHOICES, NUM_FEATURES, -1)[:, None] * x[None]
  weights = jnp.sum(arch['op'], 0)
  return jnp.tensordot(weights, views, 1) @ variables['params']['w']


def _init_views(key, arch, x):
  del arch
  shape = (x.shape[-1], NUM_CLASSES)
  return {'params': {'w': jax.random.normal(key, shape)}}


@pytest.mark.parametrize(
  'regularizer, gap_left, drop_left',
  [
    ('proximity', 0.1, 0.5),
    ('adjusted_proximity', 0.1, 0.5),
    ('admm', 0.6, 0.85),
  ],
)
def test_a_regularizer_closes_the_gap_to_the_derived_architecture(
  regularizer, gap_left, drop_left
):
  network = SimpleNamespace(init=_init_views, apply=_views)

  def gap_and_drop(key, regularizer):
    search = darts_prime.darts_prime(
      SPACE,
      network,
      (NUM_FEATURES,),
      steps_per_epoch=10,
      num_epochs=30,
      informed=False,
      arch_every=1,
      regularizer=regularizer,
      rho=8.0,
      arch_learning_rate=0.02,
      learning_rate=0.2,
      derive=None,
    )

    def step(state, key):
      train, valid, update = jax.random.split(key, 3)
      batch = {'train': _planted(train), 'valid': _planted(valid)}
      return search.update(update, state, batch)

    state, _ = jax.lax.scan(step, search.init(key), jax.random.split(key, 300))
    params = state.arch_params
    weights = {'op': params.alive['op'] * jnp.clip(params.alphas['op'], 0, 1)}
    derived = penalties.derived_matrix(weights)

    def accuracy(arch):
      image = _planted(jax.random.key(7))
      logits = _views({'params': state.weights}, arch, image['image'])
      return jnp.mean(logits.argmax(-1) == image['label'])

    distance = jnp.linalg.norm(weights['op'] - derived['op'])
    return distance, accuracy(weights) - accuracy(derived)

  keys = jax.random.split(KEY, 8)
  regular, plain = jax.jit(
    lambda: [
      jax.vmap(lambda k, r=r: gap_and_drop(k, r))(keys)
      for r in (regularizer, None)
    ]
  )()
  assert np.all(regular[0] < gap_left * plain[0])
  assert regular[1].mean() < drop_left * plain[1].mean()


def test_an_unknown_regularizer_is_an_error():
  with pytest.raises(
    ValueError, match="'prox'. Known: adjusted_proximity, admm"
  ):
    _search(regularizer='prox')
