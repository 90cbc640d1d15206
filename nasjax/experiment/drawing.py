"""Drawings of cells with matplotlib alone: no graphviz, no layout program.

Nodes are placed by the longest path from the inputs; parallel edges and edges
that pass over nodes are bent.
"""
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import figure
from matplotlib import patches
import numpy as np

from nasjax.spaces import darts_cell
from nasjax.spaces import nasbench201
from nasjax.types import Arch

Edge = tuple[int, int, str]  # source, target, what the edge does

_INK, _INPUT, _NODE, _OUTPUT = '#223', '#d7e8d4', '#dbe4f3', '#f5e3c8'
_PALETTE = ('#2f6db3', '#c2543a', '#3d8b57', '#8a5aa8', '#b8860b', '#4a9aa5',
            '#a8446f', '#6b7280')


def _levels(edges, num_nodes):
  """Length of the longest path to every node; sources are at level 0."""
  level = [0] * num_nodes
  for _ in range(num_nodes):
    for source, target, _ in edges:
      level[target] = max(level[target], level[source] + 1)
    if max(level, default=0) > num_nodes:
      raise ValueError('The edges form a cycle; a cell has none.')
  return level


def layout(edges: Sequence[Edge], num_nodes: int) -> np.ndarray:
  """Return a position for every node, inputs left.

  Args:
    edges: (source, target, text).
    num_nodes: N.

  Returns:
    `f64[N, 2]`; nodes of one level are one unit apart, around zero.

  Raises:
    ValueError: if the edges form a cycle or name a node that does not exist.
  """
  for source, target, _ in edges:
    if not (0 <= source < num_nodes and 0 <= target < num_nodes):
      raise ValueError(
          f'Edge {source} -> {target} leaves the {num_nodes} nodes.')
  level = _levels(edges, num_nodes)
  position = np.zeros((num_nodes, 2))
  for node in range(num_nodes):
    peers = [i for i in range(num_nodes) if level[i] == level[node]]
    # A small wave keeps edges between distant levels off the nodes between.
    wave = 0.3 * (-1) ** level[node] if len(peers) == 1 and level[node] else 0
    position[node] = (
        1.7 * level[node],
        (len(peers) - 1) / 2 - peers.index(node) + wave)
  return position


def _draw_edge(axes, start, end, bend, text, colour):
  axes.add_patch(patches.FancyArrowPatch(
      start, end, connectionstyle=f'arc3,rad={bend}', arrowstyle='-|>',
      mutation_scale=11, shrinkA=15, shrinkB=16, color=colour, linewidth=1.5))
  if text:
    along = end - start
    # The middle of the quadratic curve that 'arc3' draws.
    middle = (start + end) / 2 + bend / 2 * np.array([along[1], -along[0]])
    axes.text(*middle, text, fontsize=7, color=colour, ha='center',
              va='center', bbox=dict(
                  boxstyle='round,pad=.12', fc='white', ec='none', alpha=.85))


def _bends(edges, position):
  """How far each edge is bent: parallel ones apart, long ones around."""
  seen, bends = {}, []
  for source, target, _ in edges:
    repeat = seen[source, target] = seen.get((source, target), -1) + 1
    long = position[target, 0] - position[source, 0] > 2
    bends.append((-0.18 if long else 0.0) + 0.35 * repeat)
  return bends


def draw_dag(
    edges: Sequence[Edge], labels: Sequence[str], title: str = '',
    axes: Any = None,
) -> figure.Figure:
  """Draw a directed acyclic graph with operations on its edges.

  Args:
    edges: (source, target, text).
    labels: names of the N nodes; those without incoming edges are drawn as
      inputs, those without outgoing ones as outputs.
    title: above the drawing.
    axes: matplotlib axes to draw on (default: a new figure).

  Returns:
    The figure.

  Raises:
    ValueError: as `layout`.
  """
  position = layout(edges, len(labels))
  if axes is None:
    span = np.ptp(position, axis=0) if len(labels) else np.zeros(2)
    axes = figure.Figure(
        figsize=(2 + 1.05 * span[0], 1.6 + 1.2 * span[1])).subplots()
  colours = {text: _PALETTE[i % len(_PALETTE)] for i, text in enumerate(
      sorted({text for _, _, text in edges if text}))}
  for (source, target, text), bend in zip(edges, _bends(edges, position)):
    _draw_edge(axes, position[source], position[target], bend, text,
               colours.get(text, _INK))
  sources = {source for source, _, _ in edges}
  targets = {target for _, target, _ in edges}
  for node, (label, point) in enumerate(zip(labels, position)):
    face = _OUTPUT if node not in sources else (
        _NODE if node in targets else _INPUT)
    axes.text(*point, label, fontsize=8, ha='center', va='center', color=_INK,
              bbox=dict(boxstyle='round,pad=.4', fc=face, ec=_INK, lw=.8))
  axes.set_title(title, fontsize=10, color=_INK)
  axes.set_axis_off()
  axes.margins(.14, .3)
  if len(position):
    axes.update_datalim(position)
  axes.autoscale_view()
  return axes.figure


def darts(leaf: Any, title: str = '', axes: Any = None) -> figure.Figure:
  """Draw one cell of a DARTS architecture.

  Args:
    leaf: `int[E]`, the operation of every edge; 'none' is left out.
    title: above the drawing.
    axes: matplotlib axes to draw on (default: a new figure).

  Returns:
    The figure.
  """
  leaf = np.asarray(leaf)
  # E = 2 + 3 + ... + (M + 1) edges for M nodes.
  num_nodes = int((np.sqrt(9 + 8 * len(leaf)) - 3) / 2)
  source, target = darts_cell.edges(num_nodes)
  edges = [
      (s, t, darts_cell.OPERATIONS[op])
      for s, t, op in zip(source, target, leaf.tolist())
      if darts_cell.OPERATIONS[op] != 'none']
  output = num_nodes + 2
  edges += [(node, output, '') for node in range(2, output)]
  labels = ['c[k-2]', 'c[k-1]', *map(str, range(num_nodes)), 'c[k]']
  return draw_dag(edges, labels, title, axes)


def nasbench201_cell(
    leaf: Any, title: str = '', axes: Any = None
) -> figure.Figure:
  """Draw the cell of a NAS-Bench-201 architecture.

  Args:
    leaf: `int[6]`, the operation of every edge; 'none' is left out.
    title: above the drawing.
    axes: matplotlib axes to draw on (default: a new figure).

  Returns:
    The figure.
  """
  pairs = [(s, t) for t in range(1, 4) for s in range(t)]
  edges = [
      (s, t, nasbench201.OPERATIONS[op])
      for (s, t), op in zip(pairs, np.asarray(leaf).tolist())
      if nasbench201.OPERATIONS[op] != 'none']
  return draw_dag(edges, ['in', '1', '2', 'out'], title, axes)


def cells(arch: Arch) -> dict[str, figure.Figure]:
  """Draw the cells of an architecture, as far as its space is known here.

  Args:
    arch: index architecture, arrays or plain lists.

  Returns:
    Figures by the name of the leaf; empty for spaces that have no drawing.
  """
  if not isinstance(arch, Mapping):
    return {}
  if set(arch) == {'normal', 'reduce'}:
    return {name: darts(arch[name], f'{name} cell')
            for name in ('normal', 'reduce') if np.ndim(arch[name]) == 1}
  if set(arch) == {'op'} and np.shape(arch['op']) == (6,):
    return {'op': nasbench201_cell(arch['op'], 'cell')}
  return {}
