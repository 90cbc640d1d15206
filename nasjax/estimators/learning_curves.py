"""Accuracies of networks after a few, more and all steps of a training.

The rows of a benchmark, as scores of architectures: what `experiments.score`
writes for a whole space is a table that searches can be run on.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.estimators import training
from nasjax.estimators.zero_cost import proxy
from nasjax.types import Batch, Key


def learning_curves(
  trainer: training.Trainer,
  batches: Callable[[Key, jax.Array], Batch],
  splits: Mapping[str, Batch],
  num_steps: Sequence[int],
  num_runs: int,
) -> proxy.Joint:
  """Return accuracies along several trainings as scores of a network.

  Each run draws weights and batches of its own, from the key of `raw`. A lower
  number of steps is an earlier look at the same run.

  Args:
    trainer: from `training.train_child`.
    batches: `(key, t) -> batch` of the training split.
    splits: stacked batches `[T, B, ...]` with weights, by name: those that are
      to steer searches, and those that are only to be reported.
    num_steps: when to look, rising; the last is the whole training.
    num_runs: R, trainings of an architecture.

  Returns:
    Scores `<split>_<steps>_<run>`, a share of right answers each.

  Raises:
    ValueError: if the numbers of steps do not rise.
  """
  looks = list(num_steps)
  if looks != sorted(set(looks)) or not looks or looks[0] < 1:
    raise ValueError(f'num_steps must rise from 1 or more, got {looks}.')
  pauses = jnp.diff(jnp.array([0, *looks]))

  def run(key, arch):
    init_key, train_key = jax.random.split(key)

    def look(child, steps):
      child = training.advance(trainer, train_key, child, arch, batches, steps)
      return child, {
        name: trainer.accuracy(child, arch, batch)
        for name, batch in splits.items()
      }

    return lax.scan(look, trainer.init(init_key, arch), pauses)[1]

  def raw(key, variables, arch):
    del variables  # every run draws its own
    found = lax.map(lambda key: run(key, arch), jax.random.split(key, num_runs))
    return {
      f'{name}_{steps}_{r}': found[name][r, i]
      for name in splits
      for i, steps in enumerate(looks)
      for r in range(num_runs)
    }

  attributes = {
    f'{name}_{steps}_{r}': dict(
      sign=1, norm='frozen', failure=jnp.nan, paper='a training'
    )
    for name in splits
    for steps in looks
    for r in range(num_runs)
  }
  return proxy.joint(lambda key, arch: (), raw, attributes)
