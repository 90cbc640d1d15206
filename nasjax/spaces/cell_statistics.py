"""What cells are made of: skip connections, operations without parameters.

Architectures are those of `separate_cells`, `{'cells': int32[G, E]}`, one cell
a layer, so counts are of whole networks; `separate_cells.unshared` brings the
two kinds of DARTS cells into this form.

A skip connection from an input of a reduction cell is a strided convolution
(factorized reduction): it counts as a skip connection, but has parameters.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import genotypes, separate_cells
from nasjax.types import Arch

SKIP = 'skip_connect'
FREE = ('max_pool_3x3', 'avg_pool_3x3')


def num_chosen(
  names: Sequence[str], operations: Sequence[str] = genotypes.OPERATIONS
) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, on how many edges an operation of these is.

  Args:
    names: operations that are counted.
    operations: names of the choices.

  Returns:
    The count over all cells of an architecture.

  Raises:
    ValueError: if there is no such operation.
  """
  for name in names:
    if name not in operations:
      raise ValueError(
        f'Unknown operation {name!r}. Known: {", ".join(operations)}.'
      )
  counted = np.array([name in names for name in operations])
  return lambda arch: jnp.sum(jnp.asarray(counted)[arch['cells']] * 1.0)


def num_parameter_free(
  operations: Sequence[str] = genotypes.OPERATIONS,
) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, how many operations have no parameters.

  Args:
    operations: names of the choices; pools and identities are counted.

  Returns:
    The count over all cells of an architecture.
  """
  pools = np.array([name in FREE for name in operations])
  skips = np.array([name == SKIP for name in operations])

  def count(arch):
    cells = jnp.asarray(arch['cells'])
    kinds = np.array(separate_cells.kinds(cells.shape[0]))
    sources = np.array(
      genotypes.edges(genotypes.num_nodes_of(cells.shape[1]))[0]
    )
    strided = (kinds == 'reduce')[:, None] & (sources < 2)[None]
    free = jnp.asarray(pools)[cells] | (jnp.asarray(skips)[cells] & ~strided)
    return jnp.sum(free * 1.0)

  return count


def share(weights: np.ndarray, option: int, none: int = 0) -> np.ndarray:
  """Return what part of the weight of all operations an option has.

    sum_e w_eo / sum_e sum_{k != none} w_ek

  Args:
    weights: `f[..., G, E, K]`, not negative.
    option: o.
    none: the choice of no connection, which is no operation.

  Returns:
    `f[...]`; zero where nothing has weight.
  """
  of_option = weights[..., option].sum((-2, -1))
  of_all = np.delete(weights, none, -1).sum((-3, -2, -1))
  return np.where(of_all > 0, of_option / np.where(of_all > 0, of_all, 1), 0.0)
