"""Scores read from the table of a benchmark."""

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.estimators import combine
from nasjax.types import Arch, Estimator

IndexOf = Callable[[Arch], jax.Array]


def tabular(
  index_of: IndexOf,
  values: chex.Array,
  fidelities: Sequence[float] | None = None,
) -> Estimator:
  """Return the estimator that looks an architecture up in a table.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> table = jnp.arange(15625.0)
    >>> estimator = tabular(nasbench201.cell_index, table)

  Args:
    index_of: `(arch) -> i32[]`, the row of an architecture; one integer, so
      that a search over a table costs one gather a query.
    values: the score of every row, `[N]`, or `[N, R]` at each of R fidelities;
      higher is better.
    fidelities: of the R columns, as fractions of the full budget, such as
      `(4 / 108, 12 / 108, 36 / 108, 1)` for epochs. The score then takes the
      keyword `fidelity` (default 1) and reads the nearest column.

  Returns:
    The estimator, without state.

  Raises:
    ValueError: if the table is not a vector, or not one column a fidelity.
  """
  shape = jnp.shape(values)
  if fidelities is None and len(shape) != 1:
    raise ValueError(
      f'A table is one value a row, [N], got shape {shape}: choose a column, '
      'or name the fidelities of all columns.'
    )
  values = jnp.asarray(values, jnp.float32)
  if fidelities is None:
    return combine.stateless(lambda key, arch: values[index_of(arch)])

  levels = np.asarray(fidelities, np.float32)
  if levels.ndim != 1 or len(shape) != 2 or shape[1] != len(levels):
    raise ValueError(
      'A table at R fidelities is [N, R], one column a fidelity, got shape '
      f'{shape} and the fidelities {fidelities!r}.'
    )

  def score(key, arch, fidelity=1.0):
    del key
    return values[index_of(arch), jnp.argmin(jnp.abs(levels - fidelity))]

  return combine.stateless(score)


def training_time(
  index_of: IndexOf, seconds: chex.Array
) -> Callable[[Arch, jax.Array], jax.Array]:
  """Return what a training from scratch takes, the cost of `queries.spend`.

  Args:
    index_of: `(arch) -> i32[]`, the row of an architecture.
    seconds: of the full training of every row, `[N]`.

  Returns:
    `(arch, fidelity) -> f32[]`, in seconds: the fidelity's fraction of them.
  """
  seconds = jnp.asarray(seconds, jnp.float32)
  return lambda arch, fidelity: seconds[index_of(arch)] * fidelity
