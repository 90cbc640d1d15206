"""Sub-networks of a multilayer perceptron: which hidden nodes are kept.

The node space of R. Farahani, Random Search as a Baseline for Sparse Neural
Network Architecture Search, 2024, https://arxiv.org/abs/2403.08265: at sparsity
s every hidden layer of h nodes keeps exactly k = round((1 - s) h) of them, at
least one.

Deviations
  * Only the abstract of the paper was at hand: that every layer keeps the same
    share is ours.
"""

from collections.abc import Sequence
import math

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical
from nasjax.types import Arch, Key, Mask, Space


def kept(widths: Sequence[int], sparsity: float) -> list[int]:
  """Return the nodes that every layer keeps.

  Args:
    widths: of the hidden layers.
    sparsity: s, the share of nodes that are removed.

  Returns:
    k of every layer.

  Raises:
    ValueError: if the sparsity is not a share.
  """
  if not 0 <= sparsity < 1:
    raise ValueError(f'A sparsity lies between 0 and 1, got {sparsity}.')
  return [max(1, math.floor((1 - sparsity) * h + 0.5)) for h in widths]


def top(scores: Sequence[jax.Array], counts: Sequence[jax.Array]) -> Arch:
  """Return the mask of the nodes with the highest scores.

  Args:
    scores: of the nodes of every layer, `[h]`.
    counts: k of every layer; may be traced.

  Returns:
    `{'layer_0': i32[h], ...}`, 1 for the k best of a layer, 0 for the others.
  """
  return {
    f'layer_{i}': (jnp.argsort(jnp.argsort(-s)) < k).astype(jnp.int32)
    for i, (s, k) in enumerate(zip(scores, counts))
  }


def draw(key: Key, widths: Sequence[int], counts: Sequence[jax.Array]) -> Arch:
  """Return a mask of which all are equally likely, see `top`."""
  keys = jax.random.split(key, len(widths))
  return top(
    [jax.random.uniform(k, (h,)) for k, h in zip(keys, widths)], counts
  )


def weight_sparsity(sizes: Sequence[int], counts: Sequence[int]) -> float:
  """Return the share of weights and biases that masks of nodes remove.

  `1 - sum_l (k_(l-1) + 1) k_l / sum_l (h_(l-1) + 1) h_l`, over all layers.

  Args:
    sizes: inputs, hidden layers, outputs of the parent.
    counts: k of the hidden layers.

  Returns:
    A share.
  """
  total = lambda n: sum((a + 1) * b for a, b in zip(n, n[1:]))
  return 1 - total([sizes[0], *counts, sizes[-1]]) / total(list(sizes))


def node_masks(widths: Sequence[int], sparsity: float) -> Space:
  """Return the space of the masks of one sparsity.

  `mutate` removes a node and brings another one of its layer back.

  Example:
    >>> space = node_masks((96, 96), 0.9)
    >>> {k: int(v.sum()) for k, v in space.sample(jax.random.key(0)).items()}
    {'layer_0': 10, 'layer_1': 10}

  Args:
    widths: of the hidden layers.
    sparsity: share of the nodes of a layer that are removed.

  Returns:
    The space. It cannot be restricted: what a layer keeps is a number of nodes.

  Raises:
    ValueError: if the sparsity is not a share, or on `mutate` if all nodes are
      kept.
  """
  counts = kept(widths, sparsity)
  mask = {f'layer_{i}': np.ones((h, 2), bool) for i, h in enumerate(widths)}
  movable = [i for i, (h, k) in enumerate(zip(widths, counts)) if k < h]

  def mutate(key: Key, arch: Arch) -> Arch:
    if not movable:
      raise ValueError('A mask that keeps all nodes has no mutations.')
    layer_key, node_key = jax.random.split(key)
    which = jnp.asarray(movable)[
      jax.random.randint(layer_key, (), 0, len(movable))
    ]
    mutated = {}
    for i, h in enumerate(widths):
      leaf = arch[f'layer_{i}']
      noise = jax.random.uniform(jax.random.fold_in(node_key, i), (h,))
      removed = jnp.argmax(jnp.where(leaf == 1, noise, -1.0))
      returned = jnp.argmax(jnp.where(leaf == 0, noise, -1.0))
      swapped = leaf.at[removed].set(0).at[returned].set(1)
      mutated[f'layer_{i}'] = jnp.where(which == i, swapped, leaf)
    return mutated

  def restrict(other: Mask) -> Space:
    del other
    raise ValueError(
      'A space of masks with a fixed number of nodes has no '
      'subspaces by choices.'
    )

  return Space(
    lambda key: draw(key, widths, counts),
    mutate,
    lambda arch: categorical.encode(arch, mask),
    None,
    math.prod(math.comb(h, k) for h, k in zip(widths, counts)),
    mask,
    restrict,
  )
