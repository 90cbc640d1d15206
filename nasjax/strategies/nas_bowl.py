"""NAS-BOWL: Bayesian optimisation with a Gaussian process on graphs.

B. Ru, X. Wan, X. Dong and M. A. Osborne, Interpretable Neural Architecture
Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels, ICLR 2021,
https://arxiv.org/abs/2006.07556, algorithm 1 with the settings of the authors'
code:

  told <- 10 random architectures
  repeat: process <- fit to -log(error) of told
          pool <- 100 mutations of the 10 best told, 100 random architectures
          told <- told + the 5 of highest expected improvement on the best
                  posterior mean

Deviations
  * See `estimators.gaussian_process` for the choice of depth and noise.
"""

from collections.abc import Callable
import functools
from typing import Any

from nasjax.estimators import gaussian_process, graph_kernels
from nasjax.strategies import acquisition, bayes_opt, model_based
from nasjax.types import Arch, Space, Strategy


def nas_bowl(
  space: Space,
  graph: Callable[[Arch], Any],
  ceiling: float | None = 100.0,
  num_initial: int = 10,
  batch_size: int = 5,
  capacity: int = 160,
  depths: tuple[int, ...] = (1, 2, 3),
  assignment: bool = False,
  noises: tuple[float, ...] = (1e-4, 1e-3, 1e-2),
  num_mutants: int = 100,
  num_parents: int = 10,
  num_random: int = 100,
  acquire: acquisition.Acquisition = acquisition.expected_improvement,
) -> Strategy:
  """Propose what a Gaussian process on graphs expects to improve most.

  Args:
    space: the space.
    graph: `(arch) -> graph`, see `graph_kernels.labels`. The authors remove
      `none` and contract skip connections of NAS-Bench-201.
    ceiling: the value without error, 100 for accuracies in percent; None to
      model values as they are.
    num_initial: random architectures before the first fit (code: 10).
    batch_size: architectures of one proposal (5).
    capacity: architectures that can be told before the oldest are forgotten
      (10 and 30 rounds of 5); the fit takes the cube of it.
    depths: rounds of relabelling to choose among.
    assignment: whether to match each vertex once, as on NAS-Bench-101.
    noises: variances to choose among (at most 0.01).
    num_mutants: in the pool (100).
    num_parents: of the mutants (10).
    num_random: random architectures in the pool (100).
    acquire: see `acquisition`.

  Returns:
    The strategy, see `model_based`.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    Ru et al., 2021, algorithm 1 and appendix.
  """
  kernel = graph_kernels.weisfeiler_lehman(graph, depths, assignment)
  transform = None
  if ceiling is not None:
    transform = gaussian_process.negative_log_error(ceiling)
  model = gaussian_process.gaussian_process(
    space, kernel, capacity, noises, transform
  )
  predict = functools.partial(gaussian_process.predict, kernel)
  pool = bayes_opt.joined(
    bayes_opt.mutants(space, num_mutants, num_parents),
    bayes_opt.random_pool(space, num_random),
  )
  propose = bayes_opt.bayes_opt(
    space,
    predict,
    pool,
    batch_size,
    acquire,
    incumbent=bayes_opt.best_mean(predict),
  )
  return model_based.model_based(
    space, model, propose, num_initial, batch_size, capacity
  )
