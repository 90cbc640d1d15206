"""The program of one edge of a cell: a choice among operations.

Cells whose edges do the same work share one program, so it is traced once for
all of them and for every phase of an update.
"""

from collections.abc import Callable
import contextlib
import functools
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax import choice, ops
from nasjax.networks import layers, mixtures, taps
from nasjax.networks import operations as operations_lib
from nasjax.networks import partial as partial_lib

_NUM_PROGRAMS = 256

Operations = tuple[tuple[str, operations_lib.Factory], ...]


class Watch(NamedTuple):
  """What an edge reports besides its output."""

  agreement: bool = False  # of its rectifiers, see `layers.Relu`
  statistic: taps.Statistic | None = None  # to a tap
  path: tuple[str, ...] = ()  # names above its operations


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
    name: factory(operations_lib.inside(site)).clone(parent=None)
    for name, factory in operations
  }


def branches(
  operations: Operations,
  site: operations_lib.Site,
  train: bool,
  watch: Watch,
) -> list[Callable[..., Any]]:
  """Return the K functions `(variables, x, keep, tap) -> (y, reports)`.

  Args:
    operations: `(name, factory)` of the K operations.
    site: where they stand.
    train: whether running statistics, if kept, are updated.
    watch: what is reported.

  Returns:
    Functions of the variables of all operations of an edge (by collection and
    operation), of `x` `[N, H, W, C]`, of the factor `keep`, `[N]` or `[0]`, of
    every example, and of a tap or None. Reports are variables by collection:
    running statistics of all operations where the site tracks them, and
    'agreement' `[N, N]`.
  """
  mutable = ['batch_stats'] + [layers.AGREEMENT] * watch.agreement

  def branch(name, module):
    identity = name == 'skip_connect' and site.stride == 1

    def apply(variables, x, keep, tap):
      own = {key: tree.get(name, {}) for key, tree in variables.items()}
      with _listening(watch, name, tap):
        y, updates = module.apply(own, x, train=train, mutable=mutable)
      if identity == site.drop_skips and keep.size:
        y = y * jnp.broadcast_to(keep[:, None, None, None], y.shape)
      reports = {}
      if site.track:
        moved = updates.get('batch_stats')
        stats = {name: moved} if moved else {}
        reports['batch_stats'] = {**variables['batch_stats'], **stats}
      if watch.agreement:
        counts = jax.tree.leaves(updates.get(layers.AGREEMENT, {}))
        reports[layers.AGREEMENT] = sum(counts, jnp.zeros((len(x),) * 2))
      return y, reports

    return apply

  return [branch(*item) for item in modules(operations, site).items()]


def _listening(watch, name, tap):
  if watch.statistic is None:
    return contextlib.nullcontext()
  return taps.listening(watch.statistic, tap, (*watch.path, name))


@functools.lru_cache(_NUM_PROGRAMS)
def program(
  operations: Operations,
  site: operations_lib.Site,
  train: bool,
  watch: Watch,
) -> Callable[[Any, tuple[jax.Array, ...]], Any]:
  """Return the edge for `ops.edge_scan`, with an index or a relaxed choice.

  Args:
    operations: as in `branches`; so are the other arguments.
    site: where they stand.
    train: whether running statistics, if kept, are updated.
    watch: what is reported.

  Returns:
    `(((choice, keep, is_sum, tap), variables), (x,)) -> ((y,), reports)`;
    where `is_sum` is given and true, x is normalised first.
  """
  options = branches(operations, site, train, watch)

  @jax.jit
  def edge(x, values):
    (selected, keep, is_sum, tap), variables = x
    (value,) = values
    if is_sum is not None:
      value = jnp.where(is_sum, ops.batch_norm(value), value)
    seen = partial_lib.seen(value, site.parts)
    y, reports = mixtures.choose(selected, options, variables, seen, keep, tap)
    if site.parts > 1:
      weight = choice.total(selected)
      y = partial_lib.bypass(y, value, site.parts, site.stride, weight)
    return (y,), reports

  return edge


def added(
  operations: Operations,
  site: operations_lib.Site,
  train: bool,
  watch: Watch,
) -> Callable[..., Any]:
  """Return the edge that adds its output to a node.

  With an index choice the sum lies inside the branch: one pass over memory.

  Args:
    operations: as in `branches`; so are the other arguments.
    site: where they stand.
    train: whether running statistics, if kept, are updated.
    watch: what is reported.

  Returns:
    `(choice, node, variables, x, keep, tap) -> (node, reports)`.
  """

  def add(option):
    def apply(node, variables, x, keep, tap):
      seen = partial_lib.seen(x, site.parts)
      y, reports = option(variables, seen, keep, tap)
      if site.parts > 1:
        y = partial_lib.bypass(y, x, site.parts, site.stride)
      return node + y, reports

    return apply

  options = [add(o) for o in branches(operations, site, train, watch)]
  return lambda selected, *operands: choice.switch(selected, options, *operands)


def collection(variables: Any, name: str) -> dict[str, Any]:
  """Pick one collection of every operation that has it.

  Args:
    variables: of operations, by operation and collection.
    name: of the collection.

  Returns:
    The variables of the collection, by operation.
  """
  return {
    operation: collections[name]
    for operation, collections in variables.items()
    if collections.get(name)
  }
