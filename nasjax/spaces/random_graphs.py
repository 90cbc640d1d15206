"""Random graphs with a bounded number of nodes, drawn inside `jit`.

  watts_strogatz   D. J. Watts and S. H. Strogatz, Collective dynamics of
                   small-world networks, 1998,
                   https://doi.org/10.1038/30918
  erdos_renyi      E. N. Gilbert, Random Graphs, 1959; P. Erdos and A. Renyi,
                   On Random Graphs I, 1959
  barabasi_albert  A.-L. Barabasi and R. Albert, Emergence of Scaling in Random
                   Networks, 1999, https://arxiv.org/abs/cond-mat/9910332

as networkx draws them. A graph has N places of which the first n are nodes; its
adjacency matrix is `bool[N, N]`, symmetric, and zero for the other places. All
parameters but N may be traced, so one program draws graphs of all sizes.
Directed from the lower node to the higher one, a connected graph is an acyclic
one in which every node lies on a path from an input to an output.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.types import Key


class Dag(NamedTuple):
  """A directed acyclic graph whose nodes are in topological order."""

  adjacency: jax.Array  # bool[..., N, N] the row's node feeds the column's
  mask: jax.Array  # bool[..., N] nodes; the first ones


def is_input(dag: Dag) -> jax.Array:
  """Return which nodes have no predecessor, `bool[..., N]`."""
  return dag.mask & ~jnp.any(dag.adjacency, axis=-2)


def is_output(dag: Dag) -> jax.Array:
  """Return which nodes have no successor, `bool[..., N]`."""
  return dag.mask & ~jnp.any(dag.adjacency, axis=-1)


def watts_strogatz(
  key: Key,
  size: int,
  nodes: jax.Array,
  degree: jax.Array,
  probability: jax.Array,
) -> jax.Array:
  """Return a ring whose edges are rewired at random.

  Every node is joined to the `floor(K / 2)` next ones. Then every edge, the
  nearest first, gets another far end with probability p: a node to which there
  is no edge yet, all equally likely.

  Args:
    key: of the draw.
    size: N, places.
    nodes: n, at most N.
    degree: K; more than n - 1 are n - 1.
    probability: p.

  Returns:
    `bool[N, N]`, with exactly `n floor(K / 2)` edges.
  """
  place = jnp.arange(size)
  half = jnp.minimum(degree, nodes - 1) // 2
  distance = (place[None, :] - place[:, None]) % nodes
  exists = (place < nodes)[:, None] & (place < nodes)[None, :]
  ring = exists & (jnp.minimum(distance, nodes - distance) <= half)
  ring &= ~jnp.eye(size, dtype=bool)
  num_edges = size * ((size - 1) // 2)
  drawn = jax.random.uniform(key, (num_edges, size + 1))

  def rewire(t, graph):
    u = t % nodes
    v = (u + 1 + t // nodes) % nodes
    free = (place < nodes) & ~graph[u] & (place != u)
    w = jnp.argmax(jnp.where(free, drawn[t, 1:], -1.0))
    moves = jnp.any(free) & (drawn[t, 0] < probability)
    edge = lambda a, b: (place == a)[:, None] & (place == b)[None, :]
    old, new = edge(u, v) | edge(v, u), edge(u, w) | edge(w, u)
    return jnp.where(moves, (graph & ~old) | new, graph)

  return jax.lax.fori_loop(0, nodes * half, rewire, ring)


def erdos_renyi(
  key: Key, size: int, nodes: jax.Array, probability: jax.Array
) -> jax.Array:
  """Return a graph that has every edge with the same probability.

  Args:
    key: of the draw.
    size: N, places.
    nodes: n, at most N.
    probability: P.

  Returns:
    `bool[N, N]`.
  """
  place = jnp.arange(size)
  drawn = jax.random.uniform(key, (size, size)) < probability
  upper = drawn & (place[:, None] < place[None, :]) & (place < nodes)[None, :]
  return upper | upper.T


def barabasi_albert(
  key: Key, size: int, nodes: jax.Array, degree: jax.Array
) -> jax.Array:
  """Return a graph whose nodes join those that have many edges.

  It begins as a star of m + 1 nodes; every other node in turn gets m edges to
  distinct ones before it, drawn in proportion to their degrees.

  Args:
    key: of the draw.
    size: N, places.
    nodes: n, at most N.
    degree: m; more than n - 1 are n - 1.

  Returns:
    `bool[N, N]`, with exactly `m (n - m)` edges.
  """
  place = jnp.arange(size)
  degree = jnp.minimum(degree, nodes - 1)
  centre = (place == 0)[:, None] & ((place > 0) & (place <= degree))[None, :]
  # The m largest of these are a draw without replacement.
  noise = jax.random.gumbel(key, (size, size))

  def join(node, graph):
    weight = jnp.log(jnp.sum(graph, axis=0)) + noise[node]
    weight = jnp.where(place < node, weight, -jnp.inf)
    ranks = jnp.argsort(jnp.argsort(-weight))
    new = (place == node)[:, None] & (ranks < degree)[None, :]
    return graph | new | new.T

  return jax.lax.fori_loop(degree + 1, nodes, join, centre | centre.T)


def is_connected(adjacency: jax.Array, nodes: jax.Array) -> jax.Array:
  """Return whether a path joins any two of the first n nodes, `bool[]`."""
  size = len(adjacency)
  reaches = adjacency | jnp.eye(size, dtype=bool)
  for _ in range(max(size - 1, 1).bit_length()):  # paths of doubled length
    reaches = reaches @ reaches
  return jnp.all(reaches[0] == (jnp.arange(size) < nodes))


def connected_dag(
  draw: Callable[[Key], jax.Array],
  key: Key,
  nodes: jax.Array,
  num_tries: int,
) -> Dag:
  """Draw until a graph is connected, and direct its edges.

  What is not connected after all tries gets the edges of the path through all
  nodes.

  Args:
    draw: `(key) -> bool[N, N]`, one of the models.
    key: of all draws.
    nodes: n.
    num_tries: the most draws.

  Returns:
    The graph.
  """

  def attempt(state):
    t, _ = state
    return t + 1, draw(jax.random.fold_in(key, t))

  def goes_on(state):
    t, graph = state
    return (t == 0) | ((t < num_tries) & ~is_connected(graph, nodes))

  empty = jnp.zeros_like(jax.eval_shape(draw, key))
  _, graph = jax.lax.while_loop(goes_on, attempt, (jnp.int32(0), empty))
  place = jnp.arange(len(graph))
  mask = place < nodes
  path = (place[:, None] + 1 == place[None, :]) & mask[None, :]
  graph |= path & ~is_connected(graph, nodes)
  return Dag(graph & (place[:, None] < place[None, :]), mask)
