"""P-DARTS: DARTS in stages of deeper networks and fewer operations.

X. Chen, L. Xie, J. Wu and Q. Tian, Progressive Differentiable Architecture
Search: Bridging the Depth Gap between Search and Evaluation, ICCV 2019,
https://arxiv.org/abs/1904.12760. Three stages of 5, 11 and 17 cells, where an
edge has its 8, 5 and 3 strongest operations (section 3.2). Skip connections
are held back (section 3.3): they are dropped at a rate that decays in every
stage, and a normal cell has two at the most.

  rate(e) = p (E - e - 1) / E          in the epochs before alpha moves
  rate(e) = p exp(-0.2 (e - frozen))   after them

Deviations:
  Skip connections are dropped whole, for each example, not by elements.
  Gradients of alpha are not clipped (authors' program: to a norm of 5).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from nasjax.distributions import masked, softmax, sparse
from nasjax.networks import loss as losses
from nasjax.searches import hypergradients, progressive
from nasjax.spaces import darts_cell, derivation
from nasjax.systems import darts
from nasjax.types import Search, Space


def _rate(
  first: float, decay: float, num_frozen: int, num_epochs: int
) -> Callable:
  """The rate at which skip connections are dropped in an epoch."""

  def at(epoch):
    line = first * jnp.maximum(num_epochs - epoch - 1, 0) / num_epochs
    return jnp.where(
      epoch < num_frozen, line, first * jnp.exp(-decay * (epoch - num_frozen))
    )

  return at


def p_darts(
  space: Space,
  networks: Sequence[Any],
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 25,
  *,
  num_options: Sequence[int] = (8, 5, 3),
  num_frozen_epochs: int = 10,
  drop_rates: Sequence[float] = (0.1, 0.4, 0.7),
  drop_decay: float = 0.2,
  max_skips: int = 2,
  skip: int = darts_cell.OPERATIONS.index('skip_connect'),
  final_learning_rate: float = 0.0,
  arch_learning_rate: float = 6e-4,
  hypergradient: hypergradients.Hypergradient | None = None,
  **settings: Any,
) -> Search:
  """Search by DARTS in networks that grow as their operations become fewer.

  Args:
    space: of DARTS cells.
    networks: that of each stage, as in `darts`, for architectures of
      `choice.Sparse` and with `drop_path`: `networks.Darts(drop_skips=True)`
      (paper: of 5, 11 and 17 cells).
    input_shape: of one example, `(H, W, C)` for images.
    steps_per_epoch: updates for which the rates are constant.
    num_epochs: E of a stage, and of its cosine schedule (paper: 25).
    num_options: operations of an edge in each stage (paper: 8, 5, 3).
    num_frozen_epochs: epochs of a stage before the first step of alpha (paper:
      10).
    drop_rates: p of each stage (authors' program: 0.1, 0.4, 0.7).
    drop_decay: of the rate, in an epoch (authors' program: 0.2).
    max_skips: skip connections of a normal cell (paper: 2).
    skip: their number among the operations of the space.
    final_learning_rate: where the cosine ends (paper: 0).
    arch_learning_rate: of Adam on alpha (paper: 6e-4).
    hypergradient: from `hypergradients`; None for the paper's, `first_order`.
    **settings: further arguments of `darts.darts`.

  Returns:
    A search with the batches of `darts.darts`, see `progressive`.

  Raises:
    ValueError: if networks, rates and numbers of options do not fit.

  References:
    P-DARTS, https://arxiv.org/abs/1904.12760, sections 3 and 4.2.
  """
  if not len(networks) == len(num_options) == len(drop_rates):
    raise ValueError(
      f'{len(networks)} networks need as many num_options and drop_rates, got '
      f'{num_options} and {drop_rates}.'
    )
  derive = derivation.at_most(darts_cell.derive, skip, max_skips)

  def stage(network, num_left, drop_rate):
    rate = _rate(drop_rate, drop_decay, num_frozen_epochs, num_epochs)

    def search(mask):
      def relaxation(space, **options):
        mixtures = softmax.softmax(space, **options)
        return sparse.sparse(masked.masked(mixtures, mask), num_left)

      def at(step):
        return darts.darts(
          space,
          network,
          input_shape,
          steps_per_epoch,
          num_epochs,
          hypergradient=hypergradient or hypergradients.first_order(),
          final_learning_rate=final_learning_rate,
          arch_learning_rate=arch_learning_rate,
          arch_start=num_frozen_epochs * steps_per_epoch,
          derive=derive,
          relaxation=relaxation,
          loss=losses.classification_loss(
            network, drop_path=rate(step // steps_per_epoch)
          ),
          **settings,
        )

      def update(key, state, batch):
        return at(state.step).update(key, state, batch)

      return at(0)._replace(update=update)

    return search

  return progressive.progressive(
    [stage(*each) for each in zip(networks, num_options, drop_rates)],
    space.mask,
    num_options,
    num_epochs * steps_per_epoch,
  )
