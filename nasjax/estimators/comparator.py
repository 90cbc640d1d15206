"""The neural architecture comparator: which of two is better?

Y. Chen et al., Contrastive Neural Architecture Search with Neural Architecture
Comparators, CVPR 2021, https://arxiv.org/abs/2103.05471. With an embedding f by
a graph network,

  P(a beats b) = sigmoid(u . f(a) + v . f(b) + c),

fitted by binary cross entropy on pairs of evaluated architectures (equations 1
to 3). The logit is a sum, so ranking by it is ranking by (u - v) . f, and all
pairs of A and B architectures cost A + B embeddings.

Deviations
  * All pairs of a batch instead of one random permutation; ties are left out.
  * `antisymmetric` ties v to -u and c to 0, so that P(a beats b) and
    P(b beats a) sum to one, which the official head does not do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from nasjax.estimators import predictor, ranking_losses
from nasjax.networks import predictors
from nasjax.types import Arch, Estimator, State


class Comparator(NamedTuple):
  """A fitted comparison, and the order that it implies.

  Attributes:
    estimator: its `update` takes an `archive.Archive`, its `score` is
      `(u - v) . f(arch)` up to the unit of the values.
    compare: `(state, archs [A, ...], others [B, ...]) -> f32[A, B]`, the
      probability that each of the former beats each of the latter.
  """

  estimator: Estimator
  compare: Callable[[State, Arch, Arch], jax.Array]


def comparator(
  body: Any,
  features: Callable[[Arch], Any],
  example: Arch,
  optimizer: optax.GradientTransformation,
  num_steps: int,
  batch_size: int | None = None,
  antisymmetric: bool = False,
  warm_start: bool = False,
) -> Comparator:
  """Return a comparator of architectures.

  Args:
    body: the network whose last hidden layer is the embedding f, in the paper
      `networks.predictors.Gcn(num_ops)`.
    features: `(arch) -> inputs` of the body.
    example: any architecture.
    optimizer: of the weights.
    num_steps: of one fit.
    batch_size: architectures of a step, all pairs of which are compared; None
      for all that are known.
    antisymmetric: whether to exchange two architectures is to exchange their
      probabilities.
    warm_start: whether a fit continues from the last weights.

  Returns:
    The comparator.

  References:
    Chen et al., Contrastive Neural Architecture Search with Neural Architecture
    Comparators, 2021, section 3.2.
  """
  network = predictors.Comparator(body, antisymmetric)
  estimator = predictor.predictor(
    network,
    features,
    example,
    ranking_losses.comparison,
    optimizer,
    num_steps,
    batch_size,
    warm_start,
  )

  def terms(state, archs):
    inputs = jax.vmap(features)(archs)
    return network.apply({'params': state.params}, inputs).features

  def compare(state, archs, others):
    first, second = terms(state, archs)[:, 0], terms(state, others)[:, 1]
    return jax.nn.sigmoid(first[:, None] + second[None, :])

  return Comparator(estimator, compare)


def scorer(comparator: Comparator) -> Estimator:
  """Return the estimator of a comparator, so that a config can name it.

  Args:
    comparator: the comparator.

  Returns:
    Its estimator.
  """
  return comparator.estimator
