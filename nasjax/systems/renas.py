"""ReNAS as a complete method: the best of a space by a predictor of ranks.

Y. Xu et al., ReNAS: Relativistic Evaluation of Neural Architecture Search, CVPR
2021, https://arxiv.org/abs/1910.01523. What it does and where it deviates is in
`strategies.renas`. Training the best ones in full is the evaluation phase of
the launcher.
"""

from nasjax.searches import black_box
from nasjax.types import Estimator, Search, Strategy


def renas(
  estimator: Estimator,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evaluate a few architectures at random, then those predicted to be best.

  Args:
    estimator: the score that costs something: a training, a table.
    strategy: from `strategies.renas`, which has the settings of the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal.

  References:
    Xu et al., ReNAS, 2021.
  """
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
