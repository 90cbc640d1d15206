"""Scores of how differently a network reacts to different images.

J_i is the gradient of the sum of the logits of image i with respect to that
image, R the correlation matrix of the rows of J.

  jacov    -sum_i log(s_i + k) + 1 / (s_i + k), s the eigenvalues of R
           (Mellor et al., Neural Architecture Search without Training, first
           version, 2020, https://arxiv.org/abs/2006.04647v1)
  epe_nas  sum over classes of |sum_ij log(|R_ij| + k)| (Lopes et al., EPE-NAS:
           Efficient Performance Estimation Without Training for Neural
           Architecture Search, 2021, https://arxiv.org/abs/2102.08099)

with k = 1e-5. Both end in double precision: 1/k magnifies the smallest
eigenvalues.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from nasjax.estimators.zero_cost import proxy
from nasjax.types import Arch, Batch, Params

_K = 1e-5
_MANY_CLASSES = 100


def _correlations(jacobian):
  """Correlations of the rows of J, `f64[N, N]`; call it in double precision."""
  rows = jacobian.reshape(len(jacobian), -1).astype(jnp.float64)
  return jnp.corrcoef(rows)


def jacobian(
  network: Any, variables: Params, arch: Arch, image: chex.Array
) -> jax.Array:
  """Return the gradients of the sum of all logits, `f32[N, H, W, C]`.

  Args:
    network: the network; it runs on the whole batch.
    variables: of the network.
    arch: the architecture.
    image: `[N, H, W, C]`.
  """
  return jax.grad(lambda x: proxy.logits(network, variables, arch, x).sum())(
    image
  )


def jacov(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the score of the eigenvalues of the correlations of Jacobians.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C])`.

  Returns:
    The proxy; NaN where an image has no gradient.

  References:
    Mellor et al., first version, 2020, https://arxiv.org/abs/2006.04647v1.
  """

  def raw(key, variables, arch):
    del key
    gradients = jacobian(network, variables, arch, batch['image'])
    with jax.enable_x64(True):
      values = jnp.linalg.eigvalsh(_correlations(gradients)) + _K
      score = -jnp.sum(jnp.log(values) + 1 / values)
    return score.astype(gradients.dtype)

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=jnp.nan,
    paper='https://arxiv.org/abs/2006.04647v1',
  )


def epe_nas(network: Any, batch: Batch) -> proxy.Proxy:
  """Return the score of the correlations of Jacobians within classes.

  With s_c the sum over the images of class c (a mean over images when there are
  more than 100 outputs): `sum_c |s_c|`, or for more than 100 outputs the mean
  over c of `sum_c' |s_c - s_c'|`, classes with one image left out.

  Args:
    network: the network.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.

  Returns:
    The proxy.

  References:
    Lopes et al., EPE-NAS, 2021, https://arxiv.org/abs/2102.08099.
  """

  def raw(key, variables, arch):
    del key
    gradients = jacobian(network, variables, arch, batch['image'])
    label = jnp.asarray(batch['label'])
    num_outputs = jax.eval_shape(
      lambda x: proxy.logits(network, variables, arch, x), batch['image']
    ).shape[-1]
    with jax.enable_x64(True):
      same = (label[:, None] == label[None]).astype(jnp.float64)
      logs = jnp.log(jnp.abs(_correlations(gradients)) + _K) * same
      sizes = same.sum(1)  # [N], of the class of every image
      sums = same @ logs.sum(1)  # [N], s_c of the class of every image
      if num_outputs <= _MANY_CLASSES:
        score = jnp.sum(jnp.abs(sums) / sizes)
      else:
        weights = jnp.where(sizes > 1, 1 / sizes, 0)
        means = sums / sizes
        gaps = jnp.abs(means[:, None] - means[None])
        score = weights @ gaps @ weights / weights.sum()
    return score.astype(gradients.dtype)

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=jnp.nan,
    paper='https://arxiv.org/abs/2102.08099',
  )
