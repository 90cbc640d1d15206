"""Few-shot NAS: a search on several supernets, each with a part of the space.

Y. Zhao, L. Wang, Y. Tian, R. Fonseca and T. Guo, Few-shot Neural Architecture
Search, ICML 2021, https://arxiv.org/abs/2006.06863: one supernet for all shares
weights among architectures that want different ones; a supernet for each
architecture would share nothing. In between, the space is split by the
operation of one edge, and each part has a supernet that starts from the weights
of the one for all.

Searches that ask for scores ask the supernet of the part that an architecture
is in. Searches that train the supernet themselves (`inner`: DARTS, ENAS) run
once in each part; the answer is the best of their answers.

Deviations
  * Supernets are trained on one architecture in all cells; the authors' program
    draws another one for every cell.
  * Scores are those of a validation split; those of the authors' program are of
    the test split.
  * An inner search has the same schedule in every turn, whatever its length:
    the rates of its config, not those of a training of its own.
  * The best of the answers of inner searches is the one with the highest
    accuracy in its supernet; the authors' program leaves it to the reader.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax

from nasjax import schedules
from nasjax.estimators import few_shot as supernets
from nasjax.estimators import one_shot, samplers
from nasjax.networks import loss as losses
from nasjax.searches import in_parts, optimizers, phases
from nasjax.spaces import subspaces
from nasjax.strategies import random_search
from nasjax.types import Batch, Estimator, Search, Space, Strategy


def few_shot(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  valid: Batch,
  steps_per_epoch: int,
  num_epochs: int = 600,
  num_tuning_epochs: int = 300,
  *,
  which: Sequence[int] = (0,),
  groups: Sequence[Sequence[int]] | None = None,
  inner: Callable[..., Search] | None = None,
  strategy: Strategy | None = None,
  learning_rate: float = 0.025,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  weight_decay: float = 1e-4,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Search on the supernets of the parts of a space.

  Args:
    space: of independent choices.
    network: as in `spos`; for an inner search, also as that needs it.
    input_shape: of one example, `(H, W, C)` for images.
    valid: stacked batches `[T, B, ...]` on which architectures are scored.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: of the supernet for all (authors' program: 600).
    num_tuning_epochs: of that of each part (authors' program: 300).
    which: decisions that split the space (authors' program: the first edge).
    groups: options that stay together; None for parts of one option each.
    inner: `(space=...) -> search` that trains its own supernet, `darts.darts`
      or `enas.enas` with all other arguments bound; None for supernets trained
      on random paths, and a strategy.
    strategy: without an inner search, what proposes architectures to be scored;
      None for random search, 50 an update.
    learning_rate: of supernets trained on random paths (authors' program:
      0.025); of an inner search it is its own.
    final_learning_rate: where the cosine ends (authors' program: 0.001).
    momentum: likewise, Nesterov's (authors' program: 0.9).
    weight_decay: L2 coefficient (authors' program: 1e-4).
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search, with the batches of `spos.spos` or those of the inner search.
    All supernets take `num_epochs + S num_tuning_epochs` epochs; behind these a
    strategy proposes.

  Raises:
    ValueError: as `subspaces.split`; if there are both an inner search and a
      strategy.

  References:
    Zhao et al., 2021, https://arxiv.org/abs/2006.06863.
  """
  if inner and strategy:
    raise ValueError('An inner search needs no strategy.')
  split = subspaces.split(space, which, groups)

  def supernet(space: Space, length: jax.Array) -> Estimator:
    rate = schedules.cosine(
      learning_rate, final_learning_rate, length, steps_per_epoch
    )
    optimizer = optax.chain(
      optax.add_decayed_weights(weight_decay),
      optax.sgd(rate, momentum, nesterov=True),
    )
    return one_shot.one_shot(
      samplers.uniform(space),
      losses.classification_loss(network),
      one_shot.init_supernet(network, space, input_shape),
      optimizers.where_used(optimizer),
      valid,
    )

  num_shared = num_epochs * steps_per_epoch
  num_each = num_tuning_epochs * steps_per_epoch
  if inner:
    score = supernet(space, num_each).score
    return in_parts.in_parts(space, inner, split, num_shared, num_each, score)
  estimator = supernets.few_shot(space, supernet, split, num_shared, num_each)
  return phases.trained_first(
    estimator,
    num_shared + subspaces.num_parts(split) * num_each,
    strategy or random_search.random_search(space, 50),
    batch_size,
    archive_size,
  )
