"""Scores that count which examples rectifiers treat alike.

Every rectifier gives an example a bit a unit; the agreement of two examples is
the number of units with equal bits (`ops.agreement`), summed over rectifiers.

  naswot          log |det K|, K the agreement of all pairs of a batch
                  (Mellor et al., Neural Architecture Search without Training,
                  2021, https://arxiv.org/abs/2006.04647, section 3)
  linear_regions  number of distinct patterns (Chen et al., Neural Architecture
                  Search on ImageNet in Four GPU Hours, 2021,
                  https://arxiv.org/abs/2102.11535, section 3.2)

Rectifiers are `networks.layers.Relu`: a network of your own uses it in the
place of `jax.nn.relu`.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from nasjax.estimators.zero_cost import proxy
from nasjax.networks import layers
from nasjax.types import Arch, Batch, Params

_COUNTS = ('relu', 'official')


def agreement(
  network: Any,
  variables: Params,
  arch: Arch,
  image: chex.Array,
  count: str = 'relu',
) -> jax.Array:
  """Return in how many units two images have the same sign.

  Args:
    network: a module whose rectifiers are `layers.Relu`.
    variables: of the network.
    arch: index or static; of a mixture, operations without weight do not count.
    image: `[N, H, W, C]`.
    count: 'relu' for every rectifier once; 'official' for the authors' program
      on NAS-Bench-201, whose test of class names catches the block `ReLUConvBN`
      besides the ReLU in it: all but the last rectifier count twice.

  Returns:
    `f32[N, N]`, its diagonal the number of units.

  Raises:
    ValueError: if no rectifier reports.
  """
  if count not in _COUNTS:
    raise ValueError(f'Unknown count {count!r}. Known: {", ".join(_COUNTS)}.')
  _, reports = network.apply(
    variables, arch, image, mutable=[layers.AGREEMENT, 'batch_stats']
  )
  reports = reports.get(layers.AGREEMENT, {})
  leaves = jax.tree_util.tree_leaves_with_path(reports)
  if not leaves:
    raise ValueError(
      f'{type(network).__name__} has no rectifier that reports: use '
      'networks.layers.Relu in the place of jax.nn.relu.'
    )
  num = len(image)
  total = sum(leaf.reshape(-1, num, num).sum(0) for _, leaf in leaves)
  if count == 'official':
    last = reports.get('last_relu', {'count': 0.0})['count']
    total = 2 * total - last
  return total


def naswot(network: Any, batch: Batch, count: str = 'relu') -> proxy.Proxy:
  """Return log |det K| of the agreement of a batch.

  The paper's networks have one output, which changes nothing: the classifier
  comes after the last rectifier. Its batches are of 128 images; scores of
  different sizes are not comparable.

  Args:
    network: see `agreement`.
    batch: `dict(image=f32[N, H, W, C])`.
    count: see `agreement`.

  Returns:
    The proxy; -inf where two images are not told apart.

  References:
    Mellor et al., 2021, https://arxiv.org/abs/2006.04647, section 3.
  """

  def raw(key, variables, arch):
    del key
    kernel = agreement(network, variables, arch, batch['image'], count)
    with jax.enable_x64(True):
      score = jnp.linalg.slogdet(kernel.astype(jnp.float64))[1]
    return score.astype(kernel.dtype)

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=-jnp.inf,
    paper='https://arxiv.org/abs/2006.04647',
  )


def linear_regions(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the number of distinct sign patterns among the examples of a batch.

  `sum_i 1 / |{j: patterns i and j agree in all units}|`, the number of regions
  of the piecewise linear network that the batch visits.

  Args:
    network: see `agreement`.
    batch: `dict(image=f32[N, H, W, C])`; the authors' are 1,000 random 3x3
      patches of one channel.

  Returns:
    The proxy.

  References:
    Chen et al., TE-NAS, 2021, https://arxiv.org/abs/2102.11535, section 3.2.
  """

  def raw(key, variables, arch):
    del key
    counts = agreement(network, variables, arch, batch['image'])
    same = counts == jnp.diagonal(counts)[None]
    return jnp.sum(1 / jnp.sum(same, axis=1, dtype=counts.dtype))

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=jnp.nan,
    paper='https://arxiv.org/abs/2102.11535',
  )
