"""CTNAS as a complete method: a policy learned against a comparator.

Y. Chen et al., Contrastive Neural Architecture Search with Neural Architecture
Comparators, CVPR 2021, https://arxiv.org/abs/2103.05471, algorithm 1. What it
does and where it deviates is in `strategies.ctnas`.
"""

from nasjax.searches import black_box
from nasjax.types import Estimator, Search, Strategy


def ctnas(
  estimator: Estimator,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Learn to draw what a comparator prefers, and evaluate the best.

  Args:
    estimator: the score that costs something: a training, a table.
    strategy: from `strategies.ctnas`, which has the settings of the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal.

  References:
    Chen et al., Contrastive Neural Architecture Search, 2021, algorithm 1.
  """
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
