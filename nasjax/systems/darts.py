"""DARTS: bilevel gradient descent on a mixture of operations.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019,
https://arxiv.org/abs/1806.09055: the relaxation (equation 2), the bilevel
problem and its one-step approximation (equations 3 to 8), the derivation of
the cell (section 2.4) and the settings of the CIFAR-10 search.

  o(x) = sum_k softmax(alpha)_k o_k(x)                                     (2)
  alpha <- alpha - Adam(grad_alpha L_val(w - xi grad_w L_train, alpha))    (5)
  w     <- w - SGD(grad_w L_train(w, alpha))

Weight decay is added to the gradients, before momentum and Adam; the weight
step alone is clipped.

Deviations:
  The Hessian product is exact by default; `hypergradients.finite_difference()`
  is the published one (equation 8), `hypergradients.first_order()` the
  first-order method.
  Norm uses the statistics of the batch, without running averages: the unrolled
  and the validation passes change no state.
"""

from collections.abc import Callable
from typing import Any

from nasjax.distributions import softmax
from nasjax.networks import loss as losses
from nasjax.searches import (
  bilevel,
  descent,
  hypergradients,
  optimizers,
  penalties,
)
from nasjax.spaces import darts_cell
from nasjax.types import Arch, Distribution, Search, Space


def _check(space, derive):
  """The default rule reads cells; another space needs another rule."""
  leaves = sorted(space.mask) if isinstance(space.mask, dict) else []
  if derive is darts_cell.derive and leaves != ['normal', 'reduce']:
    raise ValueError(
      "darts_cell.derive needs architectures with leaves 'normal' and "
      f"'reduce', got {leaves}. For the strongest choice of every decision "
      'pass derive=None.'
    )


def darts(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  hypergradient: hypergradients.Hypergradient | None = None,
  learning_rate: float = 0.025,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  nesterov: bool = False,
  weight_decay: float = 3e-4,
  max_norm: float | None = 5.0,
  arch_learning_rate: float = 3e-4,
  arch_b1: float = 0.5,
  arch_b2: float = 0.999,
  arch_weight_decay: float = 1e-3,
  arch_start: int = 0,
  init_scale: float = 1e-3,
  label_smoothing: float = 0.0,
  penalty: penalties.Penalty | None = None,
  derive: Callable[[Arch], Arch] | None = darts_cell.derive,
  relaxation: Callable[..., Distribution] = softmax.softmax,
  anneal: descent.Anneal | None = None,
  loss: descent.Loss | None = None,
  valid_loss: descent.Loss | None = None,
) -> Search:
  """Search by gradient descent on softmax mixtures of operations.

  Args:
    space: the space; mixtures are of the operations that its mask allows.
    network: `init(key, arch, x)` and `apply(variables, arch, x) -> logits` for
      relaxed architectures, with the collection 'params' alone.
    input_shape: of one example, `(H, W, C)` for images.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: length of the cosine schedule (paper: 50).
    hypergradient: from `hypergradients`; None for `exact`, the second order.
    learning_rate: xi, of the weights in the first epoch (paper: 0.025).
    final_learning_rate: where the cosine ends (paper: 0.001).
    momentum: of the weights (paper: 0.9).
    nesterov: whether the momentum is Nesterov's (paper: not).
    weight_decay: L2 coefficient of the weights (paper: 3e-4).
    max_norm: global norm of clipped weight gradients (authors' program: 5).
    arch_learning_rate: of Adam on alpha (paper: 3e-4).
    arch_b1: decay of Adam's first moment (paper: 0.5).
    arch_b2: decay of Adam's second moment (paper: 0.999).
    arch_weight_decay: L2 coefficient of alpha (paper: 1e-3).
    arch_start: updates of the weights before the first of alpha (paper: 0).
    init_scale: standard deviation of the first alpha (authors' program: 1e-3).
    label_smoothing: of the cross entropy (paper: 0 in the search).
    penalty: added to the validation loss, from `penalties`; None in the paper.
    derive: `(probabilities) -> arch`, the rule of section 2.4; None for the
      strongest choice of every decision.
    relaxation: `(space, init_scale=, derive=) -> Distribution`, what other
      papers change: a factory of `distributions`, other arguments bound.
    anneal: `(arch_params, step) -> arch_params` after every update, or None.
    loss: `(weights, arch, key, batch) -> (f32[], metrics)`; None for the cross
      entropy of the network's logits.
    valid_loss: what alpha is to minimise; None for the loss itself.

  Returns:
    A search whose batches are
    `dict(train=dict(image, label), valid=dict(image, label))`.

  Raises:
    ValueError: if the rule of DARTS cells is used on another space.

  References:
    DARTS, https://arxiv.org/abs/1806.09055, algorithm 1.
  """
  _check(space, derive)
  distribution = relaxation(space, init_scale=init_scale, derive=derive)
  return bilevel.bilevel(
    loss or losses.classification_loss(network, label_smoothing),
    descent.init_network(network, distribution, input_shape),
    distribution,
    optimizers.cosine_sgd(
      learning_rate,
      final_learning_rate,
      num_epochs,
      steps_per_epoch,
      momentum,
      weight_decay,
      nesterov,
    ),
    optimizers.adam(arch_learning_rate, arch_b1, arch_b2, arch_weight_decay),
    hypergradient or hypergradients.exact(),
    max_norm=max_norm,
    penalty=penalty,
    anneal=anneal,
    arch_start=arch_start,
    valid_loss=valid_loss,
  )
