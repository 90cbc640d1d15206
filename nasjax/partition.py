"""Trees of weights in two parts, one of which a gradient is taken of."""

from collections.abc import Callable
from typing import Any

import jax

Path = tuple[str, ...]


def split(tree: Any, select: Callable[[Path], bool]) -> tuple[Any, Any]:
  """Part a tree into the leaves that are selected and the others.

  Args:
    tree: nested dicts.
    select: `(names of the keys from the root to the leaf) -> bool`.

  Returns:
    Two trees with None in the gaps, which JAX takes for empty subtrees.
  """

  def pick(wanted):
    def one(path, leaf):
      names = tuple(str(getattr(key, 'key', key)) for key in path)
      return leaf if select(names) == wanted else None

    return jax.tree_util.tree_map_with_path(one, tree)

  return pick(True), pick(False)


def merge(first: Any, second: Any) -> Any:
  """Return the tree whose parts `split` returned."""
  return jax.tree.map(
    lambda a, b: b if a is None else a,
    first,
    second,
    is_leaf=lambda leaf: leaf is None,
  )
