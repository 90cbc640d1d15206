"""GDAS: bilevel descent through one drawn architecture at a time.

X. Dong and Y. Yang, Searching for a Robust Neural Architecture in Four GPU
Hours (GDAS), CVPR 2019, https://arxiv.org/abs/1910.04465:

  y_k = softmax_k((log p_k + G_k) / tau),    p = softmax(alpha)           (4)
  h = one_hot(argmax y),    o(x) = h_k o_k(x) for that k alone            (3)
  d h / d alpha = d y / d alpha                                           (5)

tau falls linearly from 10 to 0.1. A sample is `choice.Sparse` with one option:
networks run the drawn operation and no other, in the forward and the backward
pass, and the gradient goes through its weight alone.

Deviations:
  The authors' NAS-Bench-201 program adds the weights of the operations that
  were not drawn (zeros) to the feature map, a gradient without meaning.
  The architecture step comes before the weight step, as in DARTS.
"""

import functools
from typing import Any

import optax

from nasjax import schedules
from nasjax.distributions import sparse, straight_through
from nasjax.searches import hypergradients
from nasjax.systems import darts
from nasjax.types import Search, Space


def _drawn(space, temperature, **settings):
  """One-hot samples, of which networks see the drawn option alone."""
  return sparse.sparse(
    straight_through.straight_through(space, temperature, **settings), 1
  )


def gdas(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 250,
  *,
  temperature: float = 10.0,
  final_temperature: float = 0.1,
  weight_decay: float = 5e-4,
  nesterov: bool = True,
  hypergradient: hypergradients.Hypergradient | None = None,
  **settings: Any,
) -> Search:
  """Search by gradient descent on drawn architectures.

  Args:
    space: the space; options that its mask forbids are never drawn.
    network: as in `darts`, for architectures of `choice.Sparse`.
    input_shape: of one example, `(H, W, C)` for images.
    steps_per_epoch: updates for which learning rate and temperature are
      constant.
    num_epochs: length of both schedules (paper: 250).
    temperature: tau of the first epoch (paper: 10).
    final_temperature: tau of the last epoch (paper: 0.1).
    weight_decay: L2 coefficient of the weights (authors' program: 5e-4).
    nesterov: whether the momentum is Nesterov's (authors' program: it is).
    hypergradient: from `hypergradients`; None for the paper's, `first_order`.
    **settings: further arguments of `darts.darts`, whose defaults are those of
      the paper.

  Returns:
    A search with the batches of `darts.darts`.

  References:
    GDAS, https://arxiv.org/abs/1910.04465, section 3.2 and algorithm 1.
  """
  line = optax.linear_schedule(
    temperature, final_temperature, max(num_epochs - 1, 1)
  )
  tau = schedules.per_epoch(line, steps_per_epoch)

  def anneal(arch_params, step):
    return arch_params._replace(temperature=tau(step))

  return darts.darts(
    space,
    network,
    input_shape,
    steps_per_epoch,
    num_epochs,
    hypergradient=hypergradient or hypergradients.first_order(),
    weight_decay=weight_decay,
    nesterov=nesterov,
    relaxation=functools.partial(_drawn, temperature=temperature),
    anneal=anneal,
    **settings,
  )
