"""NAS-BOWL as a complete method: a Gaussian process on graphs picks.

B. Ru, X. Wan, X. Dong and M. A. Osborne, Interpretable Neural Architecture
Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels, ICLR 2021,
https://arxiv.org/abs/2006.07556, algorithm 1. What it does and where it
deviates is in `strategies.nas_bowl`.
"""

from collections.abc import Callable
from typing import Any

from nasjax.searches import black_box
from nasjax.strategies import nas_bowl as strategy
from nasjax.types import Arch, Estimator, Search, Space


def nas_bowl(
  space: Space,
  estimator: Estimator,
  graph: Callable[[Arch], Any],
  ceiling: float | None = 100.0,
  num_initial: int = 10,
  num_children: int = 5,
  capacity: int = 160,
  depths: tuple[int, ...] = (1, 2, 3),
  assignment: bool = False,
  num_mutants: int = 100,
  num_random: int = 100,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evaluate what a Gaussian process on graphs expects to improve most.

  Args:
    space: the space.
    estimator: the score: a training, a table.
    graph: `(arch) -> graph`, see `graph_kernels.labels`; in the paper
      `graphs.nasbench201`, pruned and contracted.
    ceiling: the score without error, 100 for accuracies in percent; None to
      model scores as they are.
    num_initial: random architectures before the first fit (code: 10).
    num_children: architectures of one update (5).
    capacity: architectures that can be told before the oldest are forgotten;
      the fit takes the cube of it.
    depths: rounds of relabelling to choose among.
    assignment: whether to match each vertex once, as on NAS-Bench-101.
    num_mutants: of the best 10, in the pool (100).
    num_random: random architectures in the pool (100).
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    Ru et al., 2021, algorithm 1 and appendix.
  """
  return black_box.black_box(
    strategy.nas_bowl(
      space,
      graph,
      ceiling,
      num_initial,
      num_children,
      capacity,
      depths,
      assignment,
      num_mutants=num_mutants,
      num_random=num_random,
    ),
    estimator,
    batch_size,
    archive_size,
  )
