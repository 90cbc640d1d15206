"""Independent categorical decisions with index samples: a table of logits.

The policy of R. J. Williams, Simple Statistical Gradient-Following Algorithms
for Connectionist Reinforcement Learning, Machine Learning 1992,
https://doi.org/10.1007/BF00992696, as benchmarks use it for architectures. The
likelihood and the mode are those of the `softmax` relaxation, whose samples are
weights; here a sample is an architecture.
"""

from nasjax.distributions import logits as logits_lib
from nasjax.distributions import softmax
from nasjax.types import Arch, Distribution, Key, Params, Space


def categorical(
  space: Space,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return decisions drawn independently from `softmax(alpha)`.

  The params are the logits alpha, `f32[D, K]` for each leaf of `space.mask`.

  Args:
    space: the space; choices that its mask forbids are never drawn.
    init_scale: standard deviation of the first logits (NATS-Bench: 1e-3).
    derive: `(weights) -> arch`, the rule of `mode`; by default the largest
      weight of each decision.

  Returns:
    The distribution.

  References:
    Williams, Simple Statistical Gradient-Following Algorithms for Connectionist
    Reinforcement Learning, Machine Learning 1992.
  """
  relaxation = softmax.softmax(space, init_scale, derive)

  def sample(key: Key, params: Params) -> Arch:
    logits = logits_lib.apply_mask(params, space.mask)
    return logits_lib.draw(key, logits)

  return relaxation._replace(sample=sample)
