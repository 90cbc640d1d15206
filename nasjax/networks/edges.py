"""The program of one edge of a cell: a choice among operations.

Cells whose edges do the same work share one program, so it is traced once for
all of them and for every phase of an update.
"""

from collections.abc import Callable
import functools
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax import choice
from nasjax.networks import operations as operations_lib

_NUM_PROGRAMS = 256

Operations = tuple[tuple[str, operations_lib.Factory], ...]


def modules(
  operations: Operations, site: operations_lib.Site
) -> dict[str, nn.Module]:
  """Return the module of every operation.

  They have no parent: their variables lie in slots of the cell.

  Args:
    operations: `(name, factory)` of the K operations.
    site: where they stand.
  """
  return {
    name: factory(site).clone(parent=None) for name, factory in operations
  }


def branches(
  operations: Operations, site: operations_lib.Site, train: bool
) -> list[Callable[..., Any]]:
  """Return the K functions `(params, stats, x, keep) -> (y, stats)`.

  Args:
    operations: `(name, factory)` of the K operations.
    site: where they stand.
    train: whether running statistics, if kept, are updated.

  Returns:
    Functions of the variables of all operations of an edge, of `x`
    `[N, H, W, C]`, and of the factor `keep`, `[N]` or `[0]`, of every example.
  """

  def branch(name, module):
    identity = name == 'skip_connect' and site.stride == 1

    def apply(params, stats, x, keep):
      variables = {
        'params': params.get(name, {}),
        'batch_stats': stats.get(name, {}),
      }
      y, updates = module.apply(
        variables, x, train=train, mutable=['batch_stats']
      )
      if not identity and keep.size:
        y = y * jnp.broadcast_to(keep[:, None, None, None], y.shape)
      if updates.get('batch_stats'):
        stats = {**stats, name: updates['batch_stats']}
      return y, stats

    return apply

  return [branch(*item) for item in modules(operations, site).items()]


@functools.lru_cache(_NUM_PROGRAMS)
def program(
  operations: Operations, site: operations_lib.Site, train: bool
) -> Callable[[Any, tuple[jax.Array, ...]], Any]:
  """Return the edge for `ops.edge_scan`, with an index or a relaxed choice.

  Args:
    operations: as in `branches`; so are the other arguments.
    site: where they stand.
    train: whether running statistics, if kept, are updated.

  Returns:
    `(((choice, keep), params, stats), (x,)) -> ((y,), stats)`.
  """
  options = branches(operations, site, train)

  @jax.jit
  def edge(x, values):
    (selected, keep), params, stats = x
    y, stats = choice.switch(selected, options, params, stats, values[0], keep)
    return (y,), stats

  return edge
