"""LGA: evolution on the alignment of the tangent kernel with the labels.

Mok et al., Demystifying the Neural Tangent Kernel from a Practical Perspective:
Can it be trusted for Neural Architecture Search without training?, 2022,
https://arxiv.org/abs/2203.14577. At initialisation the kernel says little: it
moves far in the first epochs. After E epochs of SGD

  fitness(a) = correlation of K(a) with [y_i = y_j] - [y_i != y_j]

(`estimators.kernel_metrics.label_alignment`) on images that are not trained on.

Deviations
  * The authors' programs correlate and track the kernel; how their search is
    set up, they do not say. Fitness in evolution and, with `population` as the
    whole budget, in random search is our reading of the paper.
  * Their kernels are of test images. Here they are of a held-out part of the
    training images: the test split steers nothing.
"""

from collections.abc import Callable
from typing import Any

import jax

from nasjax.estimators import training, zero_cost
from nasjax.systems import regularized_evolution
from nasjax.types import Batch, Key, Search, Space


def lga(
  space: Space,
  network: Any,
  batches: Callable[[Key, jax.Array], Batch],
  valid: Batch,
  num_train_steps: int,
  *,
  norm: str = 'batch',
  learning_rate: float = 0.025,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  block_size: int | None = None,
  population: int = 10,
  tournament: int = 3,
  num_children: int = 1,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evolve architectures by the alignment of their briefly trained kernels.

  Args:
    space: the space.
    network: the network, with an attribute `track`.
    batches: `(key, t) -> batch` of the training split (paper: 1024 images).
    valid: `dict(image=f32[N, H, W, C], label=i32[N])` held out (paper: 256).
    num_train_steps: updates before the kernel is taken (paper: 1 epoch or a
      few; 0 for the kernel at initialisation).
    norm: of the kernel, 'batch' or 'frozen' (trained running statistics).
    learning_rate: of SGD, constant (authors' program: 0.025).
    momentum: of SGD (authors' program: 0.9).
    weight_decay: L2 coefficient (authors' program: 3e-4).
    block_size: examples differentiated at once, bounds memory.
    population: first architectures, drawn at random.
    tournament: size of a tournament.
    num_children: architectures trained and scored in one update.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  network = zero_cost.tracking(network)
  trainer = training.constant_rate(
    network, valid['image'].shape[1:], learning_rate, momentum, weight_decay
  )
  alignment = zero_cost.label_alignment(network, valid, norm, block_size)
  return regularized_evolution.regularized_evolution(
    space,
    zero_cost.trained(alignment, trainer, batches, num_train_steps),
    population,
    tournament,
    num_children,
    batch_size,
    archive_size,
  )
