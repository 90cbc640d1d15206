"""BigNAS: one supernet whose children are used as they are.

Yu et al., BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage
Models, 2020, https://arxiv.org/abs/2003.11142. Training:

  sandwich rule        every update has the biggest, the smallest and
                       `num_random` random children on the same batch
  in-place distillation  the others learn what the biggest says
  initialisation       the last norm of every block begins at zero, and every
                       block has a shortcut
  constant ending      the rate decays exponentially to a twentieth
  regularisation       dropout, drop path and label smoothing of the biggest
                       alone; weight decay once an update

Selection, in the updates after `train_steps`: coarse to fine, within a budget,
by the accuracy of children with calibrated norm.

Deviations
  * Every child of an update has its own resolution, where it is searched.
  * Gradients of children are added up, as the authors' slimmable networks do.
  * The text was not at hand: initialisation, the end of the rate and what is
    regularised are recalled, or read in AttentiveNAS and reimplementations.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nasjax.estimators import calibration as calibrations
from nasjax.estimators import combine, one_shot, samplers, sandwich
from nasjax.networks import mobile_children
from nasjax.searches import black_box, phases
from nasjax.spaces import mobile, mobile_grid
from nasjax.strategies import coarse_to_fine
from nasjax.types import Arch, Batch, Search, Space


def bignas(
  space: Space,
  network: Any,
  layout: mobile.Layout,
  input_shape: tuple[int, ...],
  calibration: Batch,
  valid: Batch,
  train_steps: int,
  optimizer: optax.GradientTransformation,
  *,
  cost: Callable[[Arch], jax.Array] | None = None,
  budget: float = float('inf'),
  num_levels: int = 2,
  select_batch: int = 8,
  with_sandwich: bool = True,
  num_random: int = 2,
  distill: bool = True,
  regularization: sandwich.Regularization | None = None,
  average: bool = False,
) -> Search:
  """Train a supernet, then select a child of it.

  Args:
    space: of the layout.
    network: a `Mobile` of the layout without running statistics, with `project`
      and `zero`.
    layout: stages and their options.
    input_shape: of one example, `(H, W, C)`.
    calibration: stacked batches `[k, N, ...]` of training images, for the norm.
    valid: stacked batches `[T, N, ...]`, with weights, that select.
    train_steps: updates of the supernet; all others select.
    optimizer: of the weights; the config has that of a reimplementation.
    cost: `(arch) -> f32[]`, what the budget is of; see `networks.mobile_cost`.
    budget: the largest cost of what is selected.
    num_levels: of every kind of decision, in the coarse grid.
    select_batch: children scored in an update of the selection.
    with_sandwich: whether the biggest and the smallest child are in every
      update; without, as many random ones, which learn from labels.
    num_random: random children of an update (2).
    distill: whether children learn from the biggest one.
    regularization: of the biggest; None for the defaults.
    average: whether gradients of children are averaged, not added up.

  Returns:
    A search whose batches are `dict(image, label)`. Its `best` is in the space
    from the beginning, and means something when the grid has been scored.

  Raises:
    ValueError: if children are to learn from the biggest one without it, or for
      a budget without a cost, or one that the smallest child exceeds.

  References:
    Yu et al., BigNAS, 2020, https://arxiv.org/abs/2003.11142.
  """
  if distill and not with_sandwich:
    raise ValueError('Without the sandwich rule there is nobody to distill.')
  ends = [mobile.biggest(layout), mobile.smallest(layout)]
  if cost is None and budget < float('inf'):
    raise ValueError(f'A budget of {budget} needs the cost that it is of.')
  if cost is not None and (least := float(cost(ends[1]))) > budget:
    raise ValueError(
      f'The smallest child costs {least:g}, more than the budget of {budget:g}.'
    )
  if with_sandwich:
    sampler = samplers.sandwich(space, ends, num_random)
  else:
    # Nobody is the biggest: all children are regularised.
    sampler = samplers.uniform(space, num_random + len(ends))
    regularization = (regularization or sandwich.Regularization())._replace(
      of_all=True
    )
  tracked = network.clone(track=True, momentum=0.0)
  if len(layout.resolutions) > 1:
    network, tracked = (
      mobile_children.elastic_resolution(one, layout)
      for one in (network, tracked)
    )
  accuracy = calibrations.calibrated_accuracy(tracked, calibration['image'])
  supernet = sandwich.sandwich(
    sampler,
    network,
    one_shot.init_supernet(network, space, input_shape),
    optimizer,
    lambda weights, arch: accuracy(weights, arch, valid),
    regularization=regularization,
    distill=distill,
    average=average,
  )

  def feasible(arch):
    return jnp.bool_(True) if cost is None else cost(arch) <= budget

  def select(state):
    """Search the children of a supernet as it is."""

    def score(key, arch):
      value = supernet.score(key, state, arch)
      return jnp.where(feasible(arch), value, -jnp.inf)

    strategy = coarse_to_fine.coarse_to_fine(
      space, mobile_grid.grid(layout, num_levels), select_batch, feasible
    )
    return black_box.black_box(strategy, combine.stateless(score))

  training = Search(supernet.init, supernet.update, lambda key, state: ends[0])
  return phases.then(training, train_steps, select)
