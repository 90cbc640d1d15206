"""Scores made of the weights of layers and their gradients.

With W_l the weights of all convolutions and linear layers, without norms and
biases, g_l the gradient of the mean cross entropy of a batch, H the Hessian,
z_l the output of a layer:

  grad_norm  sum_l |g_l|_2         (Abdelfattah et al., Zero-Cost Proxies for
                                   Lightweight NAS, 2021, arxiv 2101.08134)
  snip       sum |g W|             (Lee et al., 2019, arxiv 1810.02340)
  plain      sum g W               (Abdelfattah et al.)
  grasp      -sum W (H g)          (Wang et al., 2020, arxiv 2002.07376)
  fisher     sum_l sum_c |mean_n t_nc^2| / 2 * fan_in(l), t = sum over pixels of
             z dL/dz               (Theis et al., 2018, arxiv 1801.05787; Turner
                                   et al., 2020, arxiv 1906.04113)
  l2_norm    sum_l |W_l|_2         (Abdelfattah et al.)

in the form in which zero-cost benchmarks compute them. fan_in stands in fisher
because the programs repeat the value of a channel for each of its weights.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nasjax import partition
from nasjax.estimators.zero_cost import proxy
from nasjax.networks import taps
from nasjax.types import Batch

_ZERO_COST = 'https://arxiv.org/abs/2101.08134'


def _proxy(network, batch, value, paper=_ZERO_COST):
  """The proxy of `value(loss, weights)`, or of another function of weights."""

  def raw(key, variables, arch):
    del key
    weights, rest = partition.split(variables['params'], proxy.is_weight)

    def loss(weights):
      params = partition.merge(weights, rest)
      return proxy.cross_entropy(network, params, arch, batch)

    return value(loss, weights)

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=jnp.nan,
    paper=paper,
  )


def _dot(a, b):
  """Sum of the products of two trees."""
  products = jax.tree.map(lambda x, y: jnp.sum(x * y), a, b)
  return sum(jax.tree.leaves(products))


def sum_over_layers(
  statistic: taps.Statistic, loss: Callable[[], jax.Array]
) -> jax.Array:
  """Return the sum of a statistic over the layers that have a kernel.

  Args:
    statistic: `(layer, cotangent) -> f32[]`.
    loss: `() -> f32[]`, what the cotangents are derivatives of.

  Returns:
    `f32[]`.
  """

  def of_layer(layer, cotangent):
    if 'kernel' not in layer.params:
      return jnp.zeros(())
    return statistic(layer, cotangent)

  def tapped(tap):
    with taps.listening(of_layer, tap):
      return loss()

  return jax.grad(tapped)(jnp.zeros(()))


def _over_layers(statistic):
  return lambda loss, weights: sum_over_layers(statistic, lambda: loss(weights))


def snip(network: Any, batch: Batch) -> proxy.Proxy:
  """Return `sum |g W|`, the sensitivity of the loss to cutting weights.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.

  Returns:
    The proxy.

  References:
    Lee et al., SNIP, 2019, https://arxiv.org/abs/1810.02340.
  """

  def value(loss, weights):
    gradient = jax.grad(loss)(weights)
    return _dot(*(jax.tree.map(jnp.abs, t) for t in (gradient, weights)))

  return _proxy(network, batch, value, 'https://arxiv.org/abs/1810.02340')


def plain(network: Any, batch: Batch) -> proxy.Proxy:
  """Return `sum g W`.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.

  Returns:
    The proxy. Published with a positive sign, though it often correlates
    negatively.

  References:
    Abdelfattah et al., 2021, https://arxiv.org/abs/2101.08134.
  """
  return _proxy(
    network,
    batch,
    lambda loss, weights: _dot(jax.grad(loss)(weights), weights),
  )


def grasp(network: Any, batch: Batch) -> proxy.Proxy:
  """Return `-sum W (H g)`, how much cutting weights hurts the gradient's norm.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.

  Returns:
    The proxy.

  References:
    Wang et al., GraSP, 2020, https://arxiv.org/abs/2002.07376.
  """

  def value(loss, weights):
    gradient = jax.grad(loss)
    fixed = gradient(weights)
    product = jax.grad(lambda w: _dot(fixed, gradient(w)))(weights)
    return -_dot(weights, product)

  return _proxy(network, batch, value, 'https://arxiv.org/abs/2002.07376')


def grad_norm(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the sum of the norms of the gradients of all layers.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.

  Returns:
    The proxy.

  References:
    Abdelfattah et al., 2021, https://arxiv.org/abs/2101.08134.
  """

  def statistic(layer, cotangent):
    return jnp.sqrt(jnp.sum(kernel_gradient(layer, cotangent) ** 2))

  return _proxy(network, batch, _over_layers(statistic))


def l2_norm(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the sum of the norms of the weights of all layers.

  Args:
    network: the network.
    batch: one example is used, to find the layers of an architecture.

  Returns:
    The proxy.

  References:
    Abdelfattah et al., 2021, https://arxiv.org/abs/2101.08134.
  """
  one = jax.tree.map(lambda leaf: leaf[:1], batch)

  def statistic(layer, cotangent):
    del cotangent
    return jnp.sqrt(jnp.sum(layer.params['kernel'] ** 2))

  return _proxy(network, one, _over_layers(statistic))


def fisher(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the Fisher information of all channels, as programs sum it.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.

  Returns:
    The proxy.

  References:
    Turner et al., BlockSwap, 2020, https://arxiv.org/abs/1906.04113.
  """

  def statistic(layer, cotangent):
    pixels = tuple(range(1, cotangent.ndim - 1))
    channels = jnp.sum(layer.y * cotangent, axis=pixels)
    kernel = layer.params['kernel']
    fan_in = kernel.size // channels.shape[-1]
    return jnp.sum(jnp.mean(channels**2, axis=0)) / 2 * fan_in

  return _proxy(
    network, batch, _over_layers(statistic), 'https://arxiv.org/abs/1906.04113'
  )


def kernel_gradient(layer: taps.Layer, cotangent: jax.Array) -> jax.Array:
  """Return the gradient of the kernel of a layer.

  Args:
    layer: the layer.
    cotangent: of its output.
  """
  kernel = layer.params['kernel']
  _, pull_back = jax.vjp(
    lambda k: layer.apply({**layer.params, 'kernel': k}, layer.x), kernel
  )
  return pull_back(cotangent)[0]
