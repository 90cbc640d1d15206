"""Directed graphs drawn with matplotlib alone: no graphviz, no layout program.

Nodes are placed by the longest path from the inputs; parallel edges and edges
that pass over nodes are bent.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib import figure, patches
import numpy as np

Edge = tuple[int, int, str]  # source, target, what the edge does

_STEP = (2.6, 1.3)  # between levels, and between the nodes of a level
_INK, _INPUT, _NODE, _OUTPUT = '#223', '#d7e8d4', '#dbe4f3', '#f5e3c8'
_PALETTE = (
  '#2f6db3',
  '#c2543a',
  '#3d8b57',
  '#8a5aa8',
  '#b8860b',
  '#4a9aa5',
  '#a8446f',
  '#6b7280',
)


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
    `f64[N, 2]`; the nodes of a level are centred on zero.

  Raises:
    ValueError: if the edges form a cycle or name a node that does not exist.
  """
  for source, target, _ in edges:
    if not (0 <= source < num_nodes and 0 <= target < num_nodes):
      raise ValueError(
        f'Edge {source} -> {target} leaves the {num_nodes} nodes.'
      )
  level = _levels(edges, num_nodes)
  position = np.zeros((num_nodes, 2))
  for node in range(num_nodes):
    peers = [i for i in range(num_nodes) if level[i] == level[node]]
    position[node] = (
      _STEP[0] * level[node],
      _STEP[1] * ((len(peers) - 1) / 2 - peers.index(node)),
    )
  return position


def _draw_edge(axes, start, end, bend, place, text, colour):
  axes.add_patch(
    patches.FancyArrowPatch(
      start,
      end,
      connectionstyle=f'arc3,rad={bend}',
      arrowstyle='-|>',
      mutation_scale=11,
      shrinkA=15,
      shrinkB=16,
      color=colour,
      linewidth=1.5,
    )
  )
  if text:
    along = end - start
    # The control point of the quadratic curve that 'arc3' draws.
    control = (start + end) / 2 + bend * np.array([along[1], -along[0]])
    point = (
      (1 - place) ** 2 * start
      + 2 * place * (1 - place) * control
      + place**2 * end
    )
    axes.text(
      *point,
      text,
      fontsize=7,
      color=colour,
      ha='center',
      va='center',
      bbox=dict(boxstyle='round,pad=.12', fc='white', ec='none', alpha=0.85),
    )


def _bends(edges, position):
  """How far each edge is bent: long ones around nodes, parallel ones apart."""
  seen, bends = {}, []
  for source, target, _ in edges:
    repeat = seen[source, target] = seen.get((source, target), -1) + 1
    long = position[target, 0] - position[source, 0] > 1.5 * _STEP[0]
    # Long edges pass on the side of their node; on the axis they take turns.
    height = position[source, 1]
    side = -np.sign(height) if height else (1 if source % 2 else -1)
    bends.append((0.28 * side if long else 0.0) + 0.35 * repeat)
  return bends


def draw(
  edges: Sequence[Edge],
  labels: Sequence[str],
  title: str = '',
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
    ValueError: as `layout`, or if there is no node.
  """
  if not labels:
    raise ValueError('A drawing needs at least one node.')
  position = layout(edges, len(labels))
  span = np.ptp(position, axis=0)
  # Bent edges need room in proportion to their length.
  room = np.array([0.8, 0.6 + 0.11 * span[0] * (span[0] > 1.5 * _STEP[0])])
  if axes is None:
    axes = figure.Figure(figsize=0.8 * (span + 2 * room)).subplots()
  colours = {
    text: _PALETTE[i % len(_PALETTE)]
    for i, text in enumerate(sorted({text for _, _, text in edges if text}))
  }
  bends = _bends(edges, position)
  for i, ((source, target, text), bend) in enumerate(zip(edges, bends)):
    place = (0.5, 0.38, 0.6)[
      i % 3
    ]  # neighbouring labels do not cover each other
    _draw_edge(
      axes,
      position[source],
      position[target],
      bend,
      place,
      text,
      colours.get(text, _INK),
    )
  sources = {source for source, _, _ in edges}
  targets = {target for _, target, _ in edges}
  for node, (label, point) in enumerate(zip(labels, position)):
    face = (
      _OUTPUT if node not in sources else (_NODE if node in targets else _INPUT)
    )
    axes.text(
      *point,
      label,
      fontsize=8,
      ha='center',
      va='center',
      color=_INK,
      bbox=dict(boxstyle='round,pad=.4', fc=face, ec=_INK, lw=0.8),
    )
  axes.set_title(title, fontsize=10, color=_INK)
  axes.set_axis_off()
  axes.set_aspect('equal')
  low, high = position.min(0) - room, position.max(0) + room
  axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
  return axes.figure
