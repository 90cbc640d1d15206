"""MnasNet: a policy learned on accuracy weighted by measured latency.

M. Tan, B. Chen, R. Pang, V. Vasudevan, M. Sandler, A. Howard and Q. V. Le,
MnasNet: Platform-Aware Neural Architecture Search for Mobile, CVPR 2019,
https://arxiv.org/abs/1807.11626:

  maximise  ACC(m) (LAT(m) / T)^w,   w = alpha where LAT(m) <= T, else beta

by a recurrent controller and proximal policy optimisation. Soft, alpha = beta =
-0.07 (twice the latency is worth 5 % of accuracy: 1.05 2^-0.07 = 1.0003), and
hard, alpha = 0 and beta = -1.

With a single exponent `T^-w` is a factor of every reward: T changes neither
which architecture is best nor, as PPO divides advantages by their spread, what
the controller learns. The target matters for the hard reward only.

Deviations
  * No setting of the controller or of PPO is known to us: those here are ours.
  * The space is any: the factorised one of the paper is one of them.
  * Training the best ones in full is the evaluation phase of the launcher.
"""

import jax

from nasjax.distributions import controller
from nasjax.estimators import combine
from nasjax.searches import black_box
from nasjax.strategies import ppo
from nasjax.types import Estimator, Search, Space, Strategy


def mnasnet(
  space: Space,
  accuracy: Estimator,
  latency: Estimator,
  target: float,
  w: float | tuple[float, float] = combine.SOFT,
  strategy: Strategy | None = None,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Search for accuracy at a latency.

  Args:
    space: the space.
    accuracy: estimator of the accuracy, positive: a short training, a table.
    latency: estimator of the cost itself, such as milliseconds on a device.
    target: T, in the unit of the latency.
    w: exponent of the latency, or a pair, those below and above the target:
      `combine.SOFT` or `combine.HARD`.
    strategy: what proposes architectures; by default the defaults of `ppo` on a
      controller of one layer of 100, which are for thousands of samples. Any
      other works on the same reward.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal; `best` is
    the one with the highest reward.

  Raises:
    ValueError: if the target is not positive.

  References:
    Tan et al., MnasNet, 2019, https://arxiv.org/abs/1807.11626.
  """
  if not isinstance(target, jax.core.Tracer) and target <= 0:
    raise ValueError(f'A target latency must be positive, got {target}.')
  reward = combine.weighted_product(accuracy, latency, target, w)
  if strategy is None:
    policy = controller.controller(space, features=100, num_layers=1)
    strategy = ppo.ppo(policy)
  return black_box.black_box(strategy, reward, batch_size, archive_size)
