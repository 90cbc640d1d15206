"""Norms of predicted tensors, which GHN-3 adds to its loss.

B. Knyazev, D. Hwang and S. Lacoste-Julien, Can We Scale Transformers to Predict
Parameters of Diverse ImageNet Models?, ICML 2023,
https://arxiv.org/abs/2303.04143.
"""

import functools
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax import choice
from nasjax.networks import deepnets_blocks, hypernetwork
from nasjax.networks import deepnets_weights as weights
from nasjax.spaces import deepnets_graphs
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.types import Params

Layout = layouts.Layout


def padded(params: Params) -> jax.Array:
  """Return the sum of the Euclidean norms of all tensors of a network.

  Args:
    params: from `fit`.

  Returns:
    `f32[]`, whose gradient at tensors of zeros is zero, not NaN.
  """

  def of_leaf(path, leaf):
    name = path[-1].key
    axes = {
      **dict.fromkeys(weights.VECTORS, 1),
      **dict.fromkeys(weights.POINTS, 2),
    }
    num_axes = (axes | dict.fromkeys(weights.OF_STATES, 3)).get(name, 4)
    rows = leaf.reshape(-1, np.prod(leaf.shape[leaf.ndim - num_axes :]))
    return jnp.sum(optax.safe_norm(rows, 0.0, axis=-1))

  leaves = jax.tree_util.tree_map_with_path(of_leaf, params)
  return sum(jax.tree.leaves(leaves))


def decoded(
  layout: Layout,
  model: hypernetwork.Hypernetwork,
  variables: Any,
  found: deepnets_blocks.Vertices,
  normalise: bool = True,
) -> jax.Array:
  """Return the sum of the Euclidean norms of all tensors of a network.

  Args:
    layout: of the network.
    model: the hypernetwork.
    variables: of it.
    found: its vertices, from `deepnets_blocks.vertices`.
    normalise: whether predicted tensors are normalised.

  Returns:
    `f32[]`, whose gradient at tensors of zeros is zero, not NaN.
  """
  read, head = (
    deepnets_blocks.Blocks(model, normalise),
    deepnets_graphs.places(layout).head,
  )
  norm = lambda x: optax.safe_norm(x.ravel(), 0.0)

  def root(counts):
    return jnp.sqrt(counts.astype(jnp.float32))

  def of_kernel(p, rows, columns):
    outputs, inputs = (root(read.counts(p[1].shape[0, i])) for i in range(2))
    times = jnp.outer(inputs, outputs)[None, None]
    return norm(read.block(p, 0, rows, columns) * times)

  def of_vectors(p, has_scale):
    x = read.vectors(p, 0) * root(read.counts(p[1].shape[0, 0]))[None]
    return has_scale * norm(x[0]) + norm(x[1])

  sizes = sorted(deepnets_blocks.kernels(layout))
  branches = [
    lambda p: jnp.zeros(()),
    functools.partial(of_vectors, has_scale=0.0),
    functools.partial(of_vectors, has_scale=1.0),
    *(
      functools.partial(of_kernel, rows=rows, columns=columns)
      for rows, columns in sizes
    ),
  ]
  bias, bn, ln = (primitives.INDEX[name] for name in ('bias', 'bn', 'ln'))
  numbers = jnp.asarray(primitives.NUMBERS)[found.op]
  has = (numbers > 0) & (found.shape[:, 0] > 0)
  equal = jnp.all(found.shape[:, None, 2:] == np.array(sizes)[None], axis=-1)
  index = 3 + equal.argmax(1)
  index = jnp.where(found.op == bias, 1, index)
  index = jnp.where((found.op == bn) | (found.op == ln), 2, index)
  last = np.isin(np.arange(len(index)), head[-2:])
  index = jnp.where(has & ~last, index, 0)

  def one(item):
    number, vertex = item
    p = variables, jax.tree.map(lambda x: x[None], vertex)
    return choice.switch(number, branches, p)

  weight, b = read.classifier(
    (variables, jax.tree.map(lambda x: x[head], found))
  )
  inputs = root(read.counts(found.shape[head[-2], 1]))[:, None]
  return jnp.sum(lax.map(one, (index, found))) + norm(weight * inputs) + norm(b)
