"""Scores and training of a hypernetwork, against networks one at a time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.estimators import ghn_optimizers, hypernetwork, samplers
from nasjax.networks import (
  Hypernetwork,
  deepnets,
  deepnets_blocks,
  deepnets_norms,
  deepnets_predicted,
  deepnets_weights,
  graph_encoders,
)
from nasjax.spaces import deepnets as spaces
from nasjax.spaces import deepnets_graphs
from tests import descriptors

_LAYOUT = descriptors.DEEPNETS_LAYOUT
_BATCH = descriptors.PIXELS


def test_an_update_follows_the_mean_gradient_of_its_networks():
  space = spaces.deepnets(_LAYOUT)
  model = Hypernetwork(features=4, channels=2, kernel=3)
  # The second batch has one image, and another that does not count.
  valid = {
    name: np.stack([leaf, leaf[::-1]]) for name, leaf in _BATCH.items()
  } | {'weight': np.array([[1, 1], [1, 0]])}
  estimator = hypernetwork.hypernetwork(
    space,
    _LAYOUT,
    model,
    optax.sgd(1.0),
    valid,
    meta_batch=2,
    norm_penalty=0.01,
  )
  key = jax.random.key(3)
  state = estimator.init(jax.random.key(0))
  moved, metrics = jax.jit(estimator.update)(key, state, _BATCH)

  @jax.jit
  @jax.value_and_grad
  def loss(weights, arch):
    one = jax.tree.map(lambda leaf: leaf[None], arch)
    params = hypernetwork.predict(_LAYOUT, model, weights, one)
    params = jax.tree.map(lambda leaf: leaf[0], params)
    norms = deepnets_norms.padded(params)
    logits = deepnets.logits(_LAYOUT, params, arch, _BATCH['image'])
    return hypernetwork.measure(logits, _BATCH)[0] + norms / 100

  archs = jax.jit(samplers.uniform(space, 2))(key)
  each = [
    loss(state.weights, jax.tree.map(lambda leaf, i=i: leaf[i], archs))
    for i in range(2)
  ]
  np.testing.assert_allclose(
    metrics['train_loss'], sum(value for value, _ in each) / 2, rtol=1e-5
  )
  assert all(optax.tree.norm(gradient) > 1e-4 for _, gradient in each)
  expected = jax.tree.map(
    lambda w, a, b: w - (a + b) / 2, state.weights, *(g for _, g in each)
  )
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
    moved.weights,
    expected,
  )
  arch = jax.tree.map(lambda leaf: leaf[0], archs)

  @jax.jit
  def told(weights, image):
    one = jax.tree.map(lambda leaf: leaf[None], arch)
    params = hypernetwork.predict(_LAYOUT, model, weights, one)
    params = jax.tree.map(lambda leaf: leaf[0], params)
    return deepnets.logits(_LAYOUT, params, arch, image).argmax(-1)

  first, second = (told(moved.weights, image) for image in valid['image'])
  hits = [*(first == valid['label'][0]), second[0] == valid['label'][1][0]]
  score = jax.jit(estimator.score)(key, moved, arch)
  np.testing.assert_allclose(score, np.mean(hits), rtol=1e-6)


def test_networks_of_any_layout_train_by_the_program_that_decodes():
  layout = _LAYOUT._replace(widths=(2, 8), hidden=(0, 4))
  space = spaces.deepnets(layout)
  model = Hypernetwork(
    features=4, channels=4, kernel=3, encoder=graph_encoders.Perceptron
  )
  valid = jax.tree.map(lambda x: x[None], _BATCH | {'weight': np.ones(2)})
  estimator = hypernetwork.hypernetwork(
    space, layout, model, optax.sgd(1.0), valid, meta_batch=3
  )
  key = jax.random.key(2)
  state = estimator.init(jax.random.key(0))
  moved, metrics = jax.jit(estimator.update)(key, state, _BATCH)
  run = deepnets_predicted.logits(layout, model)

  @jax.jit
  def loss(variables, arch):
    found = deepnets_blocks.vertices(layout, model, variables, arch)
    logits = run(variables, found, arch, _BATCH['image'])
    return hypernetwork.measure(logits, _BATCH)[0]

  archs = jax.jit(samplers.uniform(space, 3))(key)
  losses = [
    loss(state.weights, jax.tree.map(lambda leaf, i=i: leaf[i], archs))
    for i in range(3)
  ]
  assert len({float(x) for x in losses}) == 3
  np.testing.assert_allclose(metrics['train_loss'], np.mean(losses), rtol=1e-5)
  change = jax.tree.map(
    lambda new, old: new - old, moved.weights, state.weights
  )
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(change))
  assert optax.tree.norm(change) > 1e-3


def test_an_embedding_is_the_mean_of_the_vertices_that_are_there():
  model = Hypernetwork(
    features=4, channels=2, kernel=3, encoder=graph_encoders.Perceptron
  )
  space = spaces.deepnets(_LAYOUT)
  archs = jax.jit(samplers.uniform(space, 3))(jax.random.key(1))
  graph = jax.jit(functools.partial(deepnets_graphs.graph, _LAYOUT))
  graphs = [graph(jax.tree.map(lambda x, i=i: x[i], archs)) for i in range(3)]
  init, _ = deepnets_weights.predictor(_LAYOUT, model)
  variables = jax.jit(init)(jax.random.key(0), graphs[0])
  embed = functools.partial(hypernetwork.embed, _LAYOUT, model)
  found = jax.jit(embed)(variables, archs)
  assert found.shape == (3, 4)
  vertices = jax.jit(functools.partial(model.apply, method='embed'))
  for row, graph in zip(found, graphs):
    h = vertices(variables, graph)
    there = [h[v] for v in range(len(h)) if graph.mask[v]]
    assert len(there) < len(h)
    np.testing.assert_allclose(row, np.mean(there, 0), rtol=1e-4, atol=1e-5)


def test_the_rate_of_adamw_grows_and_follows_a_cosine():
  num_steps, rate, decay = 45, 0.2, 0.1
  optimizer = ghn_optimizers.adamw(num_steps, rate, decay)
  weights = jnp.array([0.0, 3.0])
  gradient = jnp.array([1.0, 0.0])  # one is moved, one decays
  state, update = optimizer.init(weights), jax.jit(optimizer.update)
  for t in range(num_steps):
    change, state = update(gradient, state, weights)
    if t < 3:
      expected = rate / 40 + (rate - rate / 40) * t / 3
    else:
      expected = rate * (1 + np.cos(np.pi * (t - 3) / 42)) / 2
    np.testing.assert_allclose(
      change, [-expected, -expected * decay * 3], rtol=1e-4, atol=1e-7
    )
