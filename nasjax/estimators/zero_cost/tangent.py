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

`kernel_scores` reads all four from one kernel.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nasjax.estimators import kernel_metrics, ntk
from nasjax.estimators.zero_cost import proxy
from nasjax.types import Batch

_LGA = 'https://arxiv.org/abs/2203.14577'
_TE_NAS = 'https://arxiv.org/abs/2102.11535'
# Of every score of a kernel: sign, failure, paper.
SCORES = {
  'mean': (1, jnp.nan, _LGA),
  'norm': (1, jnp.nan, _LGA),
  'condition_number': (-1, 1e5, _TE_NAS),
  'label_alignment': (1, 1e-4, _LGA),
}


def attributes(name: str, norm: str) -> dict[str, Any]:
  """Return sign, norm, failure and paper of a score of the kernel.

  Args:
    name: as in `kernel_metrics.metrics`.
    norm: 'batch' or 'frozen'.
  """
  sign, failure, paper = SCORES[name]
  return dict(sign=sign, norm=norm, failure=failure, paper=paper)


def kernel_scores(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
  classifier: bool = False,
) -> proxy.Joint:
  """Return mean, norm, condition_number and label_alignment of one kernel.

  Args:
    network: the network; one with an attribute `track` for frozen norm.
    batch: `dict(image=f32[N, H, W, C], label=i32[N])`.
    norm: 'batch' or 'frozen', see `ntk.kernel`.
    block_size: examples differentiated at once with statistics of the batch;
      bounds the memory.
    classifier: whether its weights count: yes in TE-NAS, no in Mok et al.

  Returns:
    The four scores.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  image, label = batch['image'], batch.get('label')
  select = ntk.is_any_weight if classifier else ntk.is_weight
  network = proxy.tracking(network) if norm == 'frozen' else network

  def raw(key, variables, arch):
    del key
    kernel = ntk.kernel(
      network,
      variables,
      arch,
      image,
      norm=norm,
      block_size=block_size,
      select=select,
    )
    return kernel_metrics.metrics(kernel, label)

  names = [
    name for name in SCORES if name != 'label_alignment' or 'label' in batch
  ]
  return proxy.joint(
    proxy.initializer(network, image),
    raw,
    {name: attributes(name, norm) for name in names},
  )


def condition_number(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
  classifier: bool = True,
) -> proxy.Proxy:
  """Return the condition number alone, see `kernel_scores`; lower is better."""
  scores = kernel_scores(network, batch, norm, block_size, classifier)
  return scores.proxies['condition_number']


def kernel_norm(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
) -> proxy.Proxy:
  """Return the Frobenius norm alone, see `kernel_scores`."""
  return kernel_scores(network, batch, norm, block_size).proxies['norm']


def label_alignment(
  network: Any,
  batch: Batch,
  norm: str = 'batch',
  block_size: int | None = None,
) -> proxy.Proxy:
  """Return the alignment of the kernel with the labels, see `kernel_scores`."""
  scores = kernel_scores(network, batch, norm, block_size)
  return scores.proxies['label_alignment']


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
  network = proxy.tracking(network) if norm == 'frozen' else network

  def raw(key, variables, arch):
    del key
    f, params = ntk.outputs(network, variables, arch, norm, ntk.is_weight)
    gradient = jax.grad(lambda p: f(p, image).sum())(params)
    squares = jax.tree.map(lambda leaf: jnp.sum(leaf**2), gradient)
    return sum(jax.tree.leaves(squares)) / len(image) ** 2

  init = proxy.initializer(network, image)
  return proxy.Proxy(init, raw, **attributes('mean', norm))
