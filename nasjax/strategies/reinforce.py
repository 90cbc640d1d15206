"""REINFORCE: the score-function gradient of the expected reward.

R. J. Williams, Simple Statistical Gradient-Following Algorithms for
Connectionist Reinforcement Learning, Machine Learning 1992,
https://doi.org/10.1007/BF00992696:

  grad E[r] = E[(r - b) grad log pi(a)]

Settings of reference, all with one architecture an update and a moving average
of decay 0.9 as the baseline b, divided by the weight of the rewards in it:
  * NATS-Bench (https://arxiv.org/abs/2009.00437, exps/NATS-algos/reinforce.py):
    logits 1e-3 N(0, 1), Adam with rate 0.01, rewards in percent; the answer is
    the best architecture queried. These are the defaults.
  * nas_benchmarks (https://arxiv.org/abs/1902.09635,
    experiment_scripts/run_rl.py): logits zero, gradient descent with rate 0.1,
    rewards in [0, 1]; samples that are not valid are drawn again.
ENAS (https://arxiv.org/abs/1802.03268) has a controller, an average that starts
at zero (`debias=False`) and a bonus for entropy.

Deviations
  * In ENAS the bonus is the entropy of the decisions along the sample, here the
    negative log-likelihood of the sample, which is the same in expectation.
"""

import optax

from nasjax.strategies import policy_gradient
from nasjax.types import Distribution, Strategy


def reinforce(
  distribution: Distribution,
  optimizer: optax.GradientTransformation | None = None,
  batch_size: int = 1,
  decay: float = 0.9,
  debias: bool = True,
  entropy_weight: float = 0.0,
) -> Strategy:
  """Ascend the expected reward of a policy, one step a proposal.

  Example:
    >>> from nasjax.distributions import categorical
    >>> from nasjax.spaces import nasbench201
    >>> policy = categorical.categorical(nasbench201.nasbench201())
    >>> strategy = reinforce(policy)

  Args:
    distribution: the policy: `distributions.categorical`, a controller, or
      another one whose samples are index choices.
    optimizer: of the policy, by default Adam with rate 0.01. With Adam a
      constant factor of the reward changes nothing.
    batch_size: B, architectures of a proposal; the gradient is their mean.
    decay: of the moving average of rewards.
    debias: whether the average is divided by the weight of the rewards in it;
      otherwise it starts at a reward of zero.
    entropy_weight: of the entropy of the policy, in units of reward per nat
      (ENAS: 1e-4 for accuracies in [0, 1]).

  Returns:
    The strategy. Values that are not finite are left out.

  Raises:
    ValueError: if the distribution is a relaxation, or B is not positive.

  References:
    Williams, Simple Statistical Gradient-Following Algorithms for Connectionist
    Reinforcement Learning, Machine Learning 1992.
  """

  def objective(log_prob, old_log_prob, advantage):
    del old_log_prob
    return log_prob * advantage

  return policy_gradient.policy_gradient(
    distribution,
    objective,
    optax.adam(0.01) if optimizer is None else optimizer,
    batch_size,
    num_epochs=1,
    decay=decay,
    debias=debias,
    entropy_weight=entropy_weight,
  )
