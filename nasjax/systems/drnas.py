"""DrNAS: DARTS on mixtures that are drawn, in two stages.

X. Chen, R. Wang, M. Cheng, X. Tang and C.-J. Hsieh, DrNAS: Dirichlet Neural
Architecture Search, ICLR 2021, https://arxiv.org/abs/2006.10355:

  min_beta E_{theta ~ Dir(beta)} L_val(w*, theta) + lambda d(beta, 1)      (4)
  beta = elu(alpha) + 1

with pathwise gradients of the draw. The distance is the L2 norm of alpha, as
weight decay, or a Kullback-Leibler divergence. In the second stage (section
3.3) every edge has fewer operations, and these see more of the channels: the
networks are `Darts(parts=6)` and `Darts(parts=4)`.

Deviations:
  The second stage trains its weights anew; the authors widen those of the
  first.
"""

from collections.abc import Sequence
from typing import Any

from nasjax.distributions import dirichlet, masked, sparse
from nasjax.distributions import logits as logits_lib
from nasjax.searches import hypergradients, progressive
from nasjax.systems import darts
from nasjax.types import Search, Space


def _kl(weight, mask):
  """The divergence of what the mask has left, as a penalty."""

  def penalty(arch_params, arch, step):
    del arch, step
    return weight * dirichlet.divergence(
      logits_lib.apply_mask(arch_params, mask)
    )

  return penalty


def drnas(
  space: Space,
  networks: Sequence[Any],
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 25,
  *,
  num_options: Sequence[int] = (8, 4),
  num_frozen_epochs: int = 10,
  learning_rate: float = 0.1,
  final_learning_rate: float = 0.0,
  arch_learning_rate: float = 6e-4,
  hypergradient: hypergradients.Hypergradient | None = None,
  kl_weight: float | None = None,
  **settings: Any,
) -> Search:
  """Search by gradient descent on mixtures drawn from Dirichlet distributions.

  Args:
    space: the space; mixtures are of the operations that its mask allows.
    networks: that of each stage, as in `darts`, for architectures of
      `choice.Sparse` (paper: 6 and 4 parts of the channels).
    input_shape: of one example, `(H, W, C)` for images.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: of a stage, and of its cosine schedule (paper: 25).
    num_options: operations of an edge in each stage.
    num_frozen_epochs: epochs of a stage before the first step of alpha (paper:
      10).
    learning_rate: of the weights in the first epoch (paper: 0.1).
    final_learning_rate: where the cosine ends (paper: 0).
    arch_learning_rate: of Adam on alpha (paper: 6e-4).
    hypergradient: from `hypergradients`; None for the paper's, `first_order`.
    kl_weight: lambda of the divergence (authors' program: 1e-3, without
      `arch_weight_decay`); None for the decay of alpha alone.
    **settings: further arguments of `darts.darts`.

  Returns:
    A search with the batches of `darts.darts`, see `progressive`.

  Raises:
    ValueError: if networks and numbers of options do not fit.

  References:
    DrNAS, https://arxiv.org/abs/2006.10355, sections 3 and 4.1.
  """

  def stage(network, num_left):
    def search(mask):
      def relaxation(space, **options):
        mixtures = dirichlet.dirichlet(space, **options)
        return sparse.sparse(masked.masked(mixtures, mask), num_left)

      return darts.darts(
        space,
        network,
        input_shape,
        steps_per_epoch,
        num_epochs,
        hypergradient=hypergradient or hypergradients.first_order(),
        learning_rate=learning_rate,
        final_learning_rate=final_learning_rate,
        arch_learning_rate=arch_learning_rate,
        arch_start=num_frozen_epochs * steps_per_epoch,
        relaxation=relaxation,
        **settings
        if kl_weight is None
        else dict(settings, penalty=_kl(kl_weight, mask)),
      )

    return search

  return progressive.progressive(
    [stage(*pair) for pair in zip(networks, num_options)],
    space.mask,
    num_options,
    num_epochs * steps_per_epoch,
  )
