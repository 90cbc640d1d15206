"""He's weights for the networks of DeepNets-1M."""

import jax
import jax.numpy as jnp

from nasjax.networks import deepnets_weights as weights
from nasjax.networks import hypernetwork
from nasjax.spaces import deepnets_graphs
from nasjax.types import Arch, Key, Params


def draw(layout: weights.Layout, key: Key, arch: Arch) -> Params:
  """Return He's weights for a network, in the form of `deepnets_weights.fit`.

  Args:
    layout: of the network.
    key: random key.
    arch: index choices.

  Returns:
    Dict of arrays.
  """
  # Blocks as large as the largest tensor: nothing in them is repeated.
  size = max(layout.steps) * weights.widths(layout)[-1]
  model = hypernetwork.Hypernetwork(
    layout.num_classes, 4, size, max(layout.kernels[0], weights.KERNEL)
  )
  start, blocks = weights.predictor(layout, model)
  graph = deepnets_graphs.graph(layout, arch)
  shapes = jax.eval_shape(lambda key: blocks(start(key, graph), graph), key)
  keys = jax.random.split(key, len(shapes))
  drawn = [
    jnp.zeros(shape.shape)
    if name in weights.VECTORS
    else jax.random.normal(key, shape.shape)
    for key, name, shape in zip(keys, shapes._fields, shapes)
  ]
  return weights.fit(layout, arch, graph, weights.Blocks(*drawn))
