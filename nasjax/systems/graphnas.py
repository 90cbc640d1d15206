"""GraphNAS: a recurrent controller learns to draw graph networks.

Y. Gao, H. Yang, P. Zhang, C. Zhou and Y. Hu, GraphNAS: Graph Neural
Architecture Search with Reinforcement Learning, 2019,
https://arxiv.org/abs/1904.09981, in the settings of its authors' program: an
LSTM of 100 units, Adam with rate 3.5e-4, a moving average of decay 0.95 as the
baseline, and the entropy, with weight 1e-4, as a part of the reward.

Deviations
  * There, advantages are divided by the largest of the last ten; with Adam a
    factor matters little.
  * There, the test score is the best of all epochs. Here an estimator sees the
    validation part alone.
  * There, every choice has a reward of its own: the score and the entropy of
    its decision. Here all have one, the score and the negative log-likelihood
    of the sample.
  * There, the result is the best of the five best, each trained twenty times
    more. Here it is the best of the search.
"""

import optax

from nasjax.distributions import controller
from nasjax.searches import black_box
from nasjax.strategies import reinforce
from nasjax.types import Estimator, Search, Space


def graphnas(
  space: Space,
  estimator: Estimator,
  features: int = 100,
  learning_rate: float = 3.5e-4,
  decay: float = 0.95,
  entropy_weight: float = 1e-4,
  archive_size: int = 10,
) -> Search:
  """Ascend the expected score of a recurrent controller.

  Args:
    space: of independent choices.
    estimator: the score.
    features: width of the LSTM.
    learning_rate: of Adam.
    decay: of the baseline, a moving average of rewards.
    entropy_weight: in units of reward per nat.
    archive_size: architectures kept.

  Returns:
    The search; an update scores one architecture.

  References:
    Gao et al., GraphNAS, https://arxiv.org/abs/1904.09981.
  """
  policy = controller.controller(space, features, num_layers=1)
  strategy = reinforce.reinforce(
    policy,
    optax.adam(learning_rate),
    decay=decay,
    entropy_weight=entropy_weight,
  )
  return black_box.black_box(strategy, estimator, archive_size=archive_size)
