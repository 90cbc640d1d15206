"""Scores with weights that a hypernetwork predicts from the architecture.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, NeurIPS
2021, https://arxiv.org/abs/2110.13100, section 2. Each update takes a
meta-batch of networks and a batch of images, and moves the hypernetwork to
lower the mean loss of the networks with its weights:

  min_phi  E_{a, (x, y)} loss(net_a(x; H(a, phi)), y)

A score is the accuracy of a network with predicted weights. The graphs of a
meta-batch go through the hypernetwork together, the networks run one after
another in the same program.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax import batching
from nasjax.estimators import one_shot, samplers
from nasjax.networks import (
  deepnets,
  deepnets_blocks,
  deepnets_norms,
  deepnets_predicted,
  deepnets_weights,
)
from nasjax.networks.hypernetwork import Hypernetwork
from nasjax.spaces import deepnets_graphs, deepnets_layouts
from nasjax.types import Arch, Batch, Estimator, Key, Params, Space


def predict(
  layout: deepnets_layouts.Layout,
  model: Hypernetwork,
  variables: Any,
  archs: Arch,
  normalise: bool = True,
) -> Params:
  """Return the predicted weights of several networks, padded to one shape.

  Args:
    layout: of the networks.
    model: the hypernetwork.
    variables: of it.
    archs: B networks, pytree of `[B, ...]`.
    normalise: whether weights are normalised.

  Returns:
    Pytree of `[B, ...]`, what `deepnets.logits` takes.
  """
  _, blocks = deepnets_weights.predictor(layout, model)

  def one(arch):
    graph = deepnets_graphs.graph(layout, arch)
    return deepnets_weights.fit(
      layout, arch, graph, blocks(variables, graph), normalise
    )

  return jax.vmap(one)(archs)


def embed(
  layout: deepnets_layouts.Layout,
  model: Hypernetwork,
  variables: Any,
  archs: Arch,
) -> jax.Array:
  """Return the mean embeddings of the vertices of several networks, `[B, d]`.

  Args:
    layout: of the networks.
    model: the hypernetwork.
    variables: of it.
    archs: B networks, pytree of `[B, ...]`.
  """

  def one(arch, variables):
    graph = deepnets_graphs.graph(layout, arch)
    h = model.apply(variables, graph, method='embed')
    return graph.mask @ h / jnp.sum(graph.mask)

  return batching.map_archs(one, archs, shared=(variables,))


def measure(logits: jax.Array, batch: Batch) -> tuple[jax.Array, jax.Array]:
  """Return the cross entropy of logits, in nats, and their accuracy.

  Args:
    logits: `f32[N, classes]` of the images.
    batch: has `label=i32[N]`.
  """
  loss = optax.losses.softmax_cross_entropy_with_integer_labels(
    logits, batch['label']
  )
  return jnp.mean(loss), jnp.mean(logits.argmax(-1) == batch['label'])


def accuracy(
  network: Callable[[jax.Array], jax.Array], batches: Batch
) -> jax.Array:
  """Return the share of images that a network tells right, `f32[]`.

  Args:
    network: images to logits.
    batches: stacked `[T, N, ...]`, with weights of images; norm uses the
      statistics of each.
  """

  def hits(batch):
    is_hit = network(batch['image']).argmax(-1) == batch['label']
    return jnp.sum(is_hit * batch['weight'])

  return jnp.sum(jax.lax.map(hits, batches)) / jnp.sum(batches['weight'])


class _Program(NamedTuple):
  """How networks of a layout run with predicted weights."""

  init: Callable[[Key], Any]  # -> variables
  prepare: Callable[[Any, Arch], Any]  # (variables, B networks) -> [B, ...]
  # (variables, one network prepared, its architecture, images) -> logits
  logits: Callable[[Any, Any, Arch, jax.Array], jax.Array]
  norms: Callable[[Any, Any], jax.Array]  # sum of those of all tensors


def _padded(layout, model, normalise):
  """Return the program whose tensors are those of the widest network."""

  def logits(variables, params, arch, image):
    del variables
    return deepnets.logits(layout, params, arch, image)

  return _Program(
    functools.partial(deepnets_blocks.init, layout, model),
    lambda variables, archs: predict(
      layout, model, variables, archs, normalise
    ),
    logits,
    lambda variables, params: deepnets_norms.padded(params),
  )


def _decoded(layout, model, normalise):
  """Return the program that decodes tensors where they are used."""
  known = layout, model

  def prepare(variables, archs):
    vertices = functools.partial(deepnets_blocks.vertices, *known, variables)
    return jax.vmap(vertices)(archs)

  return _Program(
    functools.partial(deepnets_blocks.init, *known),
    prepare,
    # Without: residuals of all parts of the program, for all networks.
    jax.checkpoint(deepnets_predicted.logits(*known, normalise)),
    lambda variables, found: deepnets_norms.decoded(
      *known, variables, found, normalise
    ),
  )


def hypernetwork(
  space: Space,
  layout: deepnets_layouts.Layout,
  model: Hypernetwork,
  optimizer: optax.GradientTransformation,
  valid: Batch,
  meta_batch: int = 8,
  normalise: bool = True,
  norm_penalty: float = 0.0,
) -> Estimator:
  """Return the estimator whose weights are those of a hypernetwork.

  Args:
    space: of the networks that train it.
    layout: of the networks that are scored, and of those of the space.
    model: the hypernetwork.
    optimizer: of its weights.
    valid: stacked batches `[T, B, ...]` of the split that steers the search,
      with weights; norm uses the statistics of each.
    meta_batch: networks of an update.
    normalise: whether predicted weights are normalised (GHN-2) or not.
    norm_penalty: weight of the norms of predicted tensors, whose sum is added
      to the loss of each network (GHN-3: 3e-5).

  Returns:
    The estimator. Its batches are `dict(image, label)`.

  References:
    Knyazev et al., 2021.
  """
  sampler = samplers.uniform(space, meta_batch)
  # Small networks take half the time with padded tensors.
  make = _decoded if deepnets_weights.lacks(layout) else _padded
  program = make(layout, model, normalise)
  start = jax.jit(program.init)

  def init(key):
    return one_shot.start(start(key), optimizer)

  def update(key, state, batch):
    archs = sampler(key)

    def loss(variables):
      def one(net, batch, variables):
        logits = program.logits(variables, *net, batch['image'])
        value, hits = measure(logits, batch)
        if norm_penalty:
          value += norm_penalty * program.norms(variables, net[0])
        return value, hits

      # All graphs at once, then one network after the other.
      nets = program.prepare(variables, archs), archs
      losses, accuracies = batching.map_archs(
        one, nets, shared=(batch, variables)
      )
      return jnp.mean(losses), jnp.mean(accuracies)

    differentiate = jax.value_and_grad(loss, has_aux=True)
    (value, hits), gradient = differentiate(state.weights)
    state = one_shot.move(state, gradient, optimizer)
    return state, {'train_loss': value, 'train_accuracy': hits}

  def score(key, state, arch):
    del key
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], arch)
    nets = program.prepare(state.weights, one), one
    net = jax.tree.map(lambda leaf: leaf[0], nets)
    return accuracy(
      functools.partial(program.logits, state.weights, *net), valid
    )

  return Estimator(init, update, score)
