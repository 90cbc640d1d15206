"""Scores read from the neural tangent kernel of a batch.

The kernel of the sums of logits (`estimators.ntk`), on weights and scales of
normalisation without the classifier, in one of two modes of normalisation, both
of which papers report:

  kernel_mean       mean of the entries
  kernel_norm       Frobenius norm
  condition_number  largest over smallest eigenvalue; lower is better (Chen et
                    al., TE-NAS, 2021, https://arxiv.org/abs/2102.11535, which
                    counts the classifier too)
  label_alignment   LGA, correlation with the kernel of the labels (Mok et al.,
                    Demystifying the Neural Tangent Kernel from a Practical
                    Perspective, 2022, https://arxiv.org/abs/2203.14577)
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nasjax.estimators import kernel_metrics, ntk
from nasjax.estimators.zero_cost import proxy
from nasjax.types import Batch

_LGA = 'https://arxiv.org/abs/2203.14577'
_TE_NAS = 'https://arxiv.org/abs/2102.11535'


def _proxy(network, image, norm, raw, sign, failure, paper):
  network = proxy.tracking(network) if norm == 'frozen' else network
  return proxy.Proxy(
    proxy.initializer(network, image), raw, sign, norm, failure, paper
  )


def _of_kernel(
  metric: Callable[[jax.Array], jax.Array],
  network: Any,
  image: jax.Array,
  norm: str,
  block_size: int | None,
  classifier: bool,
  sign: int,
  failure: float,
  paper: str,
) -> proxy.Proxy:
  """The proxy that is a function of the kernel."""
  select = ntk.is_any_weight if classifier else ntk.is_weight
  tracked = proxy.tracking(network) if norm == 'frozen' else network

  def raw(key, variables, arch):
    del key
    return metric(
      ntk.kernel(
        tracked,
        variables,
        arch,
        image,
        norm=norm,
        block_size=block_size,
        select=select,
      )
    )

  return _proxy(network, image, norm, raw, sign, failure, paper)


def condition_number(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
  classifier: bool = True,
) -> proxy.Proxy:
  """Return the condition number of the kernel; lower is better.

  Args:
    network: the network; one with an attribute `track` for frozen norm.
    batch: `dict(image=f32[N, H, W, C])`.
    norm: 'batch' or 'frozen', see `ntk.kernel`.
    block_size: examples differentiated at once; bounds the memory.
    classifier: whether its weights count: yes in TE-NAS, no in Mok et al.

  Returns:
    The proxy.

  References:
    Chen et al., TE-NAS, 2021, https://arxiv.org/abs/2102.11535, section 3.1.
  """
  return _of_kernel(
    kernel_metrics.condition_number,
    network,
    batch['image'],
    norm,
    block_size,
    classifier,
    sign=-1,
    failure=1e5,
    paper=_TE_NAS,
  )


def kernel_norm(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
) -> proxy.Proxy:
  """Return the Frobenius norm of the kernel.

  Args:
    network: the network; one with an attribute `track` for frozen norm.
    batch: `dict(image=f32[N, H, W, C])`.
    norm: 'batch' or 'frozen', see `ntk.kernel`.
    block_size: examples differentiated at once; bounds the memory.

  Returns:
    The proxy.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  return _of_kernel(
    jnp.linalg.norm,
    network,
    batch['image'],
    norm,
    block_size,
    classifier=False,
    sign=1,
    failure=jnp.nan,
    paper=_LGA,
  )


def label_alignment(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
) -> proxy.Proxy:
  """Return the alignment of the kernel with the labels, LGA.

  Args:
    network: the network; one with an attribute `track` for frozen norm.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.
    norm: 'batch' or 'frozen', see `ntk.kernel`.
    block_size: examples differentiated at once; bounds the memory.

  Returns:
    The proxy.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  return _of_kernel(
    lambda kernel: kernel_metrics.label_alignment(kernel, batch['label']),
    network,
    batch['image'],
    norm,
    block_size,
    classifier=False,
    sign=1,
    failure=1e-4,
    paper=_LGA,
  )


def kernel_mean(network: Any, batch: Batch, norm: str = 'batch') -> proxy.Proxy:
  """Return the mean of the entries of the kernel.

  It is `|d sum_n,o f_o(x_n) / dw|^2 / N^2`: one backward pass, no kernel.

  Args:
    network: the network; one with an attribute `track` for frozen norm.
    batch: `dict(image=f32[N, H, W, C])`.
    norm: 'batch' or 'frozen', see `ntk.kernel`.

  Returns:
    The proxy.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  image = batch['image']
  tracked = proxy.tracking(network) if norm == 'frozen' else network

  def raw(key, variables, arch):
    del key
    f, params = ntk.outputs(tracked, variables, arch, norm, ntk.is_weight)
    gradient = jax.grad(lambda p: f(p, image).sum())(params)
    squares = jax.tree.map(lambda leaf: jnp.sum(leaf**2), gradient)
    return sum(jax.tree.leaves(squares)) / len(image) ** 2

  return _proxy(network, image, norm, raw, 1, jnp.nan, _LGA)
