"""Scores by training that may begin with the weights of an ancestor.

K. Zhou, Q. Song, X. Huang and X. Hu, Auto-GNN: Neural Architecture Search of
Graph Neural Networks, 2019, https://arxiv.org/abs/1909.03184: an offspring
takes over the weights of its ancestor where they are homogeneous, and is
trained for few epochs. Weights of another shape have no place there, and those
learned with another attention or activation mislead (`spaces.gnn.homogeneous`).

Deviations
  * Not shared, in the paper, are the weights of batch normalisation and of skip
    connections. The networks here have neither. Those of an MLP that the
    ancestor did not use are not shared: they were not trained.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.estimators import node_training, training
from nasjax.spaces import gnn
from nasjax.types import Arch, Batch, Estimator, Key, Params


class Heredity(NamedTuple):
  """Scores of offspring.

  Attributes:
    init: `(key, arch) -> weights`, of a network that was not trained.
    score: `(key, arch, ancestor, weights, is_first) -> (f32[], weights)`, the
      score of an architecture and its weights; `is_first` says that there is no
      ancestor.
  """

  init: Callable[[Key, Arch], Params]
  score: Callable[..., tuple[jax.Array, Params]]


def without(estimator: Estimator) -> Heredity:
  """Return the scores of an estimator without state: nothing is inherited."""

  def score(key, arch, ancestor, weights, is_first):
    del ancestor, is_first
    return estimator.score(key, (), arch), weights

  return Heredity(lambda key, arch: (), score)


def inherit(
  options: gnn.Options,
  arch: Arch,
  ancestor: Arch,
  weights: Params,
  fresh: Params,
) -> Params:
  """Return the first weights of an offspring.

  Args:
    options: of the space.
    arch: an index architecture.
    ancestor: likewise.
    weights: of the ancestor, those of a `Gnn`.
    fresh: weights that were not trained.

  Returns:
    Those of the ancestor where they are homogeneous, fresh ones elsewhere.
  """
  shared = gnn.homogeneous(options, arch, ancestor)
  mlp = options.combine.index('mlp') if 'mlp' in options.combine else -1
  both = (arch['combine'] == mlp) & (ancestor['combine'] == mlp)
  if 'mlp' in options.aggregate:
    mapped = options.aggregate.index('mlp')
    both |= (arch['aggregate'] == mapped) & (ancestor['aggregate'] == mapped)

  def choose(path, old, new):
    layer, name = (str(entry.key) for entry in path)
    number = int(layer.removeprefix('layer_'))
    taken = shared[number] & (both[number] | (not name.startswith('mlp')))
    return jnp.where(taken, old, new)

  return jax.tree_util.tree_map_with_path(choose, weights, fresh)


def homogeneous(
  options: gnn.Options,
  trainer: node_training.NodeTrainer,
  train: Batch,
  valid: Batch,
  num_steps: int,
  num_first: int | None = None,
  score: str = 'accuracy',
) -> Heredity:
  """Return the scores of networks that inherit what is homogeneous.

  Args:
    options: of the space.
    trainer: how networks are trained.
    train: the part of the task that they learn from.
    valid: the part that steers the search.
    num_steps: updates of an offspring.
    num_first: of the first architecture, which has no ancestor; by default as
      many.
    score: 'accuracy' or 'micro_f1'.

  Returns:
    The heredity.

  Raises:
    ValueError: if the trainer has no such score.
  """
  if score not in ('accuracy', 'micro_f1'):
    raise ValueError(f'Unknown score {score!r}. Known: accuracy, micro_f1.')
  measure = getattr(trainer, score)
  num_first = num_steps if num_first is None else num_first

  def init(key, arch):
    return trainer.init(key, arch).params

  def score_arch(key, arch, ancestor, weights, is_first):
    init_key, train_key = jax.random.split(key)
    child = trainer.init(init_key, arch)
    params = inherit(options, arch, ancestor, weights, child.params)
    params = jax.tree.map(
      lambda old, new: jnp.where(is_first, old, new), child.params, params
    )
    child = child._replace(params=params, kept=params)
    steps = jnp.where(is_first, num_first, num_steps)
    child = training.advance(
      trainer, train_key, child, arch, lambda key, t: train, steps
    )
    return measure(child, arch, valid), child.kept

  return Heredity(init, score_arch)
