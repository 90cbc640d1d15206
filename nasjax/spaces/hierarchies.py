"""Networks as graphs of graphs of graphs of operations.

B. Ru, P. Esperanca and F. Carlucci, Neural Architecture Generator Optimization,
NeurIPS 2020, https://arxiv.org/abs/2004.01395: a network is a graph of cells, a
cell a graph of graphs of operations.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.spaces import random_graphs


class Hierarchy(NamedTuple):
  """A network as graphs of graphs; T, M and B places at the three levels."""

  top: random_graphs.Dag  # [T, T] of cells
  middle: random_graphs.Dag  # [T, M, M] of graphs of operations, by cell
  bottom: random_graphs.Dag  # [T, M, B, B] of operations


def flatten(network: Hierarchy) -> random_graphs.Dag:
  """Return the graph of all operations of a network.

  An operation feeds another in the same graph of operations; the outputs of a
  graph feed the inputs of the graphs after it, and likewise those of cells.

  Args:
    network: the network.

  Returns:
    A graph of T M B places, cell by cell, graph by graph. Places of operations
    that do not exist lie between the others.
  """
  entry = random_graphs.is_input(network.bottom)  # [T, M, B]
  exit_ = random_graphs.is_output(network.bottom)
  cell_entry = entry & random_graphs.is_input(network.middle)[..., None]
  cell_exit = exit_ & random_graphs.is_output(network.middle)[..., None]
  cells, graphs, places = entry.shape
  same_cell = jnp.eye(cells, dtype=bool)[:, None, None, :, None, None]
  same_graph = jnp.eye(graphs, dtype=bool)[None, :, None, None, :, None]
  inside = network.bottom.adjacency[:, :, :, None, None, :]
  between = network.middle.adjacency[:, :, None, None, :, None]
  between &= exit_[:, :, :, None, None, None] & entry[None, None, None]
  across = network.top.adjacency[:, None, None, :, None, None]
  across &= cell_exit[:, :, :, None, None, None] & cell_entry[None, None, None]
  edges = (same_cell & ((same_graph & inside) | between)) | across
  total = cells * graphs * places
  return random_graphs.Dag(
    edges.reshape(total, total), network.bottom.mask.reshape(total)
  )


def depth(network: Hierarchy) -> jax.Array:
  """Return the number of operations on the longest path, `i32[]`."""
  edges, mask = flatten(network)

  def visit(node, longest):
    before = jnp.max(jnp.where(edges[:, node], longest, 0))
    return longest.at[node].set(jnp.where(mask[node], before + 1, 0))

  longest = jnp.zeros(len(mask), jnp.int32)
  return jnp.max(jax.lax.fori_loop(0, len(mask), visit, longest))
