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
"""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench201 as cells
from nasjax.types import Arch

_CHANNELS = (16, 32, 64)  # of the stages of NAS-Bench-201
_SIDES = (32, 16, 8)
_CELLS_PER_STAGE = 5
_TYPES = (1.0, 3.0, 2.0, 4.0, 5.0)  # input, conv3x3, conv1x1, maxpool, output


def nasbench101(
  adjacency: jax.Array, op: jax.Array, macs: jax.Array, params: jax.Array
) -> jax.Array:
  """Return the tensor of a NAS-Bench-101 cell.

  Args:
    adjacency: `[7, 7]`, upper triangular; vertices that a cell lacks have zero
      rows and columns and stand just before the output.
    op: operations of vertices 1 to 5, `i32[5]`: 0 for the 3x3 convolution, 1
      for the 1x1 one, 2 for pooling.
    macs: cost of every vertex in S cells of the network, `f32[S, 7]`.
    params: weights of every vertex in these cells, `f32[S, 7]`.

  Returns:
    `f32[7, 7, 1 + 2 S]`: 19 channels for the nine cells of the network.

  References:
    Xu et al., ReNAS, 2021, section 3.1.
  """
  types = jnp.asarray(_TYPES)
  interior = types[1:-1][jnp.asarray(op)]
  types = jnp.concatenate([types[:1], interior, types[-1:]])
  costs = jnp.log1p(jnp.stack([macs, params], axis=1).reshape(-1, 7))
  columns = jnp.concatenate([types[None], costs])
  return jnp.asarray(adjacency, jnp.float32)[..., None] * columns.T[None]


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
