"""FairNAS: a supernet in which every option is trained by every update.

X. Chu, B. Zhang and R. Xu, FairNAS: Rethinking Evaluation Fairness of Weight
Sharing Neural Architecture Search, ICCV 2021, https://arxiv.org/abs/1907.01845:
strict fairness. Of m options a decision, an update takes m architectures on one
batch; each decision has a random order of its options, and the j-th
architecture takes the j-th of each. The m gradients are summed, then the
weights move once.

Deviations
  * Recalled, not read: the rule, and the settings that are defaults.
  * The search on the supernet is that of `spos`, for one objective; that of the
    paper is for several.
"""

from typing import Any

from nasjax.estimators import samplers
from nasjax.searches import optimizers
from nasjax.systems import spos
from nasjax.types import Batch, Search, Space


def fairnas(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  valid: Batch,
  steps_per_epoch: int,
  num_epochs: int = 150,
  *,
  learning_rate: float = 0.045,
  final_learning_rate: float = 0.0,
  momentum: float = 0.9,
  weight_decay: float = 4e-5,
  **settings: Any,
) -> Search:
  """Train a supernet with strict fairness, then evolve architectures on it.

  Args:
    space: of independent choices, with equally many of every decision.
    network: as in `spos`.
    input_shape: of one example, `(H, W, C)` for images.
    valid: stacked batches `[T, B, ...]` on which architectures are scored.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: of the supernet.
    learning_rate: of the first epoch; the gradient is a sum over m options.
    final_learning_rate: where the cosine ends.
    momentum: of SGD.
    weight_decay: L2 coefficient.
    **settings: further arguments of `spos.spos`.

  Returns:
    A search with the batches of `spos.spos`.

  Raises:
    ValueError: if decisions differ in the number of options.

  References:
    FairNAS, https://arxiv.org/abs/1907.01845.
  """
  return spos.spos(
    space,
    network,
    input_shape,
    valid,
    num_epochs * steps_per_epoch,
    sampler=samplers.strictly_fair(space),
    optimizer=optimizers.cosine_sgd(
      learning_rate,
      final_learning_rate,
      num_epochs,
      steps_per_epoch,
      momentum,
      weight_decay,
    ),
    **settings,
  )
