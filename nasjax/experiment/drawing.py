"""Drawings of cells."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import figure
import numpy as np

from nasjax.experiment import dag
from nasjax.spaces import (
  darts_cell,
  genotypes,
  nasbench201,
  rnn_cell,
  rnn_genotypes,
)
from nasjax.types import Arch


def darts(
  leaf: Any,
  title: str = '',
  operations: Sequence[str] = darts_cell.OPERATIONS,
  axes: Any = None,
) -> figure.Figure:
  """Draw one cell of a DARTS architecture.

  Args:
    leaf: `int[E]`, the operation of every edge; 'none' is left out. Where no
      cell has E edges, two operations side by side are of the same edge.
    title: above the drawing.
    operations: their names, in the order of the space.
    axes: matplotlib axes to draw on (default: a new figure).

  Returns:
    The figure.
  """
  leaf = np.asarray(leaf)
  try:
    num_nodes = genotypes.num_nodes_of(len(leaf))
  except ValueError:  # `separate_cells.threshold_edges`
    num_nodes = genotypes.num_nodes_of(len(leaf) // 2)
  source, target = darts_cell.edges(num_nodes)
  chosen = [
    [operations[op] for op in ops if operations[op] != 'none']
    for ops in leaf.reshape(len(source), -1).tolist()
  ]
  edges = [
    (s, t, ' + '.join(names))
    for s, t, names in zip(source, target, chosen)
    if names
  ]
  output = num_nodes + 2
  edges += [(node, output, '') for node in range(2, output)]
  labels = ['c[k-2]', 'c[k-1]', *map(str, range(num_nodes)), 'c[k]']
  return dag.draw(edges, labels, title, axes)


def nasbench201_cell(
  leaf: Any,
  title: str = '',
  operations: Sequence[str] = nasbench201.OPERATIONS,
  axes: Any = None,
) -> figure.Figure:
  """Draw the cell of a NAS-Bench-201 architecture.

  Args:
    leaf: `int[6]`, the operation of every edge; 'none' is left out.
    title: above the drawing.
    operations: their names, in the order of the space.
    axes: matplotlib axes to draw on (default: a new figure).

  Returns:
    The figure.
  """
  pairs = [(s, t) for t in range(1, 4) for s in range(t)]
  edges = [
    (s, t, operations[op])
    for (s, t), op in zip(pairs, np.asarray(leaf).tolist())
    if operations[op] != 'none'
  ]
  return dag.draw(edges, ['in', '1', '2', 'out'], title, axes)


def recurrent_cell(
  leaf: Any,
  title: str = '',
  functions: Sequence[str] = rnn_cell.FUNCTIONS,
  axes: Any = None,
) -> figure.Figure:
  """Draw a recurrent cell of DARTS.

  Args:
    leaf: `int[E]`, the function of every edge; 'none' is left out.
    title: above the drawing.
    functions: their names, in the order of the space.
    axes: matplotlib axes to draw on (default: a new figure).

  Returns:
    The figure.
  """
  leaf = np.asarray(leaf)
  num_nodes = rnn_genotypes.num_nodes_of(len(leaf))
  edges = [
    (s, t, functions[f])
    for s, t, f in zip(*rnn_cell.edges(num_nodes), leaf.tolist())
    if functions[f] != 'none'
  ]
  output = num_nodes + 1
  edges += [(node, output, '') for node in range(1, output)]
  labels = ['x, h[t-1]', *map(str, range(1, output)), 'h[t]']
  return dag.draw(edges, labels, title, axes)


def cells(
  arch: Arch, operations: Sequence[str] | None = None
) -> dict[str, figure.Figure]:
  """Draw the cells of an architecture, as far as its space is known here.

  Args:
    arch: index architecture, arrays or plain lists.
    operations: names of the operations, where they are not those of the papers.

  Returns:
    Figures by the name of the leaf; empty for spaces that have no drawing.
  """
  if not isinstance(arch, Mapping):
    return {}
  if arch and set(arch) <= {'normal', 'reduce'}:
    names = operations or darts_cell.OPERATIONS
    return {
      name: darts(leaf, f'{name} cell', names)
      for name, leaf in sorted(arch.items())
      if np.ndim(leaf) == 1
    }
  if set(arch) == {'recurrent'} and np.ndim(arch['recurrent']) == 1:
    names = operations or rnn_cell.FUNCTIONS
    picture = recurrent_cell(arch['recurrent'], 'recurrent cell', names)
    return {'recurrent': picture}
  if set(arch) == {'cells'} and np.ndim(arch['cells']) == 2:
    names = operations or darts_cell.OPERATIONS
    return {
      f'cell {i}': darts(leaf, f'cell {i}', names)
      for i, leaf in enumerate(np.asarray(arch['cells']))
    }
  if set(arch) == {'op'} and np.shape(arch['op']) == (6,):
    names = operations or nasbench201.OPERATIONS
    return {'op': nasbench201_cell(arch['op'], 'cell', names)}
  return {}
