"""ZiCo: gradients that are large and agree between batches.

Li et al., ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on
Gradients, 2023, https://arxiv.org/abs/2301.11300, equation 16:

  sum_l log sum_w E|g_w| / std(g_w)

over convolutions and linear layers l and their weights w, with mean and
(population) standard deviation over the gradients of m batches. Weights whose
gradient does not vary are left out, and so are layers without others.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nasjax.estimators.zero_cost import proxy, saliency
from nasjax.types import Batch


@jax.custom_batching.custom_vmap
def _log_ratio(gradient):
  """The score of a layer, shared among the batches that `vmap` runs over."""
  return jnp.zeros((), gradient.dtype)  # one batch does not vary


@_log_ratio.def_vmap
def _(axis_size, is_batched, gradient):
  assert is_batched == [True], 'The gradients of a layer come from batches.'
  spread = jnp.std(gradient, axis=0)
  ratio = jnp.mean(jnp.abs(gradient), axis=0) / jnp.where(spread, spread, 1)
  total = jnp.sum(jnp.where(spread > 0, ratio, 0))
  score = jnp.where(total > 0, jnp.log(jnp.where(total > 0, total, 1)), 0)
  return jnp.broadcast_to(score / axis_size, (axis_size,)), True


def zico(network: Any, batch: Batch, num_batches: int = 2) -> proxy.Proxy:
  """Return the inverse coefficient of variation of gradients.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`, cut into parts.
    num_batches: m, the parts (paper: 2).

  Returns:
    The proxy.

  Raises:
    ValueError: if the examples cannot be parted.

  References:
    Li et al., ZiCo, 2023, https://arxiv.org/abs/2301.11300.
  """
  num_images = len(batch['image'])
  if num_batches < 2 or num_images % num_batches:
    raise ValueError(
      'ZiCo needs at least two batches of equal size, got '
      f'{num_images} images for num_batches={num_batches}.'
    )
  parts = jax.tree.map(
    lambda leaf: leaf.reshape(num_batches, -1, *leaf.shape[1:]), dict(batch)
  )

  def statistic(layer, cotangent):
    return _log_ratio(saliency.kernel_gradient(layer, cotangent))

  def raw(key, variables, arch):
    del key

    def loss(part):
      return proxy.cross_entropy(network, variables['params'], arch, part)

    return saliency.sum_over_layers(
      statistic, lambda: jax.vmap(loss)(parts).sum()
    )

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=jnp.nan,
    paper='https://arxiv.org/abs/2301.11300',
  )
