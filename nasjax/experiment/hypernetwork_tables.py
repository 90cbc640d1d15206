"""What a study of hypernetworks has found, as tables in markdown.

Rows are dicts of `method`, `seed`, `accuracies` (one a network, in [0, 1]) and

  split        of the networks, which have predicted weights; or `EMBEDDED`:
               accuracies that were predicted from embeddings
  seed         steps of training, if the method is 'trained from ... weights'
  test, params if the method is `PROPERTY`: what accuracies became, and sizes
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

PROPERTY = 'accuracy after training'
EMBEDDED = 'embedded'
_START = 'trained from '
_PREDICTORS = {EMBEDDED: 'embeddings', 'test': 'predicted weights'}


def _interval(values, digits):
  """Return a mean and half of its 95 % interval, as Student has it."""
  if len(values) < 2:
    return f'{np.mean(values):.{digits}f}' if values else ''
  half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
  return f'{np.mean(values):.{digits}f} ± {half:.{digits}f}'


def _table(head, rows):
  rule = ['---'] * len(head)
  return '\n'.join(f'| {" | ".join(row)} |' for row in (head, rule, *rows))


def splits(
  rows: Sequence[dict[str, Any]], methods: Sequence[str], names: Sequence[str]
) -> str:
  """Return accuracies in percent, means of seeds with 95 % intervals.

  Args:
    rows: see above.
    methods: a row of the table each.
    names: of the splits.

  Returns:
    The table.
  """
  lines = []
  for method in methods:
    means = {split: [] for split in names}
    for row in rows:
      if row['method'] == method and row['split'] in means:
        means[row['split']].append(100 * np.mean(row['accuracies']))
    cells = [_interval(values, 1) for values in means.values()]
    seeds = max(map(len, means.values()))
    lines.append([method, str(seeds), *cells])
  return _table(['', 'seeds', *names], lines)


def training(rows: Sequence[dict[str, Any]]) -> str:
  """Return accuracies of networks in training with their standard errors."""
  lines = []
  for row in rows:
    if row['method'].startswith(_START):
      values = 100 * np.array(row['accuracies'])
      start = row['method'].removeprefix(_START)
      cell = f'{values.mean():.1f} ± {stats.sem(values):.1f}'
      lines.append([str(row['seed']), start, cell])
  return _table(['after steps', 'from', 'accuracy'], lines)


def properties(rows: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
  """Return how predictors order networks by their accuracy after training.

  Args:
    rows: see above.
    methods: whose predictions are compared.

  Returns:
    The table: Kendall's tau, means of seeds with 95 % intervals, on as many
    networks as the predictor has seen; first that of the number of parameters.
  """
  (truth,) = [row for row in rows if row['method'] == PROPERTY]
  found = {}

  def add(name, scores):
    size = min(len(scores), len(truth['test']))
    tau = stats.kendalltau(scores[:size], truth['test'][:size]).statistic
    found.setdefault((name, str(size)), []).append(tau)

  add('number of parameters', truth['params'])
  for row in rows:
    if row['method'] in methods and row['split'] in _PREDICTORS:
      name = f'{row["method"]}, {_PREDICTORS[row["split"]]}'
      add(name, row['accuracies'])
  lines = [
    [*name, str(len(taus)), _interval(taus, 3)] for name, taus in found.items()
  ]
  return _table(['predictor', 'networks', 'seeds', 'tau'], lines)
