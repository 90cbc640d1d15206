"""The space of NAS-Bench-Graph: trees of four operations.

Y. Qin, Z. Zhang, X. Wang, Z. Zhang and W. Zhu, NAS-Bench-Graph: Benchmarking
Graph Neural Architecture Search, 2022, https://arxiv.org/abs/2206.09166.

A network is a tree: its root is the input, a node applies its operation to what
its parent gives, and what nodes without children give is the output. There are
9 shapes and 9 operations, 59,049 codes. Some are the same network:

  * brothers have no order;
  * a skip connection with children gives them what its parent gives, and one
    without brothers is its parent, so both may stand at the root as well;
  * one that gives the input as output counts likewise.

So 26,206 networks are left; the benchmark has no row for skip connections
alone.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical
from nasjax.types import Arch, Space

# Of every node its parent: 0 is the input, i the i-th node.
LINKS = (
  (0, 0, 0, 0),
  (0, 0, 0, 1),
  (0, 0, 1, 1),
  (0, 0, 1, 2),
  (0, 0, 1, 3),
  (0, 1, 1, 1),
  (0, 1, 1, 2),
  (0, 1, 2, 2),
  (0, 1, 2, 3),
)
OPERATIONS = (
  'gat',
  'gcn',
  'gin',
  'cheb',
  'sage',
  'arma',
  'graph',
  'fc',
  'skip',
)
_SKIP = OPERATIONS.index('skip')
_MASK = {'link': (1, len(LINKS)), 'op': (4, len(OPERATIONS))}


def nasbench_graph() -> Space:
  """Return the space of all codes, `{'link': i32[1], 'op': i32[4]}`.

  Example:
    >>> nasbench_graph().size
    59049

  Returns:
    The space.
  """
  return categorical.categorical(_MASK)


def canonical(link: int, ops: tuple[int, ...]) -> str:
  """Return a string that the codes of one network share.

  Args:
    link: a row of LINKS.
    ops: of the four nodes.

  Returns:
    The tree, without skip connections that need not be where they are.
  """
  children = {node: [] for node in range(len(ops) + 1)}
  for node, parent in enumerate(LINKS[link], start=1):
    children[parent].append(node)

  def grown(node):
    """The subtrees below a node, skip connections with children left out."""
    found = []
    for child in children[node]:
      op = ops[child - 1]
      if op == _SKIP and children[child]:
        found += grown(child)
      else:
        below = grown(child)
        # A skip that is an only child gives what its parent gives.
        below = [] if below == [str(_SKIP)] else below
        found.append(f'{op}({"".join(sorted(below))})' if below else str(op))
    return found

  # What skip connections give at the root is the input.
  return ''.join(sorted(tree for tree in grown(0) if tree != str(_SKIP)))


def row_of(link: np.ndarray, ops: np.ndarray) -> Callable[[Arch], jax.Array]:
  """Return the function that finds a network among the rows of a table.

  Args:
    link: `int[N]`, or `[N, 1]`.
    ops: `int[N, 4]`.

  Returns:
    `(arch) -> i32[]`; N for networks that the table does not have.

  Raises:
    ValueError: if two rows are one network.
  """
  codes = np.concatenate([np.reshape(link, (-1, 1)), ops], axis=1).tolist()
  rows = {canonical(code[0], code[1:]): i for i, code in enumerate(codes)}
  if len(rows) < len(codes):
    raise ValueError(
      f'{len(codes)} rows of a table hold {len(rows)} different networks.'
    )
  number = categorical.numbering(categorical.check_mask(_MASK))
  shape = (len(LINKS), *[len(OPERATIONS)] * 4)
  table = np.fromiter(
    (
      rows.get(canonical(code[0], code[1:]), len(codes))
      for code in np.ndindex(shape)
    ),
    np.int32,
  )
  return lambda arch: jnp.asarray(table)[number(arch)]
