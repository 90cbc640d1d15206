"""Scores read from the table of a benchmark."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from nasjax.estimators import combine
from nasjax.types import Arch, Estimator


def tabular(
  index_of: Callable[[Arch], jax.Array], values: chex.Array
) -> Estimator:
  """Return the estimator that looks an architecture up in a table.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> table = jnp.arange(15625.0)
    >>> estimator = tabular(nasbench201.cell_index, table)

  Args:
    index_of: `(arch) -> i32[]`, the row of an architecture; one integer, so
      that a search over a table costs one gather a query.
    values: the score of every row, `[N]`, higher is better.

  Returns:
    The estimator, without state.

  Raises:
    ValueError: if the table is not a vector.
  """
  if jnp.ndim(values) != 1:
    raise ValueError(
      f'A table is one value a row, [N], got shape {jnp.shape(values)}: '
      'choose a column.'
    )
  values = jnp.asarray(values, jnp.float32)
  return combine.stateless(lambda key, arch: values[index_of(arch)])
