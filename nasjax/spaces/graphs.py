"""Cells as graphs of operations: what graph networks read.

Vertices are operations, the input and the output; edges say whose output is
whose input. Vertex 0 is the input, the last one the output. A vertex that a
cell does not have is padding: its mask is 0, its operation 0, and its row and
column of the adjacency matrix are zero.

  W. Wen et al., Neural Predictor for Neural Architecture Search, 2020,
  https://arxiv.org/abs/1912.00848 (the graph of a NAS-Bench-101 cell)
  L. Dudziak et al., BRP-NAS: Prediction-based NAS using GCNs, 2020,
  https://arxiv.org/abs/2007.08668 (that of NAS-Bench-201, skips contracted)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells
from nasjax.spaces import nasbench201 as cells
from nasjax.types import Arch

# Operations of vertices: those of the space, then the two ends.
NASBENCH101_OPS = 5  # conv3x3, conv1x1, maxpool3x3, input, output
NASBENCH201_OPS = 7  # none, skip, conv1x1, conv3x3, avgpool3x3, input, output

_SKIP = cells.OPERATIONS.index('skip_connect')


class Graph(NamedTuple):
  """A directed acyclic graph with N places for vertices."""

  adjacency: jax.Array  # f32[N, N] 1 where the row's vertex feeds the column's
  op: jax.Array  # i32[N]
  mask: jax.Array  # f32[N] 1 for a vertex, 0 for padding


def _keep(graph: Graph, kept: jax.Array) -> Graph:
  """Return the graph without the vertices that are not kept, `bool[N]`."""
  weight = kept.astype(graph.mask.dtype)
  return Graph(
    graph.adjacency * weight[:, None] * weight[None, :],
    jnp.where(kept, graph.op, 0),
    graph.mask * weight,
  )


def prune(graph: Graph) -> Graph:
  """Return the graph without what lies on no path from input to output.

  Input and output stay, also where nothing connects them.

  Args:
    graph: a graph of N places.

  Returns:
    The graph, removed vertices as padding.
  """
  size = graph.op.shape[0]
  reaches = jnp.eye(size, dtype=bool)
  for _ in range(max(size - 2, 0).bit_length() + 1):  # paths of doubled length
    reaches |= (reaches @ (graph.adjacency > 0)) @ reaches
  ends = np.isin(np.arange(size), (0, size - 1))
  return _keep(graph, (reaches[0] & reaches[:, -1] & (graph.mask > 0)) | ends)


def contract(graph: Graph, op: int) -> Graph:
  """Return the graph without vertices of one operation, their paths kept.

  What feeds such a vertex feeds its targets instead. Edges that coincide are
  one edge.

  Args:
    graph: a graph of N places.
    op: the operation to remove, a skip connection.

  Returns:
    The graph, removed vertices as padding.
  """
  adjacency = graph.adjacency
  removed = (graph.op == op) & (graph.mask > 0)
  for vertex in range(graph.op.shape[0]):
    through = adjacency[:, vertex][:, None] * adjacency[vertex][None, :]
    adjacency = jnp.maximum(
      adjacency, jnp.where(removed[vertex], through, jnp.zeros_like(through))
    )
  return _keep(graph._replace(adjacency=adjacency), ~removed)


def nasbench101(arch: Arch) -> Graph:
  """Return the graph of a NAS-Bench-101 cell, its useless vertices removed.

  Args:
    arch: `{'edge': i32[21], 'op': i32[5]}`.

  Returns:
    The graph with N = 7; `op` 3 is the input, 4 the output.
  """
  ends = jnp.array([NASBENCH101_OPS - 2, NASBENCH101_OPS - 1], jnp.int32)
  op = jnp.asarray(arch['op'], jnp.int32)
  op = jnp.concatenate([ends[:1], op, ends[1:]])
  adjacency = nasbench101_cells.adjacency(arch).astype(jnp.float32)
  return prune(Graph(adjacency, op, jnp.ones(op.shape[0])))


def nasbench201(
  arch: Arch, pruned: bool = False, contracted: bool = False
) -> Graph:
  """Return the graph whose vertices are the six operations of a cell.

  Vertex e + 1 bears the operation of edge e; it follows the operations that
  end where edge e starts. A `none` is a vertex like the others, with a label of
  its own, unless the graph is pruned: then it goes, and with it all that is on
  no path from the input to the output.

  Args:
    arch: `{'op': i32[6]}`.
    pruned: whether vertices without effect are removed.
    contracted: whether skip connections are, their sources joined to their
      targets.

  Returns:
    The graph with N = 8; `op` 5 is the input, 6 the output.

  References:
    Dudziak et al., BRP-NAS, 2020.
  """
  size = len(cells.SOURCES) + 2
  edges = np.zeros((size, size), np.float32)
  for i, (source, target) in enumerate(zip(cells.SOURCES, cells.TARGETS)):
    edges[0, i + 1] = source == 0
    edges[i + 1, -1] = target == cells.TARGETS[-1]
    edges[i + 1, 1:-1] = np.equal(target, cells.SOURCES)
  ends = jnp.array([NASBENCH201_OPS - 2, NASBENCH201_OPS - 1], jnp.int32)
  op = jnp.concatenate([ends[:1], jnp.asarray(arch['op'], jnp.int32), ends[1:]])
  graph = Graph(jnp.asarray(edges), op, jnp.ones(size))
  if pruned:
    kept = graph.op != cells.OPERATIONS.index('none')
    graph = prune(_keep(graph, kept))
  return contract(graph, _SKIP) if contracted else graph


def distances(adjacency: jax.Array) -> jax.Array:
  """Return the lengths of shortest paths along the edges of a graph.

  Args:
    adjacency: `f32[N, N]` of vertices in an order in which edges go forward.

  Returns:
    `f32[N, N]`, from the row's vertex to the column's; infinite where there is
    no path, zero from a vertex to itself.
  """
  size, sources = len(adjacency), jnp.asarray(adjacency).T > 0
  far = jnp.where(jnp.eye(size, dtype=bool), 0.0, jnp.inf)

  def extend(found, vertex):
    # Few vertices feed one: they are taken one by one.
    def take(carry):
      left, row = carry
      source = jnp.argmax(left)
      return left.at[source].set(False), jnp.minimum(row, found[source])

    start = sources[vertex], jnp.full(size, jnp.inf)
    _, row = jax.lax.while_loop(lambda carry: carry[0].any(), take, start)
    return found.at[vertex].set((1 + row).at[vertex].set(0)), None

  # Rows are the ends of paths until all is done.
  return jax.lax.scan(extend, far, jnp.arange(size))[0].T
