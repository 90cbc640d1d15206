"""Random search for sparse networks: masks of one parent, untrained.

R. Farahani, Random Search as a Baseline for Sparse Neural Network Architecture
Search, 2024, https://arxiv.org/abs/2403.08265: among sub-networks of an
overparameterised parent, search those that are better initialised, then train
what was found beside the parent and beside random sub-networks of the same
sparsity.

  best = argmin_i L(theta_0 masked by m_i),  m_1, ..., m_T ~ uniform

The paper's conclusions are that much is left at high sparsity, and that what
was searched neither ends better nor learns faster than what was drawn. The
protocol that tests them is `masked_training.compare`, and its statistics are in
`experiments/sparse_random_search.py`.

Deviations
  * Only the abstract was at hand: sizes, sparsities, T and the criterion, the
    loss on the training images, are ours.
"""

from typing import Any

from nasjax.estimators import masked_training
from nasjax.systems import random_search
from nasjax.types import Batch, Search, Space


def sparse_random_search(
  space: Space,
  network: Any,
  batch: Batch,
  num_samples: int = 100,
  criterion: str = 'loss',
  archive_size: int = 10,
) -> Search:
  """Search the sub-network of a parent that is best before training.

  Args:
    space: of masks, see `node_masks.node_masks`.
    network: the sub-networks of a parent, see `masked_mlp.drawn`.
    batch: training images that the search sees.
    num_samples: masks drawn in one update, and scored side by side.
    criterion: 'loss' or 'accuracy', see `masked_training.initial_score`.
    archive_size: masks kept.

  Returns:
    The search.

  Raises:
    ValueError: if there is no such criterion.

  References:
    Farahani, Random Search as a Baseline for Sparse Neural Network Architecture
    Search, 2024.
  """
  score = masked_training.initial_score(network, batch, criterion)
  return random_search.random_search(
    space, score, num_samples, batch_size=num_samples, archive_size=archive_size
  )
