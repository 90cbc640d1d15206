"""ENAS: shared weights and the policy that draws from them, in alternation.

H. Pham, M. Guan, B. Zoph, Q. Le and J. Dean, Efficient Neural Architecture
Search via Parameter Sharing, ICML 2018, https://arxiv.org/abs/1802.03268:

  repeat: an epoch of W on architectures that the policy draws, one a batch
          some steps of theta by REINFORCE, W fixed; the reward is the accuracy
          on a batch of the validation split
  the answer is the best of some architectures drawn from the policy

Defaults are those of NATS-Bench's program for NAS-Bench-201 (X. Dong et al.,
https://arxiv.org/abs/2009.00437), as far as they are known to us.

Deviations
  * That program scores each of the last draws on a batch of its own, and takes
    the winner; here all see the same batches.
  * Its baseline is compared with rewards within an epoch before it is averaged;
    for ours see `strategies.policy_gradient`.
  * No bias towards separable convolutions, which the authors' search of CIFAR
    cells begins with.
"""

from typing import Any

import optax

from nasjax.distributions import controller
from nasjax.estimators import one_shot
from nasjax.networks import loss as losses
from nasjax.searches import optimizers, policy_of_supernet
from nasjax.strategies import reinforce
from nasjax.types import Batch, Distribution, Search, Space


def _adam():
  """The optimiser of the policy in NATS-Bench's program."""
  return optax.chain(
    optax.clip_by_global_norm(5.0), optax.adam(1e-3, 0.5, 0.999, 1e-3)
  )


def enas(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  valid: Batch,
  steps_per_epoch: int,
  num_epochs: int = 100,
  *,
  policy_steps: int = 50,
  num_samples: int = 20,
  num_candidates: int = 100,
  learning_rate: float = 0.025,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  weight_decay: float = 5e-4,
  policy: Distribution | None = None,
  policy_optimizer: optax.GradientTransformation | None = None,
  decay: float = 0.99,
  entropy_weight: float = 1e-4,
  batch_size: int | None = None,
) -> Search:
  """Train shared weights and a policy over architectures in alternation.

  Args:
    space: of independent choices.
    network: as in `spos`.
    input_shape: of one example, `(H, W, C)` for images.
    valid: stacked batches `[T, B, ...]` on which the last draws are scored.
    steps_per_epoch: updates of the weights before the policy moves.
    num_epochs: of the weights, for the cosine of their rate.
    policy_steps: updates of the policy after each epoch.
    num_samples: architectures of such an update.
    num_candidates: drawn in the end.
    learning_rate: of the weights in the first epoch.
    final_learning_rate: where the cosine ends.
    momentum: of the weights, Nesterov's.
    weight_decay: L2 coefficient of the weights.
    policy: with index samples; None for the recurrent controller.
    policy_optimizer: None for Adam with a rate of 1e-3.
    decay: of the moving average of rewards, the baseline.
    entropy_weight: in units of reward per nat.
    batch_size: architectures scored at once, see `batching.map_archs`.

  Returns:
    A search with the batches of `darts.darts`. An epoch is
    `steps_per_epoch + policy_steps` updates. `reward_mean` is that of an update
    of the policy.

  Raises:
    ValueError: if a number is not positive, or samples of the policy are
      relaxed.

  References:
    ENAS, https://arxiv.org/abs/1802.03268.
  """
  policy = policy or controller.controller(space)
  loss = losses.classification_loss(network)
  optimizer = optimizers.cosine_sgd(
    learning_rate,
    final_learning_rate,
    num_epochs,
    steps_per_epoch,
    momentum,
    weight_decay,
    nesterov=True,
  )
  strategy = reinforce.reinforce(
    policy,
    policy_optimizer or _adam(),
    num_samples,
    decay,
    debias=False,
    entropy_weight=entropy_weight,
  )
  return policy_of_supernet.policy_of_supernet(
    policy,
    lambda sampler: one_shot.one_shot(
      sampler,
      loss,
      one_shot.init_supernet(network, space, input_shape),
      optimizers.where_used(optimizer),
      valid,
    ),
    strategy,
    loss,
    steps_per_epoch,
    policy_steps,
    num_candidates,
    batch_size,
  )
