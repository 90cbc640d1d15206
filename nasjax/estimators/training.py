"""Training of one network from scratch: its first state, a step, its test.

Protocol of Liu, Simonyan, Yang, DARTS, 2019 (https://arxiv.org/abs/1806.09055),
section 3.1.2: SGD with momentum, cosine schedule to zero, drop path that grows
linearly, auxiliary loss.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax import schedules
from nasjax.types import Arch, Batch, Key, Metrics


class Child(NamedTuple):
  """A network in training."""

  step: jax.Array  # i32[] updates done
  params: Any
  batch_stats: Any
  optimizer_state: optax.OptState


class Trainer(NamedTuple):
  """How a network is trained; pure functions of one architecture."""

  init: Callable[[Key, Arch], Child]
  update: Callable[[Key, Child, Arch, Batch], tuple[Child, Metrics]]
  accuracy: Callable[[Child, Arch, Batch], jax.Array]


def accuracy(
  network: Any, variables: Any, arch: Arch, batches: Batch
) -> jax.Array:
  """Return the share of examples that a network tells right.

  Args:
    network: `apply(variables, arch, x, train=False) -> logits`.
    variables: of the network.
    arch: any form that it takes.
    batches: stacked `[T, B, ...]`, with weights of examples.

  Returns:
    `f32[]`.
  """

  def count(total, batch):
    logits = network.apply(variables, arch, batch['image'], train=False)
    hits = (logits.argmax(-1) == batch['label']) * batch['weight']
    return total + hits.sum(), None

  total, _ = lax.scan(count, jnp.zeros(()), batches)
  return total / batches['weight'].sum()


def train_child(
  network: Any,
  input_shape: tuple[int, ...],
  num_steps: int,
  *,
  steps_per_epoch: int = 1,
  learning_rate: float = 0.025,
  constant: bool = False,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  max_norm: float | None = 5.0,
  drop_path: float = 0.0,
  auxiliary_weight: float = 0.4,
  label_smoothing: float = 0.0,
  optimizer: optax.GradientTransformation | None = None,
) -> Trainer:
  """Return the training of one network from scratch.

  Args:
    network: `init(key, arch, x)` and `apply(variables, arch, x, train=...)`;
      its running statistics, if it keeps any, are used for testing. Networks
      with drop path take it as the argument `drop_path`.
    input_shape: of one example, `(H, W, C)` for images.
    num_steps: length of the training, for the schedules.
    steps_per_epoch: updates for which the schedules are constant.
    learning_rate: of SGD, annealed to zero along a cosine.
    constant: whether it is not annealed.
    momentum: of SGD.
    weight_decay: L2 coefficient, added to the gradient.
    max_norm: global norm to which gradients are clipped; None for no clipping.
    drop_path: probability at the end of the linear schedule.
    auxiliary_weight: of the loss of an auxiliary head, if there is one.
    label_smoothing: of the training loss.
    optimizer: in the place of SGD and all that is said of it.

  Returns:
    The trainer. `accuracy` takes stacked batches `[T, B, ...]` with weights.
  """
  num_epochs = max(1, num_steps // steps_per_epoch)
  rate = learning_rate
  if not constant:
    rate = optax.cosine_decay_schedule(learning_rate, num_epochs)
    rate = schedules.per_epoch(rate, steps_per_epoch)
  clip = (
    optax.identity()
    if max_norm is None
    else optax.clip_by_global_norm(max_norm)
  )
  optimizer = optimizer or optax.chain(
    clip, optax.add_decayed_weights(weight_decay), optax.sgd(rate, momentum)
  )

  def init(key, arch):
    variables = network.init(key, arch, jnp.zeros((1, *input_shape)))
    params, stats = variables['params'], variables.get('batch_stats', {})
    return Child(
      jnp.zeros((), jnp.int32), params, stats, optimizer.init(params)
    )

  def entropy(logits, label):
    targets = optax.losses.smooth_labels(
      jax.nn.one_hot(label, logits.shape[-1]), label_smoothing
    )
    return optax.losses.softmax_cross_entropy(logits, targets).mean()

  def loss(params, key, child, arch, batch):
    options = {}
    if drop_path > 0:
      progress = child.step // steps_per_epoch / num_epochs
      options = dict(drop_path=drop_path * progress, rngs={'drop_path': key})
    outputs, updates = network.apply(
      {'params': params, 'batch_stats': child.batch_stats},
      arch,
      batch['image'],
      train=True,
      mutable=['batch_stats'],
      **options,
    )
    logits, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
    value = entropy(logits, batch['label']) + sum(
      auxiliary_weight * entropy(head, batch['label']) for head in auxiliary
    )
    accuracy = jnp.mean(logits.argmax(-1) == batch['label'])
    return value, (updates.get('batch_stats', {}), accuracy)

  def update(key, child, arch, batch):
    (value, (stats, accuracy)), gradient = jax.value_and_grad(
      loss, has_aux=True
    )(child.params, key, child, arch, batch)
    updates, optimizer_state = optimizer.update(
      gradient, child.optimizer_state, child.params
    )
    params = optax.apply_updates(child.params, updates)
    return Child(child.step + 1, params, stats, optimizer_state), {
      'train_loss': value,
      'train_accuracy': accuracy,
    }

  def child_accuracy(child, arch, batches):
    variables = {'params': child.params, 'batch_stats': child.batch_stats}
    return accuracy(network, variables, arch, batches)

  return Trainer(init, update, child_accuracy)


def constant_rate(
  network: Any,
  input_shape: tuple[int, ...],
  learning_rate: float = 0.025,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
) -> Trainer:
  """Return the training by plain SGD at a constant rate, however long.

  Args:
    network: as for `train_child`.
    input_shape: of one example.
    learning_rate: of SGD.
    momentum: of SGD.
    weight_decay: L2 coefficient, added to the gradient.

  Returns:
    The trainer.

  References:
    Mok et al., Demystifying the Neural Tangent Kernel from a Practical
    Perspective, 2022, https://arxiv.org/abs/2203.14577; these are its defaults.
  """
  return train_child(
    network,
    input_shape,
    num_steps=1,  # no schedule depends on it
    learning_rate=learning_rate,
    constant=True,
    momentum=momentum,
    weight_decay=weight_decay,
    max_norm=None,
  )


def advance(
  trainer: Trainer,
  key: Key,
  child: Child,
  arch: Arch,
  batches: Callable[[Key, jax.Array], Batch],
  num_steps: jax.Array | int,
) -> Child:
  """Train a network further on batches `(key, t) -> batch`.

  Args:
    trainer: how.
    key: of the training, the same for all of its parts.
    child: the network, at step t.
    arch: its architecture.
    batches: the training split.
    num_steps: updates.

  Returns:
    The network, at step t + num_steps.
  """
  batch_key, step_key = jax.random.split(key)

  def step(_, child):
    t = child.step
    return trainer.update(
      jax.random.fold_in(step_key, t), child, arch, batches(batch_key, t)
    )[0]

  return lax.fori_loop(0, num_steps, step, child)


def train(
  trainer: Trainer,
  key: Key,
  arch: Arch,
  batches: Callable[[Key, jax.Array], Batch],
  num_steps: jax.Array | int,
) -> Child:
  """Train a network from scratch, as `advance` from its first state."""
  init_key, train_key = jax.random.split(key)
  child = trainer.init(init_key, arch)
  return advance(trainer, train_key, child, arch, batches, num_steps)
