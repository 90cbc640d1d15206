"""Regularised evolution as a complete method.

E. Real, A. Aggarwal, Y. Huang and Q. V. Le, Regularized Evolution for Image
Classifier Architecture Search, 2019, https://arxiv.org/abs/1802.01548,
algorithm 1:

  population <- P random architectures, scored
  repeat: sample <- S members of the population, with replacement
          child <- mutate(best of sample), scored, added to the population
          remove the oldest member
  return the best architecture ever scored
"""

from nasjax.searches import black_box
from nasjax.strategies import evolution
from nasjax.types import Estimator, Search, Space


def regularized_evolution(
  space: Space,
  estimator: Estimator,
  population: int = 100,
  tournament: int = 10,
  num_children: int = 1,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evolve a population in which the oldest dies.

  Args:
    space: the space; its `mutate` makes the children.
    estimator: the score.
    population: P.
    tournament: S.
    num_children: children made and scored in one update; 1 in the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores `num_children` architectures.

  Raises:
    ValueError: if a size is not positive or `num_children` exceeds P.

  References:
    Real et al., Regularized Evolution for Image Classifier Architecture
    Search, 2019, algorithm 1.
  """
  strategy = evolution.regularized_evolution(
    space, population, tournament, num_children
  )
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
