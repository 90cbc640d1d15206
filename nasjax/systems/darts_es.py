"""DARTS with early stopping: DARTS until the validation loss grows sharp.

A. Zela, T. Elsken, T. Saikia, Y. Marrakchi, T. Brox and F. Hutter,
Understanding and Robustifying Differentiable Architecture Search, ICLR 2020,
https://arxiv.org/abs/1909.09656, section 5.1: after every epoch the largest
eigenvalue of the Hessian of the validation loss with respect to alpha is
measured; where it grows too fast, the search stops and goes back to an epoch
before. The rule is `monitors.early_stop`.

Deviations:
  The Hessian is without the weight decay of alpha, see `monitors`.
"""

from collections.abc import Callable
import functools
from typing import Any

from nasjax.distributions import softmax
from nasjax.networks import loss as losses
from nasjax.searches import monitors, stopping
from nasjax.searches import run as runs
from nasjax.spaces import darts_cell
from nasjax.systems import darts
from nasjax.types import Arch, Distribution, Search, Space


def darts_es(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  valid_batches: runs.Batches,
  num_epochs: int = 50,
  *,
  window: int = 5,
  factor: float = 1.3,
  distance: int = 4,
  first_epoch: int = 10,
  num_products: int = 32,
  derive: Callable[[Arch], Arch] | None = darts_cell.derive,
  relaxation: Callable[..., Distribution] = softmax.softmax,
  **settings: Any,
) -> Search:
  """Search by DARTS until its curvature grows too fast.

  Args:
    space: as in `darts`; so are network and input_shape.
    network: the supernet.
    input_shape: of one example.
    steps_per_epoch: T, updates of DARTS in an epoch.
    valid_batches: `(key, t) -> batch` of validation examples; the first is what
      the curvature is measured on.
    num_epochs: E, the most there are (paper: 50).
    window: epochs averaged, see `monitors.early_stop` (paper: 5).
    factor: largest growth allowed (paper: 1.3).
    distance: epochs between the two averages (paper: 4).
    first_epoch: earliest epoch to go back to (paper: 10).
    num_products: Hessian products for an eigenvalue.
    derive: as in `darts`.
    relaxation: as in `darts`.
    **settings: further arguments of `darts.darts`.

  Returns:
    A search of which an update is an epoch, with batches `[T, ...]` as
    `data.streams.stack` makes them. Once stopped its updates do nothing; their
    metrics are zero but for `stopped`.

  Raises:
    ValueError: if the window is not odd.

  References:
    Zela et al., https://arxiv.org/abs/1909.09656, section 5.1.
  """
  distribution = relaxation(space, derive=derive)
  observe = monitors.curvature(
    losses.classification_loss(network),
    distribution,
    valid_batches,
    num_products,
  )
  epochs = runs.epochs(
    darts.darts(
      space,
      network,
      input_shape,
      steps_per_epoch,
      num_epochs,
      derive=derive,
      relaxation=relaxation,
      **settings,
    ),
    observe,
  )

  rule = functools.partial(
    monitors.early_stop,
    window=window,
    factor=factor,
    distance=distance,
    first_epoch=first_epoch,
  )
  return stopping.stopping(epochs, distribution.mode, num_epochs, rule)
