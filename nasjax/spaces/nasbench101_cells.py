"""Cells of NAS-Bench-101 as arrays: what counts in them, and which are equal.

C. Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search,
ICML 2019, https://arxiv.org/abs/1902.09635, section 2.1 and appendix S1.

A cell is a directed acyclic graph of at most 7 vertices and 9 edges. Vertex 0
is the input, vertex 6 the output, 1 to 5 have an operation each. What does not
lie on a path from the input to the output has no effect and does not count. An
edge (r, c) with r < c is bit `c (c - 1) / 2 + r`: column by column.

Two cells are the same when renaming vertices turns one into the other. The code
of a cell is the largest number, over all 120 renamings p that lead every edge
from a lower to a higher vertex, whose digits are edges and then operations o:

  code = max_p [243 sum_rc 2^(20 - bit(p(r), p(c))) + sum_v 3^(5 - p(v)) o_v]

The largest has its used vertices first. It is exact and one int32, where the
benchmark's iterated hash, `nasbench101_classes.md5`, needs texts.
"""

from collections.abc import Callable
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Arch

OPERATIONS = ('conv3x3-bn-relu', 'conv1x1-bn-relu', 'maxpool3x3')
NUM_VERTICES = 7
MAX_EDGES = 9
INPUT, OUTPUT = 0, NUM_VERTICES - 1
INTERIOR = range(1, OUTPUT)
EDGES = tuple((r, c) for c in range(1, NUM_VERTICES) for r in range(c))

_ROWS, _COLUMNS = map(np.array, zip(*EDGES))
_OP_CODES = len(OPERATIONS) ** len(INTERIOR)


def adjacency(arch: Arch) -> jax.Array:
  """Return the matrix of a cell's edges, with those that have no effect.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.

  Returns:
    `int32[7, 7]`, 1 at (r, c) for an edge from r to c; strictly upper.
  """
  edge = jnp.asarray(arch['edge'])
  empty = jnp.zeros((NUM_VERTICES, NUM_VERTICES), edge.dtype)
  return empty.at[_ROWS, _COLUMNS].set(edge)


def used_vertices(arch: Arch) -> jax.Array:
  """Return which vertices lie on a path from the input to the output.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.

  Returns:
    `bool[7]`; all false where there is no such path.
  """
  edges = jnp.asarray(arch['edge']) @ (1 << np.arange(len(EDGES)))
  # Sets of vertices are the bits of an int. Edges lead to later vertices, so
  # one pass in order finds all that is reached, one back all that reaches.
  columns = range(1, NUM_VERTICES)
  sources = [edges >> c * (c - 1) // 2 & (1 << c) - 1 for c in columns]
  reached, reaches = 1 << INPUT, 1 << OUTPUT
  for c, source in zip(columns, sources):
    reached |= jnp.where(source & reached, 1 << c, 0)
  for c, source in reversed([*zip(columns, sources)]):
    reaches |= jnp.where(reaches & 1 << c, source, 0)
  return (reached & reaches) >> np.arange(NUM_VERTICES) & 1 > 0


def _used_edges(arch, used):
  return jnp.asarray(arch['edge']) * (used[_ROWS] & used[_COLUMNS])


def is_valid(arch: Arch) -> jax.Array:
  """Return whether a cell is in the benchmark.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.

  Returns:
    `bool[]`: its output depends on its input, through 9 edges at most.
  """
  used = used_vertices(arch)
  return used[OUTPUT] & (jnp.sum(_used_edges(arch, used)) <= MAX_EDGES)


def prune(arch: Arch) -> Arch:
  """Return a cell without what has no effect, its used vertices first.

  Vertices keep their order; those that are not used follow, right before the
  output, without edges and with operation 0.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.

  Returns:
    `{'edge': int32[21], 'op': int32[5]}`, no edges where there is no path.
  """
  used = used_vertices(arch)
  kept = used[1:OUTPUT]
  order = jnp.argsort(~kept, stable=True)
  vertices = jnp.concatenate(
    [jnp.array([INPUT]), order + 1, jnp.array([OUTPUT])]
  )
  edge = _used_edges(arch, used)
  matrix = adjacency({'edge': edge})[vertices][:, vertices]
  op = jnp.asarray(arch['op'])
  return {
    'edge': matrix[_ROWS, _COLUMNS],
    'op': jnp.where(kept, op, 0)[order],
  }


def renamings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Return the linear maps that a code is the largest of.

  Returns:
    Places of the edges after each renaming, `int32[120, 21]`, 0 for edges that
    it turns around; which those are, `int32[120, 21]`; and places of the
    operations, `int32[120, 5]`.
  """
  new = np.array(
    [[INPUT, *p, OUTPUT] for p in itertools.permutations(INTERIOR)]
  )
  rows, columns = new[:, _ROWS], new[:, _COLUMNS]
  bit = columns * (columns - 1) // 2 + rows
  inverted = rows > columns
  edges = np.where(
    inverted, 0, 2 ** (len(EDGES) - 1 - np.where(inverted, 0, bit))
  )
  ops = len(OPERATIONS) ** (len(INTERIOR) - new[:, 1:OUTPUT])
  return (
    edges.astype(np.int32),
    inverted.astype(np.int32),
    ops.astype(np.int32),
  )


def code(arch: Arch) -> jax.Array:
  """Return the number that exactly the isomorphic cells share.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`; what has no effect in it does
      not matter.

  Returns:
    `int32[]`, positive; -1 for a cell that is not in the benchmark.
  """
  edge_places, inverted, op_places = renamings()
  used = used_vertices(arch)
  edge = _used_edges(arch, used)
  op = jnp.where(used[1:OUTPUT], jnp.asarray(arch['op']), 0)
  codes = _OP_CODES * (edge_places @ edge) + op_places @ op
  keeps_order = inverted @ edge == 0
  return jnp.where(
    is_valid(arch), jnp.max(jnp.where(keeps_order, codes, -1)), -1
  )


def decode(code: jax.Array) -> Arch:
  """Return the cell of a code, pruned.

  Args:
    code: `int32[]`, as `code` returns for cells in the benchmark.

  Returns:
    `{'edge': int32[21], 'op': int32[5]}`.
  """
  edge_code, op_code = jnp.divmod(jnp.asarray(code, jnp.int32), _OP_CODES)
  places = len(OPERATIONS) ** np.arange(len(INTERIOR))[::-1]
  return {
    'edge': edge_code >> np.arange(len(EDGES), dtype=np.int32)[::-1] & 1,
    'op': op_code // places.astype(np.int32) % len(OPERATIONS),
  }


def codes(archs: Arch) -> np.ndarray:
  """Return the codes of the cells of a table.

  Args:
    archs: N cells in the benchmark, pytree of `[N, ...]`.

  Returns:
    `int32[N]`, what `row_of` and the space of a table are made from.
  """
  return np.asarray(jax.jit(jax.vmap(code))(jax.tree.map(jnp.asarray, archs)))


def row_of(
  codes: np.ndarray | jax.Array, absent: int = -1
) -> Callable[[Arch], jax.Array]:
  """Return the function that finds a cell among the rows of a table.

  Example:
    >>> archs = jax.vmap(decode)(jnp.array([243 * 32, 243 * 33]))
    >>> row = row_of(jax.vmap(code)(archs))

  Args:
    codes: of the rows, `int32[N]`, in any order.
    absent: what to return for other cells. `estimators.tabular` and
      `searches.queries` take a row N, of value -inf: one query that fails,
      however many such cells are asked for.

  Returns:
    `(arch) -> int32[]`, the row of the isomorphic cell.

  Raises:
    ValueError: if two rows hold the same cell, or one holds none.
  """
  codes = np.asarray(codes, np.int32)
  order = np.argsort(codes).astype(np.int32)
  ordered = codes[order]
  if codes.ndim != 1 or not codes.size or ordered[0] <= 0:
    raise ValueError(
      'Expected one code a row, those of cells in the benchmark, got '
      f'{codes.dtype} of shape {codes.shape}, least {codes.min(initial=0)}.'
    )
  if (same := np.flatnonzero(np.diff(ordered) == 0)).size:
    raise ValueError(
      f'{same.size} cells are in the table more than once, the first at rows '
      f'{order[same[0]]} and {order[same[0] + 1]}.'
    )

  def row(arch: Arch) -> jax.Array:
    wanted = code(arch)
    position = jnp.searchsorted(jnp.asarray(ordered), wanted)
    position = jnp.minimum(position, len(ordered) - 1)
    found = jnp.asarray(ordered)[position] == wanted
    return jnp.where(found, jnp.asarray(order)[position], absent)

  return row
