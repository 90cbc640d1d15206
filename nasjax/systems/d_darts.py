"""D-DARTS: every cell of the supernet searches for itself.

Heuillet, Tabia, Arioui, Youcef-Toumi, D-DARTS: Distributed Differentiable
Architecture Search, 2021, https://arxiv.org/abs/2108.09306. Each cell has
weights sigmoid(alpha_i), its own Adam and its own loss:

  L_i    = CE_val - w_01 mean (sigmoid(alpha_i) - 1/2)^2 + w_abl L_AB,i
  L_AB,i = -(MC_i - mean MC) / mean MC
  MC_i   = CE_val - CE_val with random weights in cell i

alpha_i moves down the gradient of L_i alone; as the cells have CE_val in common
one backward pass serves them all, and one Adam, since it acts on each number
by itself. Cells are parsed by `separate_cells`, which derives deeper networks.

Deviations (the authors' program, by reading):
  There the gradients of all cells' losses and of the weight step add up in
  every alpha, and those of the validation set in the weights; here none leak.
  There L_AB is a number without gradient, and so it is here by default; see
  `searches.ablation` for that of 'differentiable', which may turn its sign.
"""

from typing import Any

import jax
import optax

from nasjax import schedules
from nasjax.distributions import sigmoid
from nasjax.networks import loss as losses
from nasjax.searches import ablation as ablation_lib
from nasjax.searches import bilevel, descent, optimizers, penalties
from nasjax.spaces import decisions, separate_cells
from nasjax.types import Search, Space

_ABLATIONS = ('constant', 'differentiable', 'off')


def d_darts(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  zero_one_weight: float = 9.0,
  ablation: str = 'constant',
  ablation_weight: float = 0.7,
  parse: str = 'sparse',
  threshold: float = 0.85,
  learning_rate: float = 0.005,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  max_norm: float | None = 5.0,
  arch_learning_rate: float = 3e-3,
  final_arch_learning_rate: float = 1e-3,
  arch_weight_decay: float = 1e-3,
) -> Search:
  """Search by independent weights in every cell.

  Args:
    space: `darts_cell` with `num_cells`; all cells allow equally many choices.
    network: as in `darts`, with `cells=(0, ..., G - 1)`.
    input_shape: of one example.
    steps_per_epoch: updates for which learning rates are constant.
    num_epochs: length of both cosines (authors' program: 50).
    zero_one_weight: w_01 (authors' program, CIFAR-10: 9).
    ablation: 'constant', 'differentiable', or 'off', which saves one pass a
      cell.
    ablation_weight: w_abl (authors' program, CIFAR-10: 0.7).
    parse: 'sparse' or 'edge', the rule of `best` in `separate_cells`.
    threshold: the least weight of a kept operation (authors' program: 0.85).
    learning_rate: of the weights (authors' program: 0.005).
    final_learning_rate: where its cosine ends (authors' program: 0.001).
    momentum: of the weights.
    weight_decay: L2 coefficient of the weights.
    max_norm: global norm of clipped weight gradients.
    arch_learning_rate: of Adam on alpha (authors' program: 3e-3).
    final_arch_learning_rate: where its cosine ends (authors' program: 1e-3).
    arch_weight_decay: L2 coefficient of alpha (authors' program: 1e-3).

  Returns:
    A search with batches as in `darts`. `valid_contribution` is MC, `[G]`.

  Raises:
    ValueError: if an option or the leaves of the space do not fit.

  References:
    D-DARTS, https://arxiv.org/abs/2108.09306.
  """
  rules = {
    'edge': separate_cells.threshold_edges,
    'sparse': separate_cells.threshold_sparse,
  }
  if ablation not in _ABLATIONS or parse not in rules:
    raise ValueError(
      f'Unknown ablation {ablation!r} or parse {parse!r}. Known: '
      f'{", ".join(_ABLATIONS)}; {", ".join(rules)}.'
    )
  if not isinstance(space.mask, dict) or set(space.mask) != {'cells'}:
    raise ValueError("d_darts needs a space of one leaf 'cells'.")
  space = space.restrict(decisions.without(space.mask))
  allowed = space.mask['cells']
  relaxation = sigmoid.sigmoid(space)

  def mode(params):
    return rules[parse](relaxation.sample(jax.random.key(0), params), threshold)

  distribution = relaxation._replace(mode=mode)
  loss = losses.classification_loss(network)
  weight = ablation_weight if ablation == 'differentiable' else 0.0
  cosine = optax.cosine_decay_schedule(
    arch_learning_rate,
    num_epochs,
    final_arch_learning_rate / arch_learning_rate,
  )
  return bilevel.bilevel(
    loss,
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
      optax.adam(schedules.per_epoch(cosine, steps_per_epoch)),
    ),
    max_norm=max_norm,
    # A mean over each cell, added up.
    penalty=penalties.zero_one(zero_one_weight * len(allowed), space.mask),
    valid_loss=None
    if ablation == 'off'
    else ablation_lib.with_ablation(loss, allowed, weight),
  )
