"""All cells of NAS-Bench-101, and the names that the benchmark gives them.

C. Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search,
ICML 2019, https://arxiv.org/abs/1902.09635, section 2.1 and appendix S1: after
pruning and up to isomorphism 423,624 cells remain of all graphs.

These functions run on the host.
"""

import hashlib
import itertools

import jax
import numpy as np

from nasjax.spaces import nasbench101_cells as cells
from nasjax.types import Arch

NUM_CELLS = 423_624

_INPUT_LABEL, _OUTPUT_LABEL = -1, -2


def _digest(text: str) -> str:
  return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def md5(arch: Arch) -> str:
  """Return the key of a cell in the benchmark's files.

  Each of the V vertices that count starts with the digest of its degrees and
  operation; V times it takes the digest of its predecessors', its successors'
  and its own. The key is the digest of them all.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}` with known values, or its static
      form.

  Returns:
    32 hexadecimal digits.

  Raises:
    ValueError: if there is no path from the input to the output.
  """
  matrix = np.zeros((cells.NUM_VERTICES,) * 2, int)
  matrix[tuple(zip(*cells.EDGES))] = arch['edge']
  # Entry (r, c) of the power counts the walks from r to c that may pause.
  paths = np.linalg.matrix_power(matrix + np.eye(len(matrix), dtype=int), 6)
  used = np.flatnonzero((paths[cells.INPUT] * paths[:, cells.OUTPUT]) > 0)
  if not used.size:
    raise ValueError('The cell has no path from its input to its output.')
  matrix = matrix[np.ix_(used, used)]
  ops = [int(arch['op'][v - 1]) for v in used[1:-1]]
  labels = [_INPUT_LABEL, *ops, _OUTPUT_LABEL]
  # The text of a tuple is hashed: numpy's integers would print their type.
  degrees = zip(matrix.sum(1).tolist(), matrix.sum(0).tolist(), labels)
  names = [_digest(str(vertex)) for vertex in degrees]
  for _ in used:
    names = [
      _digest(
        '|'.join(
          [
            ''.join(sorted(itertools.compress(names, matrix[:, v]))),
            ''.join(sorted(itertools.compress(names, matrix[v]))),
            name,
          ]
        )
      )
      for v, name in enumerate(names)
    ]
  return _digest(str(sorted(names)))


def _graphs(num_interior: int) -> np.ndarray:
  """Return all pruned sets of edges with so many used interior vertices.

  A graph is pruned when every vertex but the input has a predecessor and every
  one but the output a successor. Sets of predecessors are added column by
  column, as long as enough edges are left for the other columns.
  """
  columns = [*range(1, num_interior + 1), cells.OUTPUT]
  edges = num_edges = have_successor = np.zeros((1, 1), int)
  for left, column in zip(range(num_interior, -1, -1), columns):
    sets = np.arange(1, 2 ** min(column, num_interior + 1))[None]
    num_edges = num_edges + np.bitwise_count(sets)
    keep = num_edges + left <= cells.MAX_EDGES
    edges = (edges | sets << column * (column - 1) // 2)[keep][:, None]
    have_successor = (have_successor | sets)[keep][:, None]
    num_edges = num_edges[keep][:, None]
  edges = edges[have_successor == 2 ** (num_interior + 1) - 1]
  return edges[:, None] >> np.arange(len(cells.EDGES)) & 1


def all_codes(num_vertices: int = cells.NUM_VERTICES) -> np.ndarray:
  """Return the codes of all cells.

  Renamings that leave a graph as it is permute its operations: of those, the
  largest is the code. Takes a fraction of a second.

  Args:
    num_vertices: largest number of vertices that count, input and output
      included.

  Returns:
    `int32[423624]` in ascending order, or fewer for fewer vertices;
    `nasbench101_cells.decode` gives the cells.

  Raises:
    ValueError: if the number of vertices is not between 2 and 7.
  """
  if not 2 <= num_vertices <= cells.NUM_VERTICES:
    raise ValueError(f'Expected 2 to 7 vertices, got {num_vertices}.')
  edge_places, inverted, op_places = cells.renamings()
  ops = np.array(list(itertools.product(range(3), repeat=len(cells.INTERIOR))))
  renamed = ops @ op_places.T  # [243, 120], row i is number i in base 3
  found = []
  for num_interior in range(num_vertices - 1):
    edge = _graphs(num_interior)
    # Exact in float32, where products of matrices are fast.
    codes = edge.astype(np.float32) @ edge_places.T.astype(np.float32)
    turned = edge.astype(np.float32) @ inverted.T.astype(np.float32)
    codes = np.where(turned > 0, -1, codes).astype(np.int32)
    own = codes[:, 0]  # the first renaming changes nothing
    least = codes.max(1) == own
    own, codes = own[least], codes[least]
    keep = np.broadcast_to(~ops[:, num_interior:].any(1), (len(own), len(ops)))
    keep = keep.copy()
    for p in range(codes.shape[1]):
      same = np.flatnonzero(codes[:, p] == own)
      keep[same] &= renamed[:, p] <= renamed[:, 0]
    graph, op = np.nonzero(keep)
    found.append(own[graph] * len(ops) + op)
  return np.sort(np.concatenate(found)).astype(np.int32)


def all_cells(num_vertices: int = cells.NUM_VERTICES) -> Arch:
  """Return all cells, in the order of their codes.

  Args:
    num_vertices: as in `all_codes`.

  Returns:
    `{'edge': int32[N, 21], 'op': int32[N, 5]}`, pruned.
  """
  return jax.vmap(cells.decode)(all_codes(num_vertices))
