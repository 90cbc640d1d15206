"""BANANAS as a complete method: an ensemble of networks picks among mutants.

C. White, W. Neiswanger and Y. Savani, BANANAS: Bayesian Optimization with
Neural Architectures for Neural Architecture Search, 2021,
https://arxiv.org/abs/1910.11858, algorithm 1. What it does and where it
deviates is in `strategies.bananas`.
"""

from collections.abc import Callable

import jax

from nasjax.searches import black_box
from nasjax.strategies import bananas as strategy
from nasjax.types import Arch, Estimator, Search, Space


def bananas(
  space: Space,
  estimator: Estimator,
  features: Callable[[Arch], jax.Array],
  num_initial: int = 10,
  num_children: int = 10,
  capacity: int = 300,
  num_members: int = 5,
  widths: tuple[int, ...] = (20,) * 10,
  num_steps: int = 600,
  num_candidates: int = 100,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evaluate the mutants that an ensemble of networks promises most of.

  Args:
    space: the space; its `mutate` makes the candidates.
    estimator: the score: a training, a table.
    features: `(arch) -> f32[F]`, in the paper the truncated path encoding:
      `paths.nasbench201_paths` with 30 features.
    num_initial: random architectures before the first fit (paper: 10).
    num_children: architectures of one update (10).
    capacity: architectures that can be told before the oldest are forgotten.
    num_members: networks of the ensemble (5).
    widths: of their hidden layers (10 times 20).
    num_steps: of one fit, with batches of 32.
    num_candidates: size of the pool (100).
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    White, Neiswanger and Savani, BANANAS, 2021, algorithm 1.
  """
  return black_box.black_box(
    strategy.bananas(
      space,
      features,
      num_initial,
      num_children,
      capacity,
      num_members,
      widths,
      num_steps=num_steps,
      num_candidates=num_candidates,
    ),
    estimator,
    batch_size,
    archive_size,
  )
