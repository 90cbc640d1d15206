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

from typing import Any

import jax
import jax.numpy as jnp
import optax

from nasjax import batching
from nasjax.estimators import one_shot, samplers
from nasjax.networks import deepnets, deepnets_weights
from nasjax.networks.hypernetwork import Hypernetwork
from nasjax.spaces import deepnets_graphs, deepnets_layouts
from nasjax.types import Arch, Batch, Estimator, Params, Space


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


def measure(
  layout: deepnets_layouts.Layout, params: Params, arch: Arch, batch: Batch
) -> tuple[jax.Array, jax.Array]:
  """Return the cross entropy of a network, in nats, and its accuracy.

  Args:
    layout: of the network.
    params: its weights.
    arch: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.
  """
  logits = deepnets.logits(layout, params, arch, batch['image'])
  loss = optax.losses.softmax_cross_entropy_with_integer_labels(
    logits, batch['label']
  )
  return jnp.mean(loss), jnp.mean(logits.argmax(-1) == batch['label'])


def accuracy(
  layout: deepnets_layouts.Layout, params: Params, arch: Arch, batches: Batch
) -> jax.Array:
  """Return the share of images that a network tells right, `f32[]`.

  Args:
    layout: of the network.
    params: its weights.
    arch: the network.
    batches: stacked `[T, N, ...]`, with weights of images; norm uses the
      statistics of each.
  """

  def hits(batch):
    logits = deepnets.logits(layout, params, arch, batch['image'])
    return jnp.sum((logits.argmax(-1) == batch['label']) * batch['weight'])

  return jnp.sum(jax.lax.map(hits, batches)) / jnp.sum(batches['weight'])


def adam(
  num_steps: int,
  learning_rate: float = 1e-3,
  weight_decay: float = 1e-5,
  clip: float = 5.0,
) -> optax.GradientTransformation:
  """Return Adam whose rate falls to a tenth after 2/3 and after 5/6 of steps.

  The defaults are those of GHN-2.

  Args:
    num_steps: of all.
    learning_rate: of the first steps.
    weight_decay: L2 coefficient.
    clip: largest norm of a gradient.

  Returns:
    The optimiser.
  """
  falls = {num_steps * 2 // 3: 0.1, num_steps * 5 // 6: 0.1}
  return optax.chain(
    optax.clip_by_global_norm(clip),
    optax.add_decayed_weights(weight_decay),
    optax.adam(optax.piecewise_constant_schedule(learning_rate, falls)),
  )


def adamw(
  num_steps: int,
  learning_rate: float = 4e-4,
  weight_decay: float = 1e-2,
  clip: float = 5.0,
) -> optax.GradientTransformation:
  """Return AdamW whose rate grows in 1/15 of the steps, then follows a cosine.

  The defaults are those of GHN-3, whose rate starts from 1e-5 and grows for 5
  of 75 epochs.

  Args:
    num_steps: of all.
    learning_rate: the largest.
    weight_decay: share of the weights that is taken off, times the rate.
    clip: largest norm of a gradient.

  Returns:
    The optimiser.

  References:
    Knyazev et al., Can We Scale Transformers to Predict Parameters of Diverse
    ImageNet Models?, ICML 2023, https://arxiv.org/abs/2303.04143.
  """
  rate = optax.warmup_cosine_decay_schedule(
    learning_rate / 40, learning_rate, num_steps // 15, num_steps
  )
  return optax.chain(
    optax.clip_by_global_norm(clip),
    optax.adamw(rate, weight_decay=weight_decay),
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
  start, _ = deepnets_weights.predictor(layout, model)

  @jax.jit
  def first(key):
    arch = space.sample(jax.random.key(0))
    return start(key, deepnets_graphs.graph(layout, arch))

  def init(key):
    return one_shot.start(first(key), optimizer)

  def update(key, state, batch):
    archs = sampler(key)

    def loss(variables):
      params = predict(layout, model, variables, archs, normalise)
      losses, accuracies = batching.map_archs(
        lambda net, batch: measure(layout, *net, batch),
        (params, archs),
        shared=(batch,),
      )
      objective = jnp.mean(losses)
      if norm_penalty:
        norms = jax.vmap(deepnets_weights.sum_of_norms)(params)
        objective += norm_penalty * jnp.mean(norms)
      return objective, jnp.mean(accuracies)

    differentiate = jax.value_and_grad(loss, has_aux=True)
    (value, accuracy), gradient = differentiate(state.weights)
    state = one_shot.move(state, gradient, optimizer)
    return state, {'train_loss': value, 'train_accuracy': accuracy}

  def score(key, state, arch):
    del key
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], arch)
    params = predict(layout, model, state.weights, one, normalise)
    params = jax.tree.map(lambda leaf: leaf[0], params)
    return accuracy(layout, params, arch, valid)

  return Estimator(init, update, score)
