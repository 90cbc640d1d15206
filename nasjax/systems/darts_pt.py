"""DARTS-PT: DARTS whose cell is chosen by perturbing the trained supernet.

R. Wang, M. Cheng, X. Chen, X. Tang and C.-J. Hsieh, Rethinking Architecture
Selection in Differentiable NAS, ICLR 2021, https://arxiv.org/abs/2108.04392,
algorithm 1: large weights are not important operations. Once DARTS has trained
the supernet, one edge after the other, in random order, takes the operation
without which the validation accuracy is lowest; then every node keeps the two
edges that it can least do without. After every decision the supernet is tuned
for a few epochs. `searches.perturbation` has the decisions.

  'blank' DARTS-PT never moves alpha: `blank=True`.

Deviations:
  While tuning, the learning rate is constant, and momentum goes on.
  A decision is about one edge of one kind of cell, not of each kind.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.estimators import one_shot, samplers
from nasjax.networks import loss as losses
from nasjax.searches import hypergradients, perturbation
from nasjax.spaces import darts_cell, genotypes
from nasjax.systems import darts
from nasjax.types import Arch, Batch, Mask, Search, Space

_NEVER = np.iinfo(np.int32).max
_STILL = optax.identity()  # the search trains the weights


class State(NamedTuple):
  """The supernet and what has been decided."""

  step: jax.Array  # i32[] updates done
  search: Any  # state of the search
  mask: Mask  # pytree of bool[E, K]: what is left


def _groups(mask):
  """The node that each edge enters, counted through the cells."""
  targets = lambda n: np.array(darts_cell.edges(genotypes.num_nodes_of(n))[1])
  sizes = map(len, jax.tree.leaves(mask))
  return np.concatenate([100 * i + targets(n) for i, n in enumerate(sizes)])


def darts_pt(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  valid: Batch,
  num_epochs: int = 50,
  *,
  tune_epochs: int = 5,
  tune_rate: float = 0.1,
  blank: bool = False,
  learning_rate: float = 0.025,
  final_learning_rate: float = 0.001,
  hypergradient: hypergradients.Hypergradient | None = None,
  derive: Callable[[Arch], Arch] | None = darts_cell.derive,
  **settings: Any,
) -> Search:
  """Search by DARTS, then choose by perturbation.

  Args:
    space: as in `darts`; so are network, input_shape and steps_per_epoch.
    network: the supernet.
    input_shape: of one example.
    steps_per_epoch: updates in an epoch.
    valid: stacked batches `[T, B, ...]` of which the accuracy decides.
    num_epochs: of DARTS (paper: 50).
    tune_epochs: from one decision to the next (paper: 5).
    tune_rate: of the learning rate, while tuning (paper: 0.1).
    blank: whether alpha rests where it starts.
    learning_rate: of the weights in the first epoch (paper: 0.025).
    final_learning_rate: where the cosine of DARTS ends (paper: 0.001).
    hypergradient: from `hypergradients`; None for the paper's, `first_order`.
    derive: that of DARTS cells: `none` is not taken, but edges are dropped.
      None for other spaces, where neither is so.
    **settings: further arguments of `darts.darts`.

  Returns:
    A search with the batches of `darts.darts`, and the metric `num_open`:
    decisions not taken. After the last one tuning goes on.

  References:
    DARTS-PT, https://arxiv.org/abs/2108.04392, algorithm 1.
  """
  num_training = num_epochs * steps_per_epoch
  groups = _groups(space.mask) if derive else ()
  candidates = jax.tree.map(
    lambda leaf: leaf & (np.arange(leaf.shape[-1]) >= bool(derive)), space.mask
  )
  loss = losses.classification_loss(network)
  draw = samplers.uniform(space)
  supernet = one_shot.one_shot(draw, loss, lambda key: None, _STILL, valid)

  def search(mask, is_tuned):
    tuned = tune_rate * learning_rate
    return darts.darts(
      space,
      network,
      input_shape,
      steps_per_epoch,
      num_epochs,
      hypergradient=hypergradient or hypergradients.first_order(),
      learning_rate=jnp.where(is_tuned, tuned, learning_rate),
      final_learning_rate=jnp.where(is_tuned, tuned, final_learning_rate),
      derive=derive,
      relaxation=functools.partial(perturbation.mixtures, mask=mask),
      **settings | ({'arch_start': _NEVER} if blank else {}),
    )

  def decide(key, state):
    weights = one_shot.State(None, state.search.weights, None)
    return perturbation.advance(
      key,
      lambda arch: supernet.score(key, weights, arch),
      state.search.arch_params,
      state.mask,
      candidates,
      groups,
    )

  def init(key):
    mask = jax.tree.map(jnp.asarray, space.mask)
    return State(jnp.zeros((), jnp.int32), search(mask, False).init(key), mask)

  def update(key, state, batch):
    decide_key, key = jax.random.split(key)
    tuned = state.step - num_training
    due = (tuned >= 0) & (tuned % (tune_epochs * steps_per_epoch) == 0)
    rest = lambda key, state: state.mask
    mask = lax.cond(due, decide, rest, decide_key, state)
    inner, metrics = search(mask, tuned >= 0).update(key, state.search, batch)
    metrics = dict(metrics, num_open=perturbation.num_open(mask))
    return State(state.step + 1, inner, mask), metrics

  def best(key, state):
    return search(state.mask, False).best(key, state.search)

  return Search(init, update, best)
