"""Graphs with features of nodes, as arrays of fixed size: what networks read.

Edges are directed, sorted by the node that receives, and every node has one to
itself: a neighbourhood contains the node. Features are their entries other than
zero. Several graphs are one, of which no edge joins the parts; what fills up
arrays to a common size is a graph of its own likewise, so no network needs to
know where the padding begins.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Graph(NamedTuple):
  """N nodes, E edges and Z entries of features."""

  senders: np.ndarray  # i32[E]
  receivers: np.ndarray  # i32[E] rising
  degrees: np.ndarray  # f32[N] edges that a node receives, at least 1
  nodes: np.ndarray  # i32[Z] rising: the node of an entry,
  columns: np.ndarray  # i32[Z] its feature,
  values: np.ndarray  # f32[Z] and its value


def _sorted_edges(senders, receivers, num_nodes):
  order = np.lexsort((senders, receivers))
  senders = np.asarray(senders, np.int32)[order]
  receivers = np.asarray(receivers, np.int32)[order]
  degrees = np.bincount(receivers, minlength=num_nodes).astype(np.float32)
  return senders, receivers, degrees


def undirected(edges: np.ndarray, features: np.ndarray) -> Graph:
  """Return the graph of pairs of nodes and a matrix of features.

  Pairs that repeat, in either order, are one edge; pairs of a node with itself
  change nothing, since every node has that edge.

  Args:
    edges: `int[M, 2]`.
    features: `f32[N, F]`.

  Returns:
    The graph.

  Raises:
    ValueError: if a node does not exist.
  """
  num_nodes = len(features)
  edges = np.asarray(edges, np.int64).reshape(-1, 2)
  if edges.size and not 0 <= edges.min() <= edges.max() < num_nodes:
    raise ValueError(
      f'Edges must join nodes from 0 to {num_nodes - 1}, got nodes from '
      f'{edges.min()} to {edges.max()}.'
    )
  loops = np.repeat(np.arange(num_nodes)[:, None], 2, axis=1)
  pairs = np.unique(np.concatenate([edges, edges[:, ::-1], loops]), axis=0)
  nodes, columns = np.nonzero(features)
  return Graph(
    *_sorted_edges(*pairs.T, num_nodes),
    nodes.astype(np.int32),
    columns.astype(np.int32),
    np.asarray(features[nodes, columns], np.float32),
  )


def union(parts: Sequence[Graph]) -> Graph:
  """Return the graph of which these are the parts.

  Args:
    parts: in the order of their nodes.

  Returns:
    The graph.
  """
  first = np.cumsum([0, *(len(part.degrees) for part in parts)])
  moved = [
    part._replace(
      senders=part.senders + start,
      receivers=part.receivers + start,
      nodes=part.nodes + start,
    )
    for part, start in zip(parts, first.astype(np.int32))
  ]
  return Graph(*map(np.concatenate, zip(*moved)))


def pad(
  graph: Graph, num_nodes: int, num_edges: int, num_entries: int
) -> Graph:
  """Return a graph with further nodes, edges among those and entries of zero.

  Args:
    graph: the graph.
    num_nodes: N of the result, one more than there are at least.
    num_edges: E of the result; new nodes need one each.
    num_entries: Z of the result.

  Returns:
    The graph. Edges that are too many join the last node to itself.

  Raises:
    ValueError: if the sizes do not suffice.
  """
  old = len(graph.degrees), len(graph.senders), len(graph.nodes)
  new = num_nodes - old[0], num_edges - old[1], num_entries - old[2]
  if new[0] < 1 or new[1] < new[0] or new[2] < 0:
    raise ValueError(
      f'A graph of {old} nodes, edges and entries cannot be padded to '
      f'{(num_nodes, num_edges, num_entries)}.'
    )
  own = np.minimum(np.arange(new[1]), new[0] - 1)
  return union(
    [
      graph,
      Graph(
        *_sorted_edges(own, own, new[0]),
        np.full(new[2], new[0] - 1, np.int32),
        np.zeros(new[2], np.int32),
        np.zeros(new[2], np.float32),
      ),
    ]
  )
