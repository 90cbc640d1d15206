"""IRLAS: a reward that also says how like a human design an architecture is.

M. Guo, Z. Zhong, W. Wu, D. Lin and J. Yan, IRLAS: Inverse Reinforcement
Learning for Architecture Search, CVPR 2019, https://arxiv.org/abs/1812.05285:

  R = ACC + lambda F

with the mirror stimuli function F learned from an expert's network by inverse
reinforcement learning, for Q-learning or for any other search.

Deviations
  * The text of the paper was not at hand and no code was found. That the reward
    has this form, the agent and the feature counts are recalled; the features
    (`spaces.topology`), how F is learned and scaled (`estimators.mirror`) and
    the values of lambda are **our reconstruction**.
  * The differentiable variant is not here.
"""

from collections.abc import Callable

import jax

from nasjax.estimators import combine
from nasjax.searches import black_box
from nasjax.types import Arch, Estimator, Search, Strategy


def irlas(
  estimator: Estimator,
  stimulus: Callable[[Arch], jax.Array],
  strategy: Strategy,
  weight: float = 0.3,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Search for accuracy and for the topology of an expert.

  Args:
    estimator: of the accuracy, a fraction: F is 1 at the expert.
    stimulus: F, from `estimators.mirror.stimulus`.
    strategy: `strategies.q_learning`, `reinforce`, or another one.
    weight: lambda; 0 is the strategy alone.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal; `best` is
    the one with the highest reward.

  References:
    Guo et al., IRLAS, 2019 (our reconstruction, see the head of this file).
  """
  guided = combine.adjust(
    estimator, lambda key, arch, value: value + weight * stimulus(arch)
  )
  return black_box.black_box(strategy, guided, batch_size, archive_size)
