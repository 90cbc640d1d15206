"""Scores by training networks: the honest one, and the final one.

`stand_alone` scores an architecture by a whole training; `population` trains
many networks side by side as a `Search`, so that the loop that runs searches
runs final evaluations, with the same resume. How a network is trained is a
`training.Trainer`. All take index architectures: one program for a space.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import batching
from nasjax.estimators import training
from nasjax.types import Arch, Batch, Estimator, Key, Search, State


class Population(NamedTuple):
  """Networks in training.

  Their architectures are part of the state, not constants of the program: the
  next population is another run of the same program.
  """

  archs: Arch
  children: training.Child
  losses: jax.Array  # f32[B], of the last step


def _measure(trainer, score):
  """Return the function `(child, arch, batches) -> f32[]` of a trainer."""
  known = sorted(set(trainer._fields) - {'init', 'update'})
  if score not in known:
    raise ValueError(
      f'Unknown score {score!r} of a trainer. Known: {", ".join(known)}.'
    )
  return getattr(trainer, score)


def _is_finite(params):
  finite = jax.tree.map(lambda leaf: jnp.all(jnp.isfinite(leaf)), params)
  return jax.tree.reduce(jnp.logical_and, finite, jnp.bool_(True))


def stand_alone(
  trainer: training.Trainer,
  batches: Callable[[Key, jax.Array], Batch],
  valid: Batch,
  num_steps: int,
  score: str = 'accuracy',
) -> Estimator:
  """Return the estimator that trains each architecture from scratch.

  Args:
    trainer: from `training.train_child`.
    batches: `(key, t) -> batch` of the training split.
    valid: stacked batches `[T, B, ...]` of the split that steers the search.
    num_steps: length of a full training.
    score: what the trainer measures of a network, higher is better: 'accuracy',
      or 'log_likelihood' for a language model.

  Returns:
    The estimator; a fidelity below 1 trains for that share of the steps. The
    score is NaN where the training diverged: a share of right answers would be
    finite, as the class that NaNs tell is the first.

  Raises:
    ValueError: if the trainer has no such measure.
  """
  measure = _measure(trainer, score)

  def score_arch(key, state, arch, fidelity=1.0):
    del state
    steps = jnp.ceil(jnp.asarray(fidelity) * num_steps).astype(jnp.int32)
    child = training.train(trainer, key, arch, batches, steps)
    value = measure(child, arch, valid)
    return jnp.where(_is_finite(child.params), value, jnp.nan)

  return Estimator(
    lambda key: (), lambda key, state, batch: (state, {}), score_arch
  )


def population(
  trainer: training.Trainer,
  archs: Arch,
  test: Batch,
  score: str = 'accuracy',
  valid: Batch | None = None,
  count_weights: bool = False,
) -> tuple[Search, Callable[[Key, State], dict[str, jax.Array]]]:
  """Return the training of many networks at once, and their final test.

  All networks see the same batches in the same order, so their differences are
  those of architecture and initial weights.

  Args:
    trainer: from `training.train_child`.
    archs: index architectures `[B, ...]`.
    test: stacked batches `[T, B, ...]` of the split that is only reported.
    score: what the trainer measures on it: 'accuracy', or 'perplexity' for a
      language model.
    valid: the split that settings are chosen by; it is scored as well.
    count_weights: whether the table has the number of weights of a network;
      those of choices that its architecture does not take are among them.

  Returns:
    A search whose metrics are `[B]` and whose best architecture is the one
    with the lowest training loss, and `final(key, state)`, which gives the
    columns of the results table.

  Raises:
    ValueError: if the trainer has no such measure.
  """
  measure = _measure(trainer, score)
  num_archs = jax.tree.leaves(archs)[0].shape[0]

  def keys(key):
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(num_archs))

  def init(key):
    children, losses = batching.map_archs(
      lambda one: (trainer.init(*one), jnp.float32(jnp.inf)), (keys(key), archs)
    )
    return Population(batching.place(archs, num_archs), children, losses)

  def update(key, state, batch):
    children, metrics = batching.map_archs(
      lambda one, batch: trainer.update(*one, batch),
      (keys(key), state.children, state.archs),
      shared=(batch,),
    )
    return Population(state.archs, children, metrics['train_loss']), metrics

  def best(key, state):
    del key
    losses = jnp.where(jnp.isfinite(state.losses), state.losses, jnp.inf)
    return jax.tree.map(lambda leaf: leaf[jnp.argmin(losses)], state.archs)

  def final(key, state):
    del key
    splits = {} if valid is None else {'valid': valid}
    columns = {
      f'{name}_{score}': batching.map_archs(
        lambda one, split: measure(*one, split),
        (state.children, state.archs),
        shared=(split,),
      )
      for name, split in dict(splits, test=test).items()
    }
    if count_weights:
      leaves = jax.tree.leaves(state.children.params)
      total = sum(leaf[0].size for leaf in leaves)
      columns['weights'] = jnp.full(num_archs, total)
    return columns

  return Search(init, update, best), final
