"""GHN-2: a hypernetwork that predicts the weights of networks it never saw.

B. Knyazev, M. Drozdzal, G. Taylor and A. Romero-Soriano, Parameter Prediction
for Unseen Deep Architectures, NeurIPS 2021, https://arxiv.org/abs/2110.13100:
a graph hypernetwork (`networks.hypernetwork`) is trained on networks that the
generator of DeepNets-1M draws (`spaces.deepnets`), a meta-batch of them and a
batch of images an update (`estimators.hypernetwork`). The search that follows
is that of GHN-1 (C. Zhang, M. Ren and R. Urtasun, ICLR 2019,
https://arxiv.org/abs/1810.05749): networks are drawn and the best with
predicted weights is the answer. The model and the optimiser make it GHN-1,
GHN-2 or GHN-3 (https://arxiv.org/abs/2303.04143).

Deviations
  * A loss that is not finite is not drawn again, nor is a meta-batch of more
    than 2,200 vertices.
  * The hidden layer of a head has no dropout (authors: 0.5 in training).
"""

from collections.abc import Callable

import optax

from nasjax.estimators import ghn_optimizers, hypernetwork
from nasjax.networks.hypernetwork import Hypernetwork
from nasjax.searches import phases
from nasjax.spaces import deepnets
from nasjax.spaces.deepnets_layouts import Layout
from nasjax.strategies import random_search
from nasjax.types import Batch, Search, Strategy

_Optimizer = Callable[[int], optax.GradientTransformation]


def ghn2(
  layout: Layout,
  model: Hypernetwork,
  valid: Batch,
  num_train_steps: int,
  *,
  optimizer: _Optimizer = ghn_optimizers.adam,
  meta_batch: int = 8,
  normalise: bool = True,
  norm_penalty: float = 0.0,
  strategy: Strategy | None = None,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Train a hypernetwork, then search by the accuracy of predicted weights.

  Args:
    layout: of the networks.
    model: the hypernetwork.
    valid: stacked batches `[T, B, ...]`, with weights, on which networks are
      scored (paper: batches of 64, whose statistics norm uses).
    num_train_steps: updates of the hypernetwork.
    optimizer: of the hypernetwork, from the number of its steps
      (`estimators.ghn_optimizers.adam`, GHN-3: `adamw`).
    meta_batch: networks of an update (paper: 8; GHN-1: 1).
    normalise: whether predicted weights are normalised (GHN-1: not).
    norm_penalty: weight of the norms of predicted tensors in the loss (GHN-3:
      3e-5).
    strategy: of the second phase; None for random search.
    batch_size: networks scored at once, see `batching.map_archs`.
    archive_size: networks kept.

  Returns:
    A search whose batches are `dict(image, label)` of the training split. An
    update behind `num_train_steps` is one proposal of the strategy.

  References:
    Knyazev et al., 2021, https://arxiv.org/abs/2110.13100.
  """
  space = deepnets.deepnets(layout)
  estimator = hypernetwork.hypernetwork(
    space,
    layout,
    model,
    optimizer(num_train_steps),
    valid,
    meta_batch,
    normalise,
    norm_penalty,
  )
  return phases.trained_first(
    estimator,
    num_train_steps,
    strategy or random_search.random_search(space),
    batch_size,
    archive_size,
  )
