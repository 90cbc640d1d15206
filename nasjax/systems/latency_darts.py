"""LA-DARTS: DARTS whose architecture also minimises a learned latency.

Y. Xu, L. Xie, X. Zhang, X. Chen, B. Shi, Q. Tian and H. Xiong, Latency-Aware
Differentiable Neural Architecture Search, 2020,
https://arxiv.org/abs/2001.06392:

  alpha <- alpha - Adam(grad_alpha [L_val + lambda (LAT(alpha) - T) / T])
  w     <- w - SGD(grad_w L_train(w, alpha))

LAT comes from `estimators.latency_predictor`, or is any other differentiable
cost. It was fitted to discrete architectures, so by default it is asked about
the one that alpha derives, and its gradient goes straight through to alpha.
With lambda = 0 this is `darts`.

Deviations
  * How alpha enters LAT and the values of lambda are not at hand: both are
    arguments. The division by T is ours. The loss of ProxylessNAS that
    multiplies is another option.
"""

from collections.abc import Callable
from typing import Any

import jax

from nasjax.networks import loss as losses
from nasjax.searches import costs, descent, penalties
from nasjax.spaces import darts_cell
from nasjax.systems import darts
from nasjax.types import Arch, Search, Space

_ENCODINGS = ('derived', 'sampled', 'soft')
_FORMS = ('add', 'multiply')


def _expected(latency, encoding, derive, num_samples):
  if encoding == 'derived':
    return costs.derived(latency, derive)
  if encoding == 'sampled':
    return costs.sampled(latency, num_samples)
  return costs.soft(latency)


def latency_darts(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  latency: Callable[[Arch], jax.Array],
  balance: penalties.Weight,
  target: float,
  encoding: str = 'derived',
  form: str = 'add',
  num_samples: int = 4,
  label_smoothing: float = 0.0,
  loss: descent.Loss | None = None,
  derive: Callable[[Arch], Arch] | None = darts_cell.derive,
  **settings: Any,
) -> Search:
  """Search by gradient descent on the loss and the latency of mixtures.

  Args:
    space: as in `darts`; so are the four arguments that follow.
    network: the supernet.
    input_shape: of one example.
    steps_per_epoch: updates with one learning rate.
    num_epochs: length of the cosine schedule.
    latency: `(arch) -> f32[]` of relaxed architectures, lower is better.
    balance: lambda, a number or a schedule of the step; for the form 'multiply'
      a number, the exponent beta.
    target: T, a latency that is usual in the space, in its unit.
    encoding: what of alpha the latency is of: 'derived', 'sampled' or 'soft',
      see `costs`.
    form: 'add', or 'multiply' (ProxylessNAS: (log LAT / log T)^beta times the
      validation loss).
    num_samples: architectures of the encoding 'sampled'.
    label_smoothing: as in `darts`.
    loss: as in `darts`.
    derive: the rule of the space, see `darts`.
    **settings: further arguments of `darts.darts`.

  Returns:
    A search with the batches of `darts.darts`.

  Raises:
    ValueError: for an unknown encoding or form, or a balance that does not fit.

  References:
    Xu et al., https://arxiv.org/abs/2001.06392.
  """
  for name, value, known in (
    ('encoding', encoding, _ENCODINGS),
    ('form', form, _FORMS),
  ):
    if value not in known:
      raise ValueError(f'Unknown {name} {value!r}. Known: {", ".join(known)}.')
  expected = _expected(latency, encoding, derive, num_samples)
  if form == 'add':
    term = dict(penalty=costs.penalty(expected, balance, target))
  elif callable(balance):
    raise ValueError("The form 'multiply' needs a number as balance.")
  else:
    scaled = loss or losses.classification_loss(network, label_smoothing)
    term = dict(
      valid_loss=costs.scaled(scaled, expected, target, exponent=balance)
    )
  return darts.darts(
    space,
    network,
    input_shape,
    steps_per_epoch,
    num_epochs,
    label_smoothing=label_smoothing,
    loss=loss,
    derive=derive,
    **term,
    **settings,
  )
