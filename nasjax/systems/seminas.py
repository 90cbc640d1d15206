"""SemiNAS as a complete method: NAO that also learns from its own labels.

R. Luo, X. Tan, R. Wang, T. Qin, E. Chen and T.-Y. Liu, Semi-Supervised Neural
Architecture Search, NeurIPS 2020, https://arxiv.org/abs/2002.10389, algorithm
1. What it does and where it deviates is in `strategies.seminas`. Training the
best ones in full is the evaluation phase of the launcher.
"""

from nasjax.searches import black_box
from nasjax.types import Estimator, Search, Strategy


def seminas(
  estimator: Estimator,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Search by latent ascent with a model that labels architectures itself.

  Args:
    estimator: the score that costs something: a training, a table.
    strategy: from `strategies.seminas`, which has the settings of the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal.

  References:
    Luo et al., Semi-Supervised Neural Architecture Search, 2020, algorithm 1.
  """
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
