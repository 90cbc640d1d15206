"""RMSProp with the schedule that mobile networks are trained with.

Tan et al., MnasNet, 2019 (https://arxiv.org/abs/1807.11626), whose program has
decay, momentum, epsilon, weight decay and steps of the rate; Yu et al., BigNAS,
2020 (https://arxiv.org/abs/2003.11142), for the ending of the schedule, whose
numbers are those of a public reimplementation: the paper's were not at hand.
"""

import jax
import optax

from nasjax import schedules


def rms_prop(
  steps_per_epoch: int,
  learning_rate: float = 0.256,
  ending: float = 0.05,
  decay_epochs: float = 2.4,
  warmup_epochs: float = 3.0,
  decay: float = 0.9,
  momentum: float = 0.9,
  epsilon: float = 1e-3,
  weight_decay: float = 1e-5,
  clip: float | None = None,
) -> optax.GradientTransformation:
  """Return RMSProp as mobile networks are trained with it.

  Weight decay is added to the gradient, before its mean square; norms and
  biases have none. The rate is `schedules.constant_ending`.

  Args:
    steps_per_epoch: of the schedule.
    learning_rate: in the beginning (0.256 for batches of 4,096).
    ending: share at which the rate stays; 0 for none.
    decay_epochs: epochs between steps of the rate, each by 0.97.
    warmup_epochs: epochs in which the rate grows.
    decay: of the mean square.
    momentum: of the updates.
    epsilon: added to the mean square.
    weight_decay: L2 coefficient.
    clip: largest absolute value of an entry of the gradient, or None.

  Returns:
    The optimiser.
  """
  rate = schedules.constant_ending(
    learning_rate, 0.97, decay_epochs, ending, warmup_epochs
  )

  def decays(params):
    return jax.tree_util.tree_map_with_path(
      lambda path, _: path[-1].key not in ('bias', 'scale'), params
    )

  return optax.chain(
    optax.identity() if clip is None else optax.clip(clip),
    optax.add_decayed_weights(weight_decay, decays),
    optax.rmsprop(
      lambda step: rate(step / steps_per_epoch),
      decay,
      epsilon,
      initial_scale=1.0,
      momentum=momentum,
    ),
  )
