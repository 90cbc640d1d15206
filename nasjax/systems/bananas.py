"""BANANAS as a complete method: an ensemble of networks picks among mutants.

C. White, W. Neiswanger and Y. Savani, BANANAS: Bayesian Optimization with
Neural Architectures for Neural Architecture Search, 2021,
https://arxiv.org/abs/1910.11858, algorithm 1. What it does and where it
deviates is in `strategies.bananas`.
"""

from nasjax.searches import black_box
from nasjax.types import Estimator, Search, Strategy


def bananas(
  estimator: Estimator,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evaluate the mutants that an ensemble of networks promises most of.

  Args:
    estimator: the score that costs something: a training, a table.
    strategy: from `strategies.bananas`, which has the settings of the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal.

  References:
    White, Neiswanger and Savani, BANANAS, 2021, algorithm 1.
  """
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
