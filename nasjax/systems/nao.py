"""NAO as a complete method: climb in the latent space of an autoencoder.

R. Luo, F. Tian, T. Qin, E. Chen and T.-Y. Liu, Neural Architecture
Optimization, NeurIPS 2018, https://arxiv.org/abs/1808.07233, algorithm 1. What
it does and where it deviates is in `strategies.nao`. The paper then trains the
five best in full and chooses among those: the evaluation phase of the launcher,
on the architectures that the search keeps.
"""

from nasjax.searches import black_box
from nasjax.types import Estimator, Search, Strategy


def nao(
  estimator: Estimator,
  strategy: Strategy,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Search by ascent in the latent space of an autoencoder.

  Args:
    estimator: the score that costs something: a training, a table.
    strategy: from `strategies.nao`, which has the settings of the paper.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores the architectures of one proposal.

  References:
    Luo et al., Neural Architecture Optimization, 2018, algorithm 1.
  """
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
