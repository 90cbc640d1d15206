"""NAS-BOWL as a complete method: a Gaussian process on graphs picks.

B. Ru, X. Wan, X. Dong and M. A. Osborne, Interpretable Neural Architecture
Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels, ICLR 2021,
https://arxiv.org/abs/2006.07556, algorithm 1. What it does and where it
deviates is in `strategies.nas_bowl`.
"""

from nasjax.searches import black_box
from nasjax.types import Estimator, Search, Strategy


def nas_bowl(
  estimator: Estimator,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evaluate what a Gaussian process on graphs expects to improve most.

  Args:
    estimator: the score that costs something: a training, a table.
    strategy: from `strategies.nas_bowl`, which has the settings of the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal.

  References:
    Ru et al., 2021, algorithm 1 and appendix.
  """
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
