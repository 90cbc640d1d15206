"""SPOS: a supernet trained on one random path at a time, then evolution on it.

Z. Guo et al., Single Path One-Shot Neural Architecture Search with Uniform
Sampling, ECCV 2020, https://arxiv.org/abs/1904.00420:

  W <- argmin_W E[L_train(N(a, W))],   a ~ uniform(space)                  (7)
  a* = argmax_a acc_valid(N(a, W))  by evolution,  cost(a) <= limit        (4)

With `strategies.random_search` in the place of evolution this is random search
with weight sharing (L. Li and A. Talwalkar, Random Search and Reproducibility
for Neural Architecture Search, 2019, https://arxiv.org/abs/1902.07638); with
another sampler it is FairNAS (`systems.fairnas`).

Deviations
  * Norm uses the statistics of the validation batch, where the authors' program
    estimates them anew, on training images, for every architecture.
  * The authors' program draws paths with costs spread evenly over a range.
  * What has no gradient is not moved, weight by weight rather than tensor by
    tensor.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from nasjax.estimators import one_shot, samplers
from nasjax.networks import loss as losses
from nasjax.searches import optimizers, phases
from nasjax.strategies import genetic
from nasjax.types import Arch, Batch, Search, Space, Strategy


def _linear_sgd(learning_rate, momentum, weight_decay, num_steps):
  """SGD whose rate falls to zero along a line."""
  rate = optax.linear_schedule(learning_rate, 0.0, num_steps)
  return optax.chain(
    optax.add_decayed_weights(weight_decay), optax.sgd(rate, momentum)
  )


def spos(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  valid: Batch,
  num_train_steps: int,
  *,
  learning_rate: float = 0.5,
  momentum: float = 0.9,
  weight_decay: float = 4e-5,
  label_smoothing: float = 0.1,
  sampler: samplers.Sampler | None = None,
  optimizer: optax.GradientTransformation | None = None,
  strategy: Strategy | None = None,
  cost: Callable[[Arch], jax.Array] | None = None,
  limit: float | None = None,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Train a supernet on random paths, then evolve architectures on it.

  Args:
    space: of independent choices.
    network: `init(key, arch, x)` and `apply(variables, arch, x) -> logits` for
      index architectures, with the collection 'params' alone.
    input_shape: of one example, `(H, W, C)` for images.
    valid: stacked batches `[T, B, ...]` on which architectures are scored.
    num_train_steps: updates of the supernet (authors' program: 150,000).
    learning_rate: of the first of them (authors' program: 0.5, for batches of
      1,024); it falls to zero along a line.
    momentum: of SGD.
    weight_decay: L2 coefficient (authors' program: 4e-5).
    label_smoothing: of the training loss (authors' program: 0.1).
    sampler: of the architectures of an update; None for one random path.
    optimizer: of the weights; None for the one of the arguments above.
    strategy: of the second phase; None for evolution with its published
      settings and the constraint.
    cost: `(arch) -> f32[]`, multiply-adds say.
    limit: the largest cost that is allowed.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    A search whose batches are `dict(image, label)` of the training split. An
    update behind `num_train_steps` is one generation (authors' program: 20).

  Raises:
    ValueError: if there is a cost without limit, a limit without cost, or a
      strategy that would not heed them.

  References:
    SPOS, https://arxiv.org/abs/1904.00420.
  """
  if (cost is None) != (limit is None) or (strategy and cost):
    raise ValueError(
      'A constraint of the evolution needs both a cost and a limit, and no '
      'other strategy.'
    )
  if strategy is None:
    feasible = None if cost is None else lambda arch: cost(arch) <= limit
    strategy = genetic.genetic(space, feasible=feasible)
  if optimizer is None:
    optimizer = _linear_sgd(
      learning_rate, momentum, weight_decay, num_train_steps
    )
  supernet = one_shot.one_shot(
    sampler or samplers.uniform(space),
    losses.classification_loss(network, label_smoothing),
    one_shot.init_supernet(network, space, input_shape),
    optimizers.where_used(optimizer),
    valid,
  )
  return phases.trained_first(
    supernet, num_train_steps, strategy, batch_size, archive_size
  )
