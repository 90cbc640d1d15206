"""What the search of a method has left in its folder, for a comparison."""

from collections.abc import Mapping
import math
import pathlib
from typing import Any, NamedTuple

import numpy as np

from nasjax.experiment import metrics
from nasjax.spaces import cell_statistics, separate_cells

_LAST = 8  # the supernet is judged by this part of a search
_SUPERNET = ('train_accuracy', 'valid_accuracy')
_KINDS = ('all', 'normal', 'reduce')


class Record(NamedTuple):
  """The searches of a method."""

  steps: np.ndarray  # [T] of the snapshots
  weights: np.ndarray  # f[T, S, G, E, K] of operations
  shares: dict[str, np.ndarray]  # f[T, S] of skip connections, by kind of cell
  numbers: dict[str, float]  # of the tables


def _layers(snapshot, num_cells):
  """Weights `[T, S, G, E, K]` from the leaves of snapshots."""
  if 'cells' in snapshot:
    return snapshot['cells']
  kinds = separate_cells.kinds(num_cells)
  return np.stack([snapshot[kind] for kind in kinds], axis=-3)


def weights(
  directory: pathlib.Path, num_seeds: int, num_cells: int
) -> tuple[np.ndarray, np.ndarray]:
  """Return how strongly a method weighed every operation over its search.

  Args:
    directory: of the method.
    num_seeds: S.
    num_cells: G, of the networks that are compared.

  Returns:
    Steps `[T]` and `f[T, S, G, E, K]`.
  """
  rows = metrics.read(directory / 'search' / 'snapshots.jsonl')
  leaves = {
    name: metrics.column(rows, name)[1] for name in rows[-1] if name != 'step'
  }
  if num_seeds == 1:
    leaves = {name: leaf[:, None] for name, leaf in leaves.items()}
  steps = np.asarray([row['step'] for row in rows])
  return steps, _layers(leaves, num_cells)


def shares(weights: np.ndarray, skip: int) -> dict[str, np.ndarray]:
  """Return the share of skip connections, in all cells and in each kind.

  Args:
    weights: `f[..., G, E, K]`.
    skip: their number among the operations.

  Returns:
    `f[...]` by name.
  """
  kinds = np.array(separate_cells.kinds(weights.shape[-3]))
  chosen = {kind: kinds == kind for kind in _KINDS} | {'all': kinds != ''}
  return {
    kind: cell_statistics.share(weights[..., which, :, :], skip)
    for kind, which in chosen.items()
    if which.any()
  }


def supernet(directory: pathlib.Path) -> dict[str, list[float]]:
  """Return the accuracies of every seed in the last eighth of its search.

  They are of the mixtures or samples that the method trains, on the batches of
  the search; of one level there are no validation images.

  Args:
    directory: of the method.

  Returns:
    S numbers by name.
  """
  rows = metrics.read(directory / 'search' / 'metrics.jsonl')
  found = {}
  for name in _SUPERNET:
    _, values = metrics.column(rows, name)
    if not values.size:
      continue
    values = values.reshape(len(values), -1)
    num = max(1, math.ceil(len(values) / _LAST))
    if 'stopped' in rows[-1]:
      # Steps after the stop measure nothing: the last ones before it.
      running = metrics.column(rows, 'stopped')[1].reshape(values.shape) == 0
      values = [of[at][-num:] for of, at in zip(values.T, running.T)]
      found[name] = [float(np.mean(of)) for of in values]
    else:
      found[name] = values[-num:].mean(0).tolist()
  return found


def took(directory: pathlib.Path) -> dict[str, float]:
  """Return what the search of a method took, from the clock of its folder.

  Args:
    directory: of the method.

  Returns:
    'seconds' of all of the search; 'first_step', those until its first step was
    done, which has tracing and compilation in it.
  """
  rows = metrics.read(directory / 'search' / 'timings.jsonl')
  return {
    'seconds': float(sum(row['seconds'] for row in rows)),
    'first_step': float(rows[0]['seconds']),
  }


def read(
  directory: pathlib.Path, num_seeds: int, network: Mapping[str, Any]
) -> Record:
  """Return the record of a method.

  Args:
    directory: of the method.
    num_seeds: S.
    network: section of the networks that are compared.

  Returns:
    The record; its numbers are means over seeds.
  """
  skip = list(network['operations']).index(cell_statistics.SKIP)
  steps, weight = weights(directory, num_seeds, network['num_cells'])
  share = shares(weight, skip)
  numbers = took(directory)
  for kind, values in share.items():
    numbers[f'skip_share_{kind}'] = float(values[-1].mean())
  for name, values in supernet(directory).items():
    mean, std = metrics.mean_and_std(values, ddof=1)
    numbers |= {f'supernet_{name}': mean, f'supernet_{name}_std': std}
  return Record(steps, weight, share, numbers)
