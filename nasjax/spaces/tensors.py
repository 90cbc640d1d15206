"""Cells as stacked matrices of types and costs: the features of ReNAS.

Y. Xu et al., ReNAS: Relativistic Evaluation of Neural Architecture Search,
2021, https://arxiv.org/abs/1910.01523, section 3.1. For a cell with adjacency
matrix A, types t of its vertices and costs f^c (FLOPs) and p^c (parameters) in
the c-th of S cells of the network, the channels are

  A . t,  A . f^1,  A . p^1,  ...,  A . f^S,  A . p^S

where entry (i, j) of A . v is A_ij v_j. Where cells are alike, so are channels:
`distinct` leaves copies out.

Deviations
  * Costs are log(1 + c): raw ones span seven orders of magnitude.
  * Last axis instead of first for the channels.

A tensor depends on the order of the vertices. `nasbench101_cells.decode` of a
cell's code has them in one order for all equal cells, and so do the cells of a
table's space.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells, nasbench101_costs
from nasjax.spaces import nasbench201 as cells
from nasjax.types import Arch

_CHANNELS = (16, 32, 64)  # of the stages of NAS-Bench-201
_SIDES = (32, 16, 8)
_CELLS_PER_STAGE = 5
_TYPES = (1.0, 3.0, 2.0, 4.0, 5.0)  # input, conv3x3, conv1x1, maxpool, output
# The first of a stage has fewer channels at its input, but in the first stage.
_NASBENCH101_CELLS = (0, 3, 4, 6, 7)


def nasbench101(arch: Arch, distinct: bool = True) -> jax.Array:
  """Return the tensor of a NAS-Bench-101 cell, pruned.

  Args:
    arch: `{'edge': i32[21], 'op': i32[5]}`, a cell in the benchmark.
    distinct: whether equal cells of the network give one pair of channels.

  Returns:
    `f32[7, 7, 11]`, or `f32[7, 7, 19]` with a pair for each of the nine cells.

  References:
    Xu et al., ReNAS, 2021, section 3.1.
  """
  pruned = nasbench101_cells.prune(arch)
  types = jnp.asarray(_TYPES)
  interior = types[1:-1][pruned['op']]
  types = jnp.concatenate([types[:1], interior, types[-1:]])
  costs = nasbench101_costs.vertex_costs(pruned)
  costs = jnp.log1p(jnp.stack(costs, axis=1).astype(jnp.float32))  # [9, 2, 7]
  if distinct:
    costs = costs[np.array(_NASBENCH101_CELLS)]
  columns = jnp.concatenate([types[None], costs.reshape(-1, len(types))])
  matrix = nasbench101_cells.adjacency(pruned).astype(jnp.float32)
  return matrix[..., None] * columns.T[None]


def nasbench201(arch: Arch, distinct: bool = True) -> jax.Array:
  """Return the tensor of a NAS-Bench-201 cell.

  Entry (i, j) belongs to the edge from node i to node j. The type of an edge is
  the number of its operation, 0 for `none`.

  Args:
    arch: `{'op': i32[6]}`.
    distinct: whether the five equal cells of a stage give one pair of channels.

  Returns:
    `f32[4, 4, 7]`, or `f32[4, 4, 31]` with a pair for each of the 15 cells.

  References:
    Xu et al., ReNAS, 2021, section 3.1.
  """
  kernels = np.array([0, 0, 1, 3, 0])  # of each operation's convolution
  columns = [np.arange(len(cells.OPERATIONS))]
  for channels, side in zip(_CHANNELS, _SIDES):
    params = (kernels > 0) * ((kernels * channels) ** 2 + 2 * channels)
    pair = [np.log1p(params * side**2), np.log1p(params)]
    columns += pair * (1 if distinct else _CELLS_PER_STAGE)
  table = jnp.asarray(np.stack(columns, axis=-1), jnp.float32)
  tensor = jnp.zeros((4, 4, table.shape[-1]))
  return tensor.at[np.array(cells.SOURCES), np.array(cells.TARGETS)].set(
    table[jnp.asarray(arch['op'])]
  )
