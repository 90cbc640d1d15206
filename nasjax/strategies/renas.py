"""ReNAS: rank architectures by a predictor that is trained to rank.

Y. Xu et al., ReNAS: Relativistic Evaluation of Neural Architecture Search, CVPR
2021, https://arxiv.org/abs/1910.01523:

  told <- n random architectures, evaluated
  F <- fit to told: pairs in the right order, and distances of features that are
       ordered like gaps of accuracy
  evaluate the k best by F, found by evolution or by ranking the whole space

Deviations
  * The paper trains the best by F; the k best are evaluated here, and F is
    fitted again if there is budget for more.
  * The size of the network, the weight of the second loss and the settings of
    the optimiser are not in the paper's material at hand: they are ours.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from nasjax.estimators import predictor, ranking_losses
from nasjax.networks import predictors as networks
from nasjax.strategies import predicted
from nasjax.types import Arch, Estimator, Space, Strategy

_HINGE = ranking_losses.hinge(0.1)


def model(
  space: Space,
  features: Callable[[Arch], jax.Array],
  network: Any = None,
  ranking: bool = True,
  consistency: float = 0.5,
  num_triplets: int = 4096,
  num_steps: int = 300,
  learning_rate: float = 1e-3,
  batch_size: int | None = 64,
) -> Estimator:
  """Return the predictor of the paper.

  Args:
    space: the space.
    features: `(arch) -> inputs`, the tensor of types and costs:
      `tensors.nasbench201`, or one of NAS-Bench-101.
    network: by default `networks.LeNet`.
    ranking: whether the loss is that of pairs; otherwise the squared error, the
      paper's comparison.
    consistency: weight of the loss of feature distances.
    num_triplets: drawn for it in every step.
    num_steps: of a fit.
    learning_rate: of Adam, along a cosine.
    batch_size: architectures of a step, whose pairs all count.

  Returns:
    The estimator.
  """
  loss = ranking_losses.squared_error
  if ranking:
    loss = ranking_losses.pairwise(_HINGE)
    if consistency > 0:
      triplets = ranking_losses.consistency(_HINGE, num_triplets)
      loss = ranking_losses.weighted_sum([(1.0, loss), (consistency, triplets)])
  return predictor.predictor(
    network or networks.LeNet(),
    features,
    space.sample(jax.random.key(0)),
    loss,
    optax.adam(optax.cosine_decay_schedule(learning_rate, num_steps)),
    num_steps,
    batch_size,
    standardize=True,
  )


def renas(
  space: Space,
  predictor: Estimator,
  num_initial: int = 400,
  num_new: int = 20,
  capacity: int = 1000,
  propose: Callable[..., Any] | None = None,
) -> Strategy:
  """Propose random architectures, then what a predictor of ranks likes best.

  Args:
    space: the space.
    predictor: from `model`, or any other that fits to an archive.
    num_initial: n, a multiple of `num_new`.
    num_new: k, evaluated after each fit.
    capacity: architectures that are remembered.
    propose: `(space, predictor, k) -> propose`: `predicted.by_evolution`, as in
      the paper, or `predicted.of_space`, which finds the same without chance;
      by default the latter where the space can be enumerated.

  Returns:
    The strategy, whose proposals are of `num_new` architectures.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    Xu et al., ReNAS, 2021, https://arxiv.org/abs/1910.01523.
  """
  return predicted.best_predicted(
    space, predictor, num_initial, num_new, capacity, propose
  )
