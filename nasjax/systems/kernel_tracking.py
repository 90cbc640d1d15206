"""Kernel tracking: how the tangent kernel of a network moves in training.

Mok et al., Demystifying the Neural Tangent Kernel from a Practical Perspective:
Can it be trusted for Neural Architecture Search without training?, 2022,
https://arxiv.org/abs/2203.14577, section 4. A network is trained by SGD; before
every epoch the kernel of all pairs of logits of held-out images is compared
with the one at initialisation (`estimators.kernel_tracking`). In the regime of
lazy training it would stay.

Deviation
  * The authors track one architecture drawn from a range of accuracies; here
    every seed draws one from the space, whose mask can be as narrow as that.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax.estimators import kernel_tracking as tracking
from nasjax.estimators import training
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
    block_size: examples differentiated at once without pairs; bounds memory.

  Returns:
    The search. Its batches are those of an epoch, `[T, B, ...]`, as
    `data.streams.stack` makes them; metrics of update t are of the kernel after
    t epochs, and of the training in the epoch that follows.

  References:
    Mok et al., 2022, https://arxiv.org/abs/2203.14577.
  """
  network = network.clone(track=True)
  kernel, measure = tracking.tracker(network, valid, norm, block_size, pairs)
  trainer = training.train_child(
    network,
    valid['image'].shape[1:],
    num_steps=1,
    learning_rate=learning_rate,
    constant=True,
    momentum=momentum,
    weight_decay=weight_decay,
    max_norm=None,
  )

  def init(key):
    arch_key, init_key = jax.random.split(key)
    arch = space.sample(arch_key)
    child = trainer.init(init_key, arch)
    shape = jax.eval_shape(kernel, child, arch)
    return State(arch, child, jnp.zeros(shape.shape, shape.dtype))

  def update(key, state, batch):
    current = kernel(state.child, state.arch)
    first = jnp.where(state.child.step == 0, current, state.first)
    found = measure(current, first, state.child, state.arch)

    def step(child, batch):
      return trainer.update(
        jax.random.fold_in(key, child.step), child, state.arch, batch
      )

    child, trained = jax.lax.scan(step, state.child, batch)
    metrics = {f'kernel_{name}': value for name, value in found.items()}
    metrics['valid_accuracy'] = metrics.pop('kernel_accuracy')
    metrics |= jax.tree.map(jnp.mean, trained)
    return State(state.arch, child, first), metrics

  return Search(init, update, lambda key, state: state.arch)
