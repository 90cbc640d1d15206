"""Random search as a complete method: draw, score, keep the best.

J. Bergstra and Y. Bengio, Random Search for Hyper-Parameter Optimization, 2012,
https://jmlr.org/papers/v13/bergstra12a.html; as a baseline of architecture
search: L. Li and A. Talwalkar, Random Search and Reproducibility for Neural
Architecture Search, 2019, https://arxiv.org/abs/1902.07638.

  best = argmax_i score(a_i),   a_1, ..., a_n ~ uniform(space)

Over a table its result is known exactly: `ranking.expected_maximum`.
"""

from nasjax.searches import black_box
from nasjax.strategies import random_search as strategy
from nasjax.types import Estimator, Search, Space


def random_search(
  space: Space,
  estimator: Estimator,
  num_samples: int = 1,
  replace: bool = True,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Score random architectures and keep the best.

  With an estimator of weights that all architectures share, updated by batches
  of random children, this is random search with weight sharing.

  Args:
    space: the space.
    estimator: the score.
    num_samples: architectures drawn in one update.
    replace: whether an architecture may be drawn twice in one search.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search.

  Raises:
    ValueError: without replacement, if the space cannot be enumerated.

  References:
    Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012;
    Li and Talwalkar, Random Search and Reproducibility for Neural Architecture
    Search, 2019.
  """
  return black_box.black_box(
    strategy.random_search(space, num_samples, replace),
    estimator,
    batch_size,
    archive_size,
  )
