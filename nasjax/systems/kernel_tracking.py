"""Kernel tracking: how the tangent kernel of a network moves in training.

Mok et al., Demystifying the Neural Tangent Kernel from a Practical Perspective:
Can it be trusted for Neural Architecture Search without training?, 2022,
https://arxiv.org/abs/2203.14577, section 4. A network is trained by SGD; after
every epoch the kernel of all pairs of logits of held-out images is compared
with the one at initialisation (`estimators.kernel_tracking`). In the regime of
lazy training it would stay.

Deviation
  * The authors track one architecture drawn from a range of accuracies; here
    every seed draws one from the space, without a look at accuracies.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax.estimators import kernel_tracking as tracking
from nasjax.estimators import training, zero_cost
from nasjax.types import Arch, Batch, Search, Space


class State(NamedTuple):
  """A network in training, and its kernel at initialisation."""

  arch: Arch
  child: training.Child
  first: jax.Array  # [N, N, O, O], or [N, N] of the sums of logits


def kernel_tracking(
  space: Space,
  network: Any,
  valid: Batch,
  *,
  norm: str = 'frozen',
  pairs: bool = True,
  learning_rate: float = 0.025,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  block_size: int | None = None,
) -> Search:
  """Train a random architecture and follow its kernel.

  Args:
    space: the space the architecture is drawn from.
    network: the network, with an attribute `track`.
    valid: held-out `dict(image=f32[N, H, W, C], label=i32[N])`.
    norm: of the kernel: 'frozen' (authors' program) or 'batch'.
    pairs: whether all pairs of logits count (authors' program), or their sums.
    learning_rate: of SGD, constant (authors' program: 0.025).
    momentum: of SGD (authors' program: 0.9).
    weight_decay: L2 coefficient (authors' program: 3e-4).
    block_size: what is differentiated at once with statistics of the batch:
      logits of an example, or examples without pairs; bounds memory.

  Returns:
    The search. Its batches are those of an epoch, `[T, B, ...]`, as
    `data.streams.stack` makes them; metrics are those of the kernel after the
    epoch, and means of the training over it.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  network = zero_cost.tracking(network)
  kernel, measure = tracking.tracker(network, valid, norm, block_size, pairs)
  trainer = training.constant_rate(
    network, valid['image'].shape[1:], learning_rate, momentum, weight_decay
  )

  def init(key):
    arch_key, init_key = jax.random.split(key)
    arch = space.sample(arch_key)
    child = trainer.init(init_key, arch)
    return State(arch, child, kernel(child, arch))

  def update(key, state, batch):

    def step(child, batch):
      step_key = jax.random.fold_in(key, child.step)
      return trainer.update(step_key, child, state.arch, batch)

    child, trained = jax.lax.scan(step, state.child, batch)
    current = kernel(child, state.arch)
    found = measure(current, state.first, child, state.arch)
    metrics = {f'kernel_{name}': value for name, value in found.items()}
    metrics['valid_accuracy'] = metrics.pop('kernel_accuracy')
    metrics |= jax.tree.map(jnp.mean, trained)
    return state._replace(child=child), metrics

  return Search(init, update, lambda key, state: state.arch)
