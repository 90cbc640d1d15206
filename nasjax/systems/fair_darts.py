"""FairDARTS: operations that do not compete, drawn to on or off.

Chu, Zhou, Zhang, Li, Fair DARTS: Eliminating Unfair Advantages in
Differentiable Architecture Search, 2020, https://arxiv.org/abs/1911.12126.

  o(x) = sum_k sigmoid(alpha_k) o_k(x)
  L_val - w_01 mean (sigmoid(alpha) - 1/2)^2

Deviations:
  The authors' program adds the zero-one loss to the training loss as well,
  where it moves no weight.
"""

from typing import Any

import optax

from nasjax.distributions import sigmoid
from nasjax.networks import loss as losses
from nasjax.searches import bilevel, descent, optimizers, penalties
from nasjax.spaces import darts_cell, decisions
from nasjax.types import Search, Space


def fair_darts(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  zero_one_weight: float = 10.0,
  threshold: float = 0.85,
  learning_rate: float = 0.005,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  max_norm: float | None = 5.0,
  arch_learning_rate: float = 3e-3,
  arch_weight_decay: float = 1e-3,
) -> Search:
  """Search by independent weights of the operations, first order.

  Args:
    space: `darts_cell`; `none` is left out of the relaxation.
    network: as in `darts`.
    input_shape: of one example.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: length of the cosine (authors' program: 50).
    zero_one_weight: w_01 (authors' program: 10).
    threshold: operations that weigh less are not kept (paper: 0.85); a node
      keeps two inputs at most.
    learning_rate: of the weights (authors' program: 0.005).
    final_learning_rate: where the cosine ends (authors' program: 0.001).
    momentum: of the weights.
    weight_decay: L2 coefficient of the weights.
    max_norm: global norm of clipped weight gradients.
    arch_learning_rate: of Adam on alpha (authors' program: 3e-3).
    arch_weight_decay: L2 coefficient of alpha (authors' program: 1e-3).

  Returns:
    A search with batches as in `darts`.

  References:
    Fair DARTS, https://arxiv.org/abs/1911.12126, section 4.
  """
  space = space.restrict(decisions.without(space.mask))
  distribution = sigmoid.sigmoid(
    space, derive=darts_cell.derive, threshold=threshold
  )
  return bilevel.bilevel(
    losses.classification_loss(network),
    descent.init_network(network, distribution, input_shape),
    distribution,
    optimizers.cosine_sgd(
      learning_rate,
      final_learning_rate,
      num_epochs,
      steps_per_epoch,
      momentum,
      weight_decay,
    ),
    optax.chain(
      optax.add_decayed_weights(arch_weight_decay),
      optax.adam(arch_learning_rate),
    ),
    max_norm=max_norm,
    penalty=penalties.zero_one(zero_one_weight, space.mask),
  )
