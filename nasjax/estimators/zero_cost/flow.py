"""Synaptic flow: how much of a network's output each weight carries.

Tanaka et al., Pruning neural networks without any data by iteratively
conserving synaptic flow, 2020, https://arxiv.org/abs/2006.05467; as a score of
architectures: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, 2021,
https://arxiv.org/abs/2101.08134.

All weights are replaced by their absolute values, the input is one image of
ones, R is the sum of the outputs:

  S = sum over convolutions and linear layers of |W| |dR / dW|,   score = log S

(-log(-S) where it is negative, as in benchmarks). S grows geometrically with
depth, beyond single precision on NAS-Bench-201: all is computed in double.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nasjax import partition
from nasjax.estimators.zero_cost import proxy
from nasjax.types import Batch


def _signed_log(x):
  magnitude = jnp.log(jnp.where(x == 0, 1, jnp.abs(x)))
  return jnp.where(x == 0, 0.0, jnp.sign(x) * magnitude)


def _flow(network, variables, arch, shape, train):
  """S of one image of ones, in double precision."""
  variables = jax.tree.map(
    lambda leaf: jnp.abs(leaf.astype(jnp.float64)), variables
  )
  weights, rest = partition.split(variables['params'], proxy.is_weight)

  def output(weights):
    params = partition.merge(weights, rest)
    return network.apply(
      {**variables, 'params': params},
      arch,
      jnp.ones((1, *shape), jnp.float64),
      train=train,
      mutable=['batch_stats'],
    )[0].sum()

  products = jax.tree.map(
    lambda w, g: jnp.sum(jnp.abs(w * g)), weights, jax.grad(output)(weights)
  )
  return sum(jax.tree.leaves(products))


def _without_norm(params):
  """Give normalisation its initial scale and shift, 1 and 0."""
  if not isinstance(params, dict):
    return params
  params = {name: _without_norm(child) for name, child in params.items()}
  if 'scale' in params:
    ones = jnp.ones_like(params['scale'])
    params |= {'scale': ones, 'bias': jnp.zeros_like(ones)}
  return params


def synflow(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the logarithm of the synaptic flow, without normalisation.

  Args:
    network: a module with an attribute `track`, as those of nasjax have.
    batch: gives the size of an image; its pixels are not used.

  Returns:
    The proxy.

  References:
    Tanaka et al., 2020, https://arxiv.org/abs/2006.05467.
  """
  network = proxy.tracking(network)
  image = batch['image']

  def raw(key, variables, arch):
    del key
    variables = {
      'params': _without_norm(variables['params']),
      'batch_stats': proxy.without_norm(variables.get('batch_stats', {})),
    }
    with jax.enable_x64(True):
      shape = image.shape[1:]
      score = _signed_log(_flow(network, variables, arch, shape, train=False))
    return score.astype(image.dtype)

  return proxy.Proxy(
    proxy.initializer(network, image),
    raw,
    sign=1,
    norm='none',
    failure=jnp.nan,
    paper='https://arxiv.org/abs/2006.05467',
  )


def synflow_bn(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the logarithm of the synaptic flow, with normalisation as it is.

  The one image is normalised over its pixels.

  Args:
    network: the network.
    batch: gives the size of an image; its pixels are not used.

  Returns:
    The proxy.

  References:
    Abdelfattah et al., 2021, https://arxiv.org/abs/2101.08134.
  """
  image = batch['image']

  def raw(key, variables, arch):
    del key
    with jax.enable_x64(True):
      shape = image.shape[1:]
      score = _signed_log(_flow(network, variables, arch, shape, train=True))
    return score.astype(image.dtype)

  return proxy.Proxy(
    proxy.initializer(network, image),
    raw,
    sign=1,
    norm='batch',
    failure=jnp.nan,
    paper='https://arxiv.org/abs/2101.08134',
  )
