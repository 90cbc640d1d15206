"""The tangent kernel of a network in training: what it says, how it moves.

Mok et al., Demystifying the Neural Tangent Kernel from a Practical Perspective,
2022, https://arxiv.org/abs/2203.14577, sections 4 and 5. At initialisation and
after every epoch the kernel of held-out images is measured by

  mean, norm, condition_number, label_alignment    `kernel_metrics.metrics`
  relative_difference, correlation, cosine         from the first kernel,
                                                   `kernel_metrics.movement`

beside the accuracy on the same images, the cheaper thing to look at.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.estimators import kernel_metrics, ntk, training
from nasjax.estimators.zero_cost import proxy, tangent
from nasjax.types import Arch, Batch, Key, Metrics

_PAPER = 'https://arxiv.org/abs/2203.14577'
_MOVEMENT = ('relative_difference', 'correlation', 'cosine')

# `(child, arch) -> kernel`, and `(kernel, first, child, arch) -> metrics`
Kernel = Callable[[training.Child, Arch], jax.Array]
Measure = Callable[[jax.Array, jax.Array, training.Child, Arch], Metrics]


def tracker(
  network: Any,
  batch: Batch,
  norm: str = 'frozen',
  block_size: int | None = None,
  pairs: bool = False,
) -> tuple[Kernel, Measure]:
  """Return how kernels are taken and measured.

  Args:
    network: the network, with an attribute `track`.
    batch: held-out `dict(image=f32[N, H, W, C], label=i32[N])`.
    norm: 'frozen' for trained running statistics, 'batch' for those of the
      images.
    block_size: examples differentiated at once with statistics of the batch;
      bounds the memory.
    pairs: whether movement is that of the kernel of all pairs of logits,
      `[N, N, O, O]`, as in the authors' program, or that of their sums.

  Returns:
    Two functions, see above.
  """
  network = proxy.tracking(network)
  image, label = batch['image'], batch['label']

  def of_child(child):
    return {'params': child.params, 'batch_stats': child.batch_stats}

  def kernel(child, arch):
    if not pairs:
      return ntk.kernel(
        network, of_child(child), arch, image, norm=norm, block_size=block_size
      )
    f, params = ntk.outputs(network, of_child(child), arch, norm)
    return ntk.full(f, params, image, norm == 'batch', block_size)

  def measure(kernel, first, child, arch):
    logits = network.apply(of_child(child), arch, image, train=False)
    sums = jnp.sum(kernel, axis=(2, 3)) if pairs else kernel
    return {
      **kernel_metrics.metrics(sums, label),
      **kernel_metrics.movement(kernel, first),
      'accuracy': jnp.mean(logits.argmax(-1) == label),
    }

  return kernel, measure


def _attributes(name, norm):
  if name in tangent.SCORES:
    return tangent.attributes(name, norm)
  # Nobody says which movement is better: more is, here, to have an order.
  norm = 'frozen' if name == 'accuracy' else norm
  return dict(sign=1, norm=norm, failure=jnp.nan, paper=_PAPER)


def along_training(
  network: Any,
  batch: Batch,
  trainer: training.Trainer,
  batches: Callable[[Key, jax.Array], Batch],
  steps_per_epoch: int,
  num_epochs: int,
  norm: str = 'frozen',
  block_size: int | None = None,
) -> proxy.Joint:
  """Return what the kernel says after 0, 1, ... epochs as scores of a network.

  Args:
    network: the network, with an attribute `track`.
    batch: held-out `dict(image=f32[N, H, W, C], label=i32[N])`.
    trainer: from `training.train_child`, of the same network.
    batches: `(key, t) -> batch` of the training split.
    steps_per_epoch: updates between two measurements.
    num_epochs: E.
    norm: of the kernel, 'batch' or 'frozen'.
    block_size: examples differentiated at once with statistics of the batch;
      bounds the memory.

  Returns:
    Scores `<name>_<epoch>` of one training, drawn by the key of `raw`: epochs 0
    to E, or 1 to E where they compare with the first kernel.
  """
  kernel, measure = tracker(network, batch, norm, block_size)
  columns = [
    (name, e)
    for name in (*tangent.SCORES, *_MOVEMENT, 'accuracy')
    for e in range(name in _MOVEMENT, num_epochs + 1)
  ]

  def raw(key, variables, arch):
    del variables  # weights are drawn by the key, and trained
    init_key, train_key = jax.random.split(key)

    def epoch(carry, e):
      child, first = carry
      current = kernel(child, arch)
      first = jnp.where(e == 0, current, first)
      found = measure(current, first, child, arch)
      num_steps = jnp.where(e < num_epochs, steps_per_epoch, 0)
      child = training.advance(
        trainer, train_key, child, arch, batches, num_steps
      )
      return (child, first), found

    child = trainer.init(init_key, arch)
    first = jnp.zeros((len(batch['label']),) * 2)
    _, found = lax.scan(epoch, (child, first), jnp.arange(num_epochs + 1))
    return {f'{name}_{e}': found[name][e] for name, e in columns}

  attributes = {f'{name}_{e}': _attributes(name, norm) for name, e in columns}
  return proxy.joint(lambda key, arch: (), raw, attributes)
