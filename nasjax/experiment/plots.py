"""The plots of a report: curves, heat maps over time, scatter.

Every function returns a figure of its own; nothing depends on a display or on
matplotlib's global state.
"""

from collections.abc import Mapping, Sequence
import io
import itertools
from typing import Any

from matplotlib import figure
import numpy as np

from nasjax.experiment import metrics

COLOURS = ('#2f6db3', '#c2543a', '#3d8b57', '#8a5aa8', '#b8860b', '#4a9aa5')


def png(drawing: figure.Figure, dots_per_inch: int = 110) -> bytes:
  """Return a figure as the bytes of a PNG file.

  Args:
    drawing: the figure.
    dots_per_inch: resolution.

  Returns:
    The file.
  """
  buffer = io.BytesIO()
  drawing.savefig(
    buffer,
    format='png',
    dpi=dots_per_inch,
    bbox_inches='tight',
    facecolor='white',
  )
  return buffer.getvalue()


def new_axes(
  title: str,
  xlabel: str,
  ylabel: str,
  size: tuple[float, float] = (5.6, 3.2),
) -> Any:
  """Return the axes of a new figure; size in inches."""
  axes = figure.Figure(figsize=size, layout='constrained').subplots()
  return _style(axes, title, xlabel, ylabel)


def _style(axes, title, xlabel, ylabel):
  axes.set_title(title, fontsize=10)
  axes.set_xlabel(xlabel, fontsize=8)
  axes.set_ylabel(ylabel, fontsize=8)
  axes.tick_params(labelsize=8)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(alpha=0.25, linewidth=0.6)
  return axes


def curves(
  rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str = ''
) -> figure.Figure:
  """Draw metrics over steps; of several seeds the mean and one deviation.

  Args:
    rows: of metrics.jsonl.
    names: metrics that share a unit, numbers or [S].
    title: above the plot.

  Returns:
    The figure.
  """
  axes = new_axes(title, 'step', '')
  for name, colour in zip(names, COLOURS * len(names)):
    steps, value = metrics.column(rows, name)
    value = np.where(np.isfinite(value), value, np.nan)
    value = value.reshape(len(value), -1)
    counts = np.maximum(np.isfinite(value).sum(1), 1)
    mean = np.nansum(value, 1) / counts
    spread = np.sqrt(np.nansum((value - mean[:, None]) ** 2, 1) / counts)
    mean = np.where(np.isfinite(value).any(1), mean, np.nan)
    axes.plot(steps, mean, color=colour, linewidth=1.4, label=name)
    if value.shape[1] > 1:
      axes.fill_between(
        steps,
        mean - spread,
        mean + spread,
        color=colour,
        alpha=0.18,
        linewidth=0,
      )
  axes.legend(fontsize=8, frameon=False)
  return axes.figure


def heat_map(
  steps: Any, values: Any, title: str = '', labels: Sequence[str] = ()
) -> figure.Figure:
  """Draw how the weights of choices change over a search.

  Args:
    steps: [T].
    values: [T, D, K], one row of the map for each of D * K; rows that do not
      sum to one over K are shown as their softmax.
    title: above the plot.
    labels: names of the K options.

  Returns:
    The figure.
  """
  values = np.asarray(values, float)
  if not (np.allclose(values.sum(-1), 1, atol=1e-3) and values.min() >= 0):
    values = np.exp(values - values.max(-1, keepdims=True))
    values = values / values.sum(-1, keepdims=True)
  num_steps, num_decisions, num_options = values.shape
  rows = values.reshape(num_steps, -1).T
  axes = new_axes(
    title, 'step', 'decision', (5.6, min(12, 1.2 + 0.11 * len(rows)))
  )
  image = axes.pcolormesh(
    np.arange(num_steps + 1),
    np.arange(len(rows) + 1),
    rows,
    cmap='viridis',
    vmin=0,
    vmax=max(float(rows.max()), 1e-9),
    rasterized=True,
  )
  axes.invert_yaxis()
  axes.hlines(
    np.arange(1, num_decisions) * num_options,
    0,
    num_steps,
    color='white',
    linewidth=0.8,
  )
  shown = np.unique(
    np.linspace(0, num_steps - 1, min(6, num_steps)).astype(int)
  )
  axes.set_xticks(shown + 0.5, [str(int(np.asarray(steps)[i])) for i in shown])
  axes.set_yticks(
    (np.arange(num_decisions) + 0.5) * num_options,
    [str(i) for i in range(num_decisions)],
  )
  if len(labels) == num_options and num_decisions == 1:
    axes.set_yticks(np.arange(num_options) + 0.5, labels)
  axes.figure.colorbar(image, ax=axes).ax.tick_params(labelsize=7)
  return axes.figure


def scatter(
  groups: Mapping[str, tuple[Any, Any]], xlabel: str, ylabel: str
) -> figure.Figure:
  """Draw groups of points, such as accuracy over parameters.

  Args:
    groups: (x [N], y [N]) by name; each has a colour and a marker of its own.
    xlabel: of the horizontal axis.
    ylabel: of the vertical axis.

  Returns:
    The figure.
  """
  axes = new_axes('', xlabel, ylabel)
  styles = itertools.cycle(itertools.product('o^s', COLOURS))
  for (name, xy), (marker, colour) in zip(groups.items(), styles):
    style = dict(marker=marker, color=colour, alpha=0.75, linewidths=0)
    axes.scatter(*xy, s=22, label=name, **style)
  axes.legend(fontsize=8, frameon=False)
  return axes.figure


def panels(
  values: Mapping[str, Mapping[str, tuple[Any, Any]]],
  xlabel: str,
  title: str = '',
) -> figure.Figure:
  """Draw quantities of different units above each other, over one axis.

  Args:
    values: of each panel, by its label, the lines by name: (x [T], y [T, S]),
      of which the mean over S and one standard deviation are drawn.
    xlabel: of the axis that all panels share.
    title: above the first panel.

  Returns:
    The figure. A name has the same colour in all panels.
  """
  drawing = figure.Figure(
    figsize=(5.6, 0.6 + 1.7 * len(values)), layout='constrained'
  )
  rows = drawing.subplots(len(values), sharex=True, squeeze=False)[:, 0]
  names = list(dict.fromkeys(n for lines in values.values() for n in lines))
  colours = dict(zip(names, COLOURS * len(names)))
  for axes, (ylabel, lines) in zip(rows, values.items()):
    _style(axes, '', '', ylabel)
    for name, (x, y) in lines.items():
      mean, spread = np.mean(y, -1), np.std(y, -1)
      axes.plot(x, mean, color=colours[name], linewidth=1.4, label=name)
      axes.fill_between(
        x,
        mean - spread,
        mean + spread,
        alpha=0.18,
        color=colours[name],
        linewidth=0,
      )
  rows[0].set_title(title, fontsize=10)
  rows[0].legend(fontsize=8, frameon=False)
  rows[-1].set_xlabel(xlabel, fontsize=8)
  return drawing


def scatter_panels(
  panels: Mapping[str, tuple[Any, Any]],
  xlabel: str,
  ylabel: str,
  num_columns: int = 4,
) -> figure.Figure:
  """Draw small multiples of points that share both axes.

  Args:
    panels: (x [N], y [N]) by title.
    xlabel: of the horizontal axes.
    ylabel: of the vertical axes.
    num_columns: panels in a row.

  Returns:
    The figure.
  """
  num_columns = min(num_columns, len(panels))
  num_rows = -(-len(panels) // num_columns)
  drawing = figure.Figure(
    figsize=(2.5 * num_columns, 0.3 + 2.1 * num_rows), layout='constrained'
  )
  grid = drawing.subplots(
    num_rows, num_columns, sharex=True, sharey=True, squeeze=False
  ).ravel()
  for axes, (title, (x, y)) in zip(grid, panels.items()):
    _style(axes, title, '', '')
    size = np.clip(2000 / max(len(x), 1), 3, 14)
    axes.scatter(x, y, s=size, color=COLOURS[0], alpha=0.4, linewidths=0)
  for axes in grid[len(panels) :]:
    axes.set_visible(False)
  drawing.supxlabel(xlabel, fontsize=8)
  drawing.supylabel(ylabel, fontsize=8)
  return drawing
