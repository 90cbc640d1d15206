"""R-DARTS(L2): searches with more and more weight decay, and the best of them.

A. Zela, T. Elsken, T. Saikia, Y. Marrakchi, T. Brox and F. Hutter,
Understanding and Robustifying Differentiable Architecture Search, ICLR 2020,
https://arxiv.org/abs/1909.09656, section 5.2: regularised weights make flat
minima in alpha, but how much is needed depends on the space; so DARTS runs with
four weight decays, and validation chooses among the four results.

Deviations:
  What validation judges is the supernet in the last epoch; the authors train
  the four cells.
  The searches run one after the other within an update, on the same batches.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nasjax import batching, ranking
from nasjax.searches import run as runs
from nasjax.systems import darts
from nasjax.types import Search, Space


class State(NamedTuple):
  """All searches."""

  searches: Any  # [S, ...] their states
  values: jax.Array  # f32[S] validation accuracy in the last epoch


def r_darts(
  space: Space,
  network: Any,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 50,
  *,
  weight_decays: Sequence[float] = (3e-4, 9e-4, 27e-4, 81e-4),
  **settings: Any,
) -> Search:
  """Search by DARTS with several weight decays at once.

  Args:
    space: as in `darts`; so are the four arguments that follow.
    network: the supernet.
    input_shape: of one example.
    steps_per_epoch: updates of DARTS in an epoch.
    num_epochs: length of the cosine schedule (paper: 50).
    weight_decays: S coefficients of the weights (paper: 3, 9, 27, 81 e-4).
    **settings: further arguments of `darts.darts`.

  Returns:
    A search of which an update is an epoch, with batches `[T, ...]` as
    `data.streams.stack` makes them. Metrics are those of the search with the
    best validation accuracy, and its `weight_decay`.

  Raises:
    ValueError: if there is no weight decay.

  References:
    Zela et al., https://arxiv.org/abs/1909.09656, section 5.2.
  """
  if not len(weight_decays):
    raise ValueError('weight_decays must hold one number at least, got none.')
  decays = jnp.asarray(weight_decays, jnp.float32)

  def epochs(decay):
    return runs.epochs(
      darts.darts(
        space,
        network,
        input_shape,
        steps_per_epoch,
        num_epochs,
        weight_decay=decay,
        **settings,
      )
    )

  def init(key):
    state = epochs(decays[0]).init(key)
    repeat = lambda leaf: jnp.repeat(leaf[None], len(decays), axis=0)
    return State(jax.tree.map(repeat, state), jnp.zeros(len(decays)))

  def update(key, state, batch):
    searches, metrics = batching.map_archs(
      lambda row, key, batch: epochs(row[0]).update(key, row[1], batch),
      (decays, state.searches),
      None,
      (key, batch),
    )
    values = metrics['valid_accuracy']
    leader = jnp.argmax(ranking.finite_or_worst(values))
    metrics = jax.tree.map(lambda rows: rows[leader], metrics)
    return State(searches, values), dict(metrics, weight_decay=decays[leader])

  def best(key, state):
    leader = jnp.argmax(ranking.finite_or_worst(state.values))
    inner = jax.tree.map(lambda rows: rows[leader], state.searches)
    return epochs(decays[leader]).best(key, inner)

  return Search(init, update, best)
