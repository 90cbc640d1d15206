"""Weights and operations of the networks of NAS-Bench-101.

C. Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search,
ICML 2019, https://arxiv.org/abs/1902.09635, section 2.2 and appendix S2; the
channels of a vertex are those of the authors' `compute_vertex_channels`.

The network is a 3x3 stem of 128 channels on images of 32x32 pixels, 3 stacks of
3 cells of 128, 256 and 512 channels, with 2x2 max pooling between stacks, the
mean over pixels and a classifier. In a cell with output width C:

  width(output) = C
  width(v) = C // k, plus one for the first C % k vertices, for the k interior
             vertices with an edge to the output
  width(v) = the largest width among its successors, for other interior vertices

The input is projected by a 1x1 convolution to the width of every vertex that it
feeds; other predecessors are cut to that width and added. What feeds the output
is concatenated, and the projected input added to it.

Costs of a vertex of width q on H x H pixels, of a cell with c input channels
(the features of ReNAS, https://arxiv.org/abs/1910.01523):

  projection of the input   2 c q H^2 operations, c q + 2 q weights
  sum of its d inputs       (d - 1) q H^2
  k x k convolution         2 k^2 q^2 H^2, k^2 q^2 + 2 q
  3x3 max pooling           9 q H^2

Spare channels go to the first vertices, so where k does not divide C isomorphic
cells may differ by some weights.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells as cells
from nasjax.types import Arch

# Input channels, output channels and side of the nine cells.
CELL_SHAPES = tuple(
  (c_in, c, side)
  for c, before, side in ((128, 128, 32), (256, 128, 16), (512, 256, 8))
  for c_in in (before, c, c)
)
_STEM_PARAMS = 27 * 128 + 2 * 128
_HEAD_PARAMS = 512 * 10 + 10
_STEM_FLOPS = 2 * 27 * 128 * 32**2
_POOL_FLOPS = 128 * 32**2 + 256 * 16**2
_HEAD_FLOPS = 512 * 8**2 + 2 * 512 * 10 + 10
_KERNELS = (3, 1, 0)  # side of each operation's convolution


class VertexCosts(NamedTuple):
  """Costs of the vertices of all cells of the network, pruned form first."""

  flops: jax.Array  # i32[9, 7] operations for one image
  params: jax.Array  # i32[9, 7] weights


def vertex_widths(arch: Arch, channels: int | jax.Array) -> jax.Array:
  """Return the number of channels of every vertex but the input.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`, pruned.
    channels: C, of the output.

  Returns:
    `int32[7]`, 0 for the input and for vertices that are not used.
  """
  matrix = cells.adjacency(arch)
  inner = matrix.at[cells.INPUT].set(0)
  feeds = inner[:, cells.OUTPUT]
  shared = jnp.maximum(jnp.sum(feeds), 1)
  spare = jnp.cumsum(feeds) <= channels % shared
  width = feeds * (channels // shared + spare)
  # Successors have higher numbers, so theirs are known before they are needed.
  for v in reversed(cells.INTERIOR):
    widest = jnp.max(inner[v, :-1] * width[:-1])
    width = width.at[v].set(jnp.where(feeds[v] > 0, width[v], widest))
  return width.at[cells.OUTPUT].set(channels)


def _cell_costs(arch, c_in, channels, side):
  """Return operations and weights of every vertex of a pruned cell."""
  matrix = cells.adjacency(arch)
  inside = np.isin(np.arange(cells.NUM_VERTICES), cells.INTERIOR)
  width = jnp.where(inside, vertex_widths(arch, channels), 0)
  kernel = jnp.asarray(_KERNELS)[jnp.pad(arch['op'], 1)]
  projected = matrix[cells.INPUT] * c_in * width
  convolved = kernel**2 * width**2
  added = jnp.maximum(jnp.sum(matrix, axis=0) - 1, 0) * width
  pooled = jnp.where(kernel == 0, 9 * width, 0)
  normalised = 2 * width * (matrix[cells.INPUT] + (kernel > 0))
  return VertexCosts(
    (2 * projected + added + 2 * convolved + pooled) * side**2,
    projected + convolved + normalised,
  )


def vertex_costs(arch: Arch) -> VertexCosts:
  """Return what every vertex of every cell costs.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`, a cell in the benchmark.

  Returns:
    The costs of the vertices of `prune(arch)`; those of input and output are 0.
    The projection of the input to the output, which some cells have, is not
    among them.
  """
  shapes = np.array(CELL_SHAPES, np.int32).T
  return jax.vmap(_cell_costs, (None, 0, 0, 0))(cells.prune(arch), *shapes)


def num_params(arch: Arch) -> jax.Array:
  """Return the number of trainable weights of the network of a cell.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`, a cell in the benchmark.

  Returns:
    `int32[]`, the benchmark's `trainable_parameters`; see the head of this file
    for cells whose vertices are in another order than the benchmark's.
  """
  shortcut = sum((c_in + 2) * c for c_in, c, _ in CELL_SHAPES)
  has_shortcut = cells.adjacency(arch)[cells.INPUT, cells.OUTPUT]
  return (
    jnp.sum(vertex_costs(arch).params)
    + has_shortcut * shortcut
    + _STEM_PARAMS
    + _HEAD_PARAMS
  )


def flops(arch: Arch) -> jax.Array:
  """Return the operations of the network of a cell for one image.

  Additions and multiplications count one each.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`, a cell in the benchmark.

  Returns:
    `f32[]`: the counts exceed an int32, so they are rounded to 24 bits.
  """
  matrix = cells.adjacency(cells.prune(arch))
  has_shortcut = matrix[cells.INPUT, cells.OUTPUT]
  is_added = jnp.any(matrix[1:, cells.OUTPUT] > 0)
  projection = sum(2 * c_in * c * side**2 for c_in, c, side in CELL_SHAPES)
  addition = sum(c * side**2 for _, c, side in CELL_SHAPES)
  return (
    jnp.sum(vertex_costs(arch).flops.astype(jnp.float32))
    + has_shortcut * (float(projection) + is_added * float(addition))
    + float(_STEM_FLOPS + _POOL_FLOPS + _HEAD_FLOPS)
  )
