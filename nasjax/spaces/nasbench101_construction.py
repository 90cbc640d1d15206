"""Cells of NAS-Bench-101, built by decisions that are free of each other.

Y. Chen et al., Contrastive Neural Architecture Search with Neural Architecture
Comparators, CVPR 2021, https://arxiv.org/abs/2103.05471, and the authors' code:
a controller decides how many vertices n = 1 ... 5 lie between input and output,
for each of them its operation and one predecessor, for the output one, and then
the ends of 8 - n further edges. The chain of predecessors leads to the input:
whatever is decided is a valid cell of at most 9 edges.

Here these decisions are an architecture of their own, so that any distribution
over independent choices is a policy over cells: sample it, and give `build` to
what takes cells. Decisions about what a cell does not have are ignored, and
many decisions are one cell: who counts cells compares their codes.

Deviation
  * Ends of edges and the predecessor of the output are taken modulo the number
    of vertices that there are, since all cells have the same choices: uniform
    decisions then favour the first vertices a little.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells as cells
from nasjax.types import Arch, Mask

_NUM_INTERIOR = len(cells.INTERIOR)
_NUM_FURTHER = cells.MAX_EDGES - 2  # edges beside the chain of one vertex


def mask() -> Mask:
  """Return the choices of all decisions, for `spaces.categorical`.

  Returns:
    `{'count': bool[1, 5], 'op': bool[5, 3], 'predecessor': bool[6, 6],
    'start': bool[7, 7], 'end': bool[7, 7]}`: the number of vertices less one,
    operation and predecessor of each of five vertices, the predecessor of the
    output, and the ends of edges.
  """
  ends = np.ones((_NUM_FURTHER, cells.NUM_VERTICES), bool)
  return {
    'count': np.ones((1, _NUM_INTERIOR), bool),
    'op': np.ones((_NUM_INTERIOR, len(cells.OPERATIONS)), bool),
    'predecessor': np.tri(_NUM_INTERIOR + 1, dtype=bool),
    'start': ends,
    'end': ends,
  }


def build(arch: Arch) -> Arch:
  """Return the cell that some decisions make.

  Args:
    arch: index choices of `mask`.

  Returns:
    `{'edge': int32[21], 'op': int32[5]}`, a valid cell.
  """
  arch = jax.tree.map(jnp.asarray, arch)
  count = arch['count'][0] + 1
  matrix = jnp.zeros((cells.NUM_VERTICES, cells.NUM_VERTICES), jnp.int32)
  vertex = np.array(cells.INTERIOR)
  matrix = matrix.at[arch['predecessor'][:-1], vertex].set(vertex <= count)
  last = arch['predecessor'][-1] % (count + 1)
  matrix = matrix.at[last, cells.OUTPUT].set(1)
  # Vertices of the cell are 0 ... n and the output.
  start, end = (arch[name] % (count + 2) for name in ('start', 'end'))
  low, high = jnp.minimum(start, end), jnp.maximum(start, end)
  high = jnp.where(high == count + 1, cells.OUTPUT, high)
  num_further = cells.MAX_EDGES - 1 - count
  is_edge = (start != end) & (jnp.arange(_NUM_FURTHER) < num_further)
  matrix = matrix.at[low, high].max(is_edge.astype(jnp.int32))
  rows, columns = map(np.array, zip(*cells.EDGES))
  op = jnp.where(vertex <= count, arch['op'], 0)
  return {'edge': matrix[rows, columns], 'op': op.astype(jnp.int32)}
