"""PC-DARTS: DARTS on some of the channels, with weights of the edges.

Y. Xu, L. Xie, X. Zhang, X. Chen, G.-J. Qi, Q. Tian and H. Xiong, PC-DARTS:
Partial Channel Connections for Memory-Efficient Architecture Search, ICLR 2020,
https://arxiv.org/abs/1907.05737:

  x_j = sum_{i<j} softmax_i(beta_ij) f_ij(x_i)                             (3)
  f_ij(x) = shuffle [ sum_k softmax_k(alpha_ij) o_k(S x), (1 - S) x ]      (2)

Memory falls by nearly K, so batches grow. What operations see, `S x`, is a
matter of the network: `networks.Darts(parts=4)`. The weights of edges are those
of `distributions.edge_normalised`; a cell is derived from the products of both
weights. alpha and beta rest in the first epochs.

Deviations:
  The mask is the first C / K channels, as in the authors' program; shuffling
  lets others take their place.
"""

from collections.abc import Sequence
import functools
from typing import Any

from nasjax.distributions import edge_normalised
from nasjax.searches import hypergradients
from nasjax.spaces import darts_cell, genotypes
from nasjax.systems import darts
from nasjax.types import Search, Space


def _targets(space):
  """The node that each edge of a DARTS cell enters."""
  if 'normal' not in space.mask:
    raise ValueError(
      'Edges of other spaces than DARTS cells need targets, the node that each '
      f'of them enters; got a space with leaves {sorted(space.mask)}.'
    )
  num_edges = space.mask['normal'].shape[-2]
  return darts_cell.edges(genotypes.num_nodes_of(num_edges))[1]


def pc_darts(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  num_frozen_epochs: int = 15,
  learning_rate: float = 0.1,
  final_learning_rate: float = 0.0,
  arch_learning_rate: float = 6e-4,
  hypergradient: hypergradients.Hypergradient | None = None,
  targets: Sequence[int] | None = None,
  **settings: Any,
) -> Search:
  """Search by gradient descent on mixtures with weighted edges.

  The paper's batches have 256 images. On ImageNet: learning rates of 0.5 and
  6e-3, 35 frozen epochs.

  Args:
    space: the space; mixtures are of the operations that its mask allows.
    network: as in `darts`; with partial channels, `networks.Darts(parts=4)`.
    input_shape: of one example, `(H, W, C)` for images.
    steps_per_epoch: updates for which the learning rate is constant.
    num_epochs: length of the cosine schedule (paper: 50).
    num_frozen_epochs: epochs before the first step of alpha and beta (paper:
      15).
    learning_rate: of the weights in the first epoch (paper: 0.1).
    final_learning_rate: where the cosine ends (paper: 0).
    arch_learning_rate: of Adam on alpha and beta (paper: 6e-4).
    hypergradient: from `hypergradients`; None for the paper's, `first_order`.
    targets: the node that each edge enters; None for those of DARTS cells.
    **settings: further arguments of `darts.darts`.

  Returns:
    A search with the batches of `darts.darts`.

  Raises:
    ValueError: if edges and targets do not fit, see `edge_normalised`.

  References:
    PC-DARTS, https://arxiv.org/abs/1907.05737, sections 3.2, 3.3 and 4.2.
  """
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
    relaxation=functools.partial(
      edge_normalised.edge_normalised,
      targets=_targets(space) if targets is None else targets,
    ),
    **settings,
  )
