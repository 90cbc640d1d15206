"""Slow loops over NAS-Bench-101 cells, and its golden record."""

import numpy as np

EDGES = [(r, c) for c in range(1, 7) for r in range(c)]
GOLDEN_MD5 = '00005c142e6f48ac74fdcf73e3439874'
GOLDEN_ADJACENCY = np.array(
  [
    [0, 1, 0, 0, 1, 1, 0],
    [0, 0, 1, 0, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 1],
    [0, 0, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
  ]
)


def arch_of(matrix, ops):
  """Returns the cell of a matrix of 7 vertices."""
  return {
    'edge': np.array([matrix[r, c] for r, c in EDGES], np.int32),
    'op': np.array(ops, np.int32),
  }


def golden():
  return arch_of(GOLDEN_ADJACENCY, [0, 2, 0, 0, 1])


def at(archs, i):
  return {name: np.asarray(leaf)[i] for name, leaf in archs.items()}


def rows(archs):
  """Returns all decisions of architectures side by side, `[B, 26]`."""
  return np.concatenate([np.asarray(archs[k]) for k in ('edge', 'op')], axis=1)


def prune(arch):
  """Returns matrix and operations of the vertices that lie on a path."""
  matrix = np.zeros((7, 7), int)
  for (r, c), edge in zip(EDGES, np.asarray(arch['edge'])):
    matrix[r, c] = edge

  def visit(start, following):
    seen, frontier = {start}, [start]
    while frontier:
      for v in following(frontier.pop()):
        if v not in seen:
          seen.add(v)
          frontier.append(v)
    return seen

  reached = visit(0, lambda v: np.flatnonzero(matrix[v]).tolist())
  reaches = visit(6, lambda v: np.flatnonzero(matrix[:, v]).tolist())
  used = sorted(reached & reaches)
  ops = [int(arch['op'][v - 1]) for v in used if 0 < v < 6]
  return matrix[np.ix_(used, used)], ops


def padded(matrix, ops):
  """Returns a pruned cell as arrays, and whether it is in the benchmark."""
  full, size = np.zeros((7, 7), int), len(matrix)
  if size:
    full[: size - 1, : size - 1] = matrix[:-1, :-1]
    full[: size - 1, 6] = matrix[:-1, -1]
  arch = arch_of(full, ops + [0] * (5 - len(ops)))
  return arch, size >= 2 and int(matrix.sum()) <= 9


def widths(matrix, channels):
  """Returns the channels of every vertex of a pruned cell."""
  size = len(matrix)
  width = [0] * size
  width[-1] = channels
  feeding = [v for v in range(1, size - 1) if matrix[v, -1]]
  for i, v in enumerate(feeding):
    width[v] = channels // len(feeding) + (i < channels % len(feeding))
  for v in reversed(range(1, size - 1)):
    if v not in feeding:
      successors = [u for u in range(v + 1, size - 1) if matrix[v, u]]
      width[v] = max(width[u] for u in successors)
  return width


def costs(matrix, ops, c_in, channels, side):
  """Returns operations and weights of the vertices of one pruned cell."""
  width = widths(matrix, channels)
  flops, params = [0] * len(matrix), [0] * len(matrix)
  for v in range(1, len(matrix) - 1):
    q, op = width[v], ops[v - 1]
    if matrix[0, v]:
      flops[v] += 2 * c_in * q * side**2
      params[v] += c_in * q + 2 * q
    flops[v] += (matrix[:, v].sum() - 1) * q * side**2
    if op == 2:
      flops[v] += 9 * q * side**2
    else:
      k = (3, 1)[op]
      flops[v] += 2 * k * k * q * q * side**2
      params[v] += k * k * q * q + 2 * q
  return flops, params


def paths(matrix, ops):
  """Returns the operations on every path from input to output."""
  found, unfinished = [], [[0]]
  while unfinished:
    path = unfinished.pop()
    for v in np.flatnonzero(matrix[path[-1]]).tolist():
      if v == len(matrix) - 1:
        found.append([ops[u - 1] for u in path[1:]])
      else:
        unfinished.append([*path, v])
  return found
