"""Proximal policy optimisation: several steps on one batch, within bounds.

J. Schulman, F. Wolski, P. Dhariwal, A. Radford and O. Klimov, Proximal Policy
Optimization Algorithms, 2017, https://arxiv.org/abs/1707.06347, equation 7,
with rho = pi(a) / pi_old(a) and the advantage A:

  objective = min(rho A, clip(rho, 1 - epsilon, 1 + epsilon) A)

M. Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile,
CVPR 2019, https://arxiv.org/abs/1807.11626, searches with it and a recurrent
controller, but gives none of its settings.

Deviations
  * An architecture is one action and its reward the return: there is no value
    network, and the baseline is a moving average of rewards.
  * Every epoch is one step on the whole batch.
  * The bonus for entropy is a part of the reward (see `policy_gradient`), fixed
    when the batch is drawn.
"""

import jax.numpy as jnp
import optax

from nasjax.strategies import policy_gradient
from nasjax.types import Distribution, Strategy


def ppo(
  distribution: Distribution,
  optimizer: optax.GradientTransformation | None = None,
  batch_size: int = 32,
  num_epochs: int = 4,
  clip: float = 0.2,
  decay: float = 0.95,
  debias: bool = True,
  entropy_weight: float = 0.0,
  normalize: bool = True,
) -> Strategy:
  """Improve a policy by several bounded steps on each proposal.

  Example:
    >>> import optax
    >>> from nasjax.distributions import controller
    >>> from nasjax.spaces import nasbench201
    >>> policy = controller.controller(nasbench201.nasbench201())
    >>> strategy = ppo(policy, optax.adam(3.5e-3))

  Args:
    distribution: the policy: a controller, `distributions.categorical`, or
      another one whose samples are index choices.
    optimizer: of the policy, by default Adam with rate 3.5e-4 after clipping
      the norm of the gradient to 1: for controllers and thousands of samples.
    batch_size: B, architectures of a proposal.
    num_epochs: steps of the optimiser for one proposal.
    clip: epsilon; infinite for no bound, and with one epoch this is REINFORCE.
    decay: of the moving average of rewards.
    debias: whether the average is divided by the weight of the rewards in it;
      otherwise it starts at a reward of zero.
    entropy_weight: of the entropy of the policy, in units of reward per nat.
    normalize: whether advantages are centred and divided by their standard
      deviation over the batch; the moving average then cancels.

  Returns:
    The strategy. Values that are not finite are left out.

  Raises:
    ValueError: if the distribution is a relaxation, if a size or the clip is
      not positive, or if a batch of one is to be normalised.

  References:
    Schulman et al., Proximal Policy Optimization Algorithms, 2017, equation 7.
  """
  if clip <= 0 or (normalize and batch_size < 2):
    raise ValueError(
      'PPO needs clip > 0, and batch_size >= 2 to normalise advantages, got '
      f'clip={clip}, batch_size={batch_size}, normalize={normalize}.'
    )
  if optimizer is None:
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(3.5e-4))

  def objective(log_prob, old_log_prob, advantage):
    ratio = jnp.exp(log_prob - old_log_prob)
    bounded = jnp.clip(ratio, 1 - clip, 1 + clip)
    return jnp.minimum(ratio * advantage, bounded * advantage)

  return policy_gradient.policy_gradient(
    distribution,
    objective,
    optimizer,
    batch_size,
    num_epochs,
    decay,
    debias,
    entropy_weight,
    normalize,
  )
