"""Training of networks from scratch: the honest score, and the final one.

`train_child` holds one step and the test of one network; `stand_alone` scores
an architecture by a whole training; `population` trains many networks side by
side as a `Search`, so that the loop that runs searches runs final evaluations,
with the same resume. All take index architectures: one program for a space.

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

from nasjax import batching, schedules
from nasjax.types import Arch, Batch, Estimator, Key, Metrics, Search, State


class Child(NamedTuple):
  """A network in training."""

  step: jax.Array  # i32[] updates done
  params: Any
  batch_stats: Any
  optimizer_state: optax.OptState


class Population(NamedTuple):
  """Networks in training.

  Their architectures are part of the state, not constants of the program: the
  next population is another run of the same program.
  """

  archs: Arch
  children: Child
  losses: jax.Array  # f32[B], of the last step


class Trainer(NamedTuple):
  """How a network is trained; pure functions of one architecture."""

  init: Callable[[Key, Arch], Child]
  update: Callable[[Key, Child, Arch, Batch], tuple[Child, Metrics]]
  accuracy: Callable[[Child, Arch, Batch], jax.Array]


def train_child(
  network: Any,
  input_shape: tuple[int, ...],
  num_steps: int,
  *,
  steps_per_epoch: int = 1,
  learning_rate: float = 0.025,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  max_norm: float = 5.0,
  drop_path: float = 0.0,
  auxiliary_weight: float = 0.4,
  label_smoothing: float = 0.0,
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
    momentum: of SGD.
    weight_decay: L2 coefficient, added to the gradient.
    max_norm: global norm to which gradients are clipped.
    drop_path: probability at the end of the linear schedule.
    auxiliary_weight: of the loss of an auxiliary head, if there is one.
    label_smoothing: of the training loss.

  Returns:
    The trainer. `accuracy` takes stacked batches `[T, B, ...]` with weights.
  """
  num_epochs = max(1, num_steps // steps_per_epoch)
  cosine = optax.cosine_decay_schedule(learning_rate, num_epochs)
  optimizer = optax.chain(
    optax.clip_by_global_norm(max_norm),
    optax.add_decayed_weights(weight_decay),
    optax.sgd(schedules.per_epoch(cosine, steps_per_epoch), momentum),
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

  def accuracy(child, arch, batches):
    variables = {'params': child.params, 'batch_stats': child.batch_stats}

    def count(total, batch):
      logits = network.apply(variables, arch, batch['image'], train=False)
      hits = (logits.argmax(-1) == batch['label']) * batch['weight']
      return total + hits.sum(), None

    total, _ = lax.scan(count, jnp.zeros(()), batches)
    return total / batches['weight'].sum()

  return Trainer(init, update, accuracy)


def train(
  trainer: Trainer,
  key: Key,
  arch: Arch,
  batches: Callable[[Key, jax.Array], Batch],
  num_steps: jax.Array | int,
) -> Child:
  """Train a network from scratch on batches `(key, t) -> batch`."""
  init_key, batch_key, step_key = jax.random.split(key, 3)

  def step(t, child):
    return trainer.update(
      jax.random.fold_in(step_key, t), child, arch, batches(batch_key, t)
    )[0]

  return lax.fori_loop(0, num_steps, step, trainer.init(init_key, arch))


def stand_alone(
  trainer: Trainer,
  batches: Callable[[Key, jax.Array], Batch],
  valid: Batch,
  num_steps: int,
) -> Estimator:
  """Return the estimator that trains each architecture from scratch.

  Args:
    trainer: from `train_child`.
    batches: `(key, t) -> batch` of the training split.
    valid: stacked batches `[T, B, ...]` of the split that steers the search.
    num_steps: length of a full training.

  Returns:
    The estimator; a fidelity below 1 trains for that share of the steps.
  """

  def score(key, state, arch, fidelity=1.0):
    del state
    steps = jnp.ceil(jnp.asarray(fidelity) * num_steps).astype(jnp.int32)
    child = train(trainer, key, arch, batches, steps)
    return trainer.accuracy(child, arch, valid)

  return Estimator(lambda key: (), lambda key, state, batch: (state, {}), score)


def population(
  trainer: Trainer, archs: Arch, test: Batch
) -> tuple[Search, Callable[[Key, State], dict[str, jax.Array]]]:
  """Return the training of many networks at once, and their final test.

  All networks see the same batches in the same order, so their differences are
  those of architecture and initial weights.

  Args:
    trainer: from `train_child`.
    archs: index architectures `[B, ...]`.
    test: stacked batches `[T, B, ...]` of the split that is only reported.

  Returns:
    A search whose metrics are `[B]` and whose best architecture is the one
    with the lowest training loss, and `final(key, state)`, which gives the
    columns of the results table.
  """
  num_archs = jax.tree.leaves(archs)[0].shape[0]

  def keys(key):
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(num_archs))

  def init(key):
    children = batching.map_archs(
      lambda one: trainer.init(*one), (keys(key), archs)
    )
    return Population(archs, children, jnp.full(num_archs, jnp.inf))

  def update(key, state, batch):
    children, metrics = batching.map_archs(
      lambda one: trainer.update(*one, batch),
      (keys(key), state.children, state.archs),
    )
    return Population(state.archs, children, metrics['train_loss']), metrics

  def best(key, state):
    del key
    losses = jnp.where(jnp.isfinite(state.losses), state.losses, jnp.inf)
    return jax.tree.map(lambda leaf: leaf[jnp.argmin(losses)], state.archs)

  def final(key, state):
    del key
    return {
      'test_accuracy': batching.map_archs(
        lambda one: trainer.accuracy(*one, test), (state.children, state.archs)
      )
    }

  return Search(init, update, best), final
