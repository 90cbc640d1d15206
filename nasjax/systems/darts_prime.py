"""DARTS-PRIME: DARTS whose weights are clipped, timed and drawn to a decision.

Maile, Lecarpentier, Luga, Wilson, DARTS-PRIME: Regularization and Scheduling
Improve Constrained Optimization in Differentiable NAS, 2021,
https://arxiv.org/abs/2106.11655 (first version: On Constrained Optimization in
Differentiable Neural Architecture Search). Its three improvements are
`searches.prime`, which other searches take too.

  o(x)  = norm(sum_k clip(alpha_k, 0, 1) o_k(x)),   dead once alpha_k <= 0
  alpha step when F = |grad_w L_train|^2 is below a moving threshold
  L_val + t / T rho / 2 |a - derived(a)|

Deviations:
  The norm after every node is an argument of the network, `node_norm`.
  The division of the images by S to 1 is a matter of the batches.
"""

from collections.abc import Callable
from typing import Any

import optax

from nasjax.networks import loss as losses
from nasjax.searches import bilevel, descent, hypergradients, optimizers, prime
from nasjax.spaces import darts_cell
from nasjax.types import Arch, Search, Space


def darts_prime(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  clipped: bool = True,
  informed: bool = True,
  regularizer: str | None = 'proximity',
  arch_every: float = 10,
  rho: float = 0.1,
  dual_decay: float = 0.2,
  none: int | None = 0,
  hypergradient: hypergradients.Hypergradient | None = None,
  learning_rate: float = 0.025,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  max_norm: float | None = 5.0,
  arch_learning_rate: float = 3e-4,
  arch_weight_decay: float = 1e-3,
  derive: Callable[[Arch], Arch] | None = darts_cell.derive,
) -> Search:
  """Search with any of the three improvements; with none it is DARTS.

  Args:
    space: the space.
    network: as in `darts`; with `node_norm` where weights are clipped.
    input_shape: of one example.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: T, length of the cosine and of proximity's ramp (authors'
      program: 50).
    clipped: whether weights are clipped, and `none` is left out; else softmax.
    informed: whether the alpha step waits for a small gradient of the weights.
    regularizer: 'proximity', 'adjusted_proximity', 'admm', or None.
    arch_every: S, updates from one alpha step to the next; of the informed
      schedule, weight steps for each alpha step on average (authors' program:
      10).
    rho: weight of the regulariser (authors' program: 0.1).
    dual_decay: kappa of ADMM (authors' program: 0.2).
    none: the choice of no connection; None where the space has none.
    hypergradient: from `hypergradients`; None for the first order (authors'
      program).
    learning_rate: of the weights; this and what follows as in `darts`.
    final_learning_rate: where the cosine ends.
    momentum: of the weights.
    weight_decay: L2 coefficient of the weights.
    max_norm: global norm of clipped weight gradients, after F is taken.
    arch_learning_rate: of Adam (0.5, 0.999) on alpha.
    arch_weight_decay: L2 coefficient of alpha.
    derive: the rule of the space; None for the strongest choices.

  Returns:
    A search with batches as in `darts`.

  Raises:
    ValueError: if the regulariser is unknown.

  References:
    DARTS-PRIME, https://arxiv.org/abs/2106.11655.
  """
  improvements = prime.prime(
    space,
    num_epochs * steps_per_epoch,
    derive,
    clipped=clipped,
    informed=informed,
    regularizer=regularizer,
    arch_every=arch_every,
    rho=rho,
    dual_decay=dual_decay,
    none=none,
  )
  distribution = improvements.distribution
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
      improvements.transform,
      optax.add_decayed_weights(arch_weight_decay),
      optax.adam(arch_learning_rate, b1=0.5),
    ),
    hypergradient,
    max_norm=max_norm,
    penalty=improvements.penalty,
    anneal=improvements.anneal,
    arch_schedule=improvements.arch_schedule,
  )
