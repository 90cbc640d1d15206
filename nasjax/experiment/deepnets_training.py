"""Networks of DeepNets-1M side by side: their accuracies, and in training."""

from collections.abc import Callable, Collection
import functools

import jax
import numpy as np
import optax

from nasjax import batching
from nasjax.estimators import hypernetwork
from nasjax.networks import deepnets, deepnets_random
from nasjax.spaces import deepnets_layouts
from nasjax.types import Arch, Batch, Key, Params


def he_weights(
  layout: deepnets_layouts.Layout, key: Key, archs: Arch
) -> Params:
  """Return random weights of several networks, cut from the same numbers."""
  draw = functools.partial(deepnets_random.draw, layout, key)
  return jax.jit(jax.vmap(draw))(archs)


def scorer(
  layout: deepnets_layouts.Layout,
) -> Callable[[Params, Arch, Batch], jax.Array]:
  """Return a program of the accuracies of networks, compiled once.

  Args:
    layout: of the networks.

  Returns:
    `(params [B, ...], archs [B, ...], batches [T, N, ...]) -> f32[B]`; batches
    have weights of images, and norm uses the statistics of each.
  """

  def one(net, batches):
    run = functools.partial(deepnets.logits, layout, *net)
    return hypernetwork.accuracy(run, batches)

  @jax.jit
  def score(params, archs, batches):
    return batching.map_archs(one, (params, archs), shared=(batches,))

  return score


def trainer(
  layout: deepnets_layouts.Layout, learning_rate: float
) -> Callable[..., np.ndarray]:
  """Return a function that trains networks by Adam on the same batches.

  Args:
    layout: of the networks.
    learning_rate: of Adam.

  Returns:
    `(key, params [B, ...], archs [B, ...], batches, test, steps) -> f32[T, B]`,
    the accuracies on the stacked batches `test` after so many steps, T numbers
    in rising order. `batches` is `(key, t) -> batch`.
  """
  optimizer, score = optax.adam(learning_rate), scorer(layout)

  @jax.jit
  def step(params, moments, archs, batch):
    def one(net, batch):
      params, moments, arch = net

      def loss(params):
        logits = deepnets.logits(layout, params, arch, batch['image'])
        return hypernetwork.measure(logits, batch)[0]

      updates, moments = optimizer.update(jax.grad(loss)(params), moments)
      return optax.apply_updates(params, updates), moments

    nets = (params, moments, archs)
    return batching.map_archs(one, nets, shared=(batch,))

  def train(
    key: Key,
    params: Params,
    archs: Arch,
    batches: Callable[[Key, int], Batch],
    test: Batch,
    steps: Collection[int],
  ) -> np.ndarray:
    moments, rows = jax.vmap(optimizer.init)(params), []
    for t in range(max(steps) + 1):
      if t:
        params, moments = step(params, moments, archs, batches(key, t - 1))
      if t in steps:
        rows.append(np.asarray(score(params, archs, test)))
    return np.stack(rows)

  return train
