"""Multilayer perceptrons whose hidden nodes are masked.

  a_l = m_l * relu(W_l a_(l-1) + b_l),  logits = W a_L + b

All masks of a parent have its shapes, so thousands of sub-networks are one
program under `vmap`, and a node that is masked has no gradient. Weights start
normal with variance 2 / fan_in (K. He et al., Delving Deep into Rectifiers,
2015, https://arxiv.org/abs/1502.01852), biases at zero.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax.types import Arch, Key, Params


def init(key: Key, sizes: Sequence[int]) -> Params:
  """Return the weights of a parent.

  Args:
    key: of the draw.
    sizes: inputs, hidden layers, outputs.

  Returns:
    A list with `{'kernel': f32[in, out], 'bias': f32[out]}` of every layer.
  """
  keys = jax.random.split(key, len(sizes) - 1)
  return [
    {
      'kernel': jnp.sqrt(2 / a) * jax.random.normal(k, (a, b)),
      'bias': jnp.zeros(b),
    }
    for k, a, b in zip(keys, sizes, sizes[1:])
  ]


def apply(params: Params, arch: Arch, images: jax.Array) -> jax.Array:
  """Return the logits of a sub-network.

  Args:
    params: of the parent.
    arch: the mask, see `spaces.node_masks`.
    images: `[B, ...]`, flattened.

  Returns:
    `[B, num_classes]`.
  """
  x = images.reshape(len(images), -1)
  for i, layer in enumerate(params):
    x = x @ layer['kernel'] + layer['bias'][None]
    if i < len(params) - 1:
      x = jax.nn.relu(x) * arch[f'layer_{i}'].astype(x.dtype)[None]
  return x


class SubNetworks(NamedTuple):
  """The sub-networks of a parent, as a network that takes masks.

  Attributes:
    init: `(key, arch, x) -> variables`, those of the parent, whatever the key.
    apply: `(variables, arch, x, train, mutable) -> logits`.
  """

  init: Callable[..., Any]
  apply: Callable[..., Any]


def sub_networks(parent: Params) -> SubNetworks:
  """Return the network whose training starts from the weights of a parent.

  Args:
    parent: the weights, see `init`.

  Returns:
    The network.
  """

  def from_parent(key, arch, x):
    del key, arch, x
    return {'params': parent}

  def logits(variables, arch, x, train=True, mutable=None):
    del train
    y = apply(variables['params'], arch, x)
    return y if mutable is None else (y, {})

  return SubNetworks(from_parent, logits)


def drawn(sizes: Sequence[int], seed: int = 0) -> SubNetworks:
  """Return the sub-networks of the parent of a seed.

  Args:
    sizes: inputs, hidden layers, outputs.
    seed: of its weights.

  Returns:
    The network.
  """
  return sub_networks(init(jax.random.key(seed), sizes))


def node_norms(params: Params) -> list[jax.Array]:
  """Return the magnitude of every hidden node, `[h]` a layer.

  The product of the norms of its weights in and out: what multiplies a node
  and divides what it feeds changes nothing.

  Args:
    params: of a trained parent.
  """
  return [
    jnp.linalg.norm(a['kernel'], axis=0) * jnp.linalg.norm(b['kernel'], axis=1)
    for a, b in zip(params, params[1:])
  ]
