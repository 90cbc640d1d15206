"""Plots of many methods side by side; see `plots` for those of one run."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import figure
import numpy as np

from nasjax.experiment import plots


def maps(
  values: Mapping[str, Any],
  rows: Sequence[str],
  columns: Sequence[str],
  title: str = '',
) -> figure.Figure:
  """Draw matrices side by side on one scale, such as weights of cells.

  Args:
    values: [D, K] by title.
    rows: names of the D rows.
    columns: names of the K columns.
    title: above all.

  Returns:
    The figure.
  """
  drawing = figure.Figure(
    figsize=(1.6 + 1.9 * len(values), 1.6 + 0.22 * len(rows)),
    layout='constrained',
  )
  grid = drawing.subplots(1, len(values), sharey=True, squeeze=False)[0]
  top = max(max(float(np.max(x)) for x in values.values()), 1e-9)
  for axes, (name, matrix) in zip(grid, values.items()):
    image = axes.imshow(matrix, cmap='viridis', vmin=0, vmax=top, aspect='auto')
    axes.set_title(name, fontsize=8)
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
  drawing.suptitle(title, fontsize=10)
  drawing.colorbar(image, ax=grid).ax.tick_params(labelsize=7)
  return drawing


def intervals(
  values: Mapping[str, tuple[float, float, float]], xlabel: str
) -> figure.Figure:
  """Draw estimates with their intervals, one below the other.

  Args:
    values: (estimate, low, high) by name.
    xlabel: of the axis that they share; zero is marked.

  Returns:
    The figure.
  """
  size = (5.6, 0.9 + 0.24 * len(values))
  axes = plots.new_axes('', xlabel, '', size)
  for y, (middle, low, high) in enumerate(values.values()):
    axes.plot([low, high], [y, y], color=plots.COLOURS[0], linewidth=1.4)
    axes.plot([middle], [y], 'o', color=plots.COLOURS[0], markersize=4)
  axes.axvline(0, color='#667085', linewidth=0.8)
  axes.set_yticks(range(len(values)), list(values), fontsize=8)
  axes.invert_yaxis()
  return axes.figure


def means(
  groups: Mapping[str, tuple[Any, Any]], xlabel: str, ylabel: str
) -> figure.Figure:
  """Draw the points of many groups, and the name of each at its mean.

  Args:
    groups: (x [N], y [N]) by name.
    xlabel: of the horizontal axis.
    ylabel: of the vertical axis.

  Returns:
    The figure.
  """
  axes = plots.new_axes('', xlabel, ylabel, (7.0, 4.6))
  for (name, (x, y)), colour in zip(
    groups.items(), plots.COLOURS * len(groups)
  ):
    axes.scatter(x, y, s=10, color=colour, alpha=0.35, linewidths=0)
    at = float(np.mean(x)), float(np.mean(y))
    axes.plot(*at, 'o', color=colour, markersize=5)
    axes.annotate(
      name,
      at,
      xytext=(4, 3),
      textcoords='offset points',
      fontsize=7,
      color=colour,
    )
  return axes.figure
