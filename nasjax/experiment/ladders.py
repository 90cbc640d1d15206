"""Children of a supernet from the smallest to the biggest, over several seeds.

What a seed has measured is a dict of columns `[N + 1]`: N rungs of a ladder, by
rising cost, the same for all seeds, and the child that was selected, which may
be another one for each. `arch` is a list of architectures, all others are
numbers, accuracies between 0 and 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from nasjax.experiment import metrics

Columns = Mapping[str, Any]


def table(of_seeds: Sequence[Columns]) -> list[dict[str, Any]]:
  """Return a row a child: means of all columns, and their deviations.

  Args:
    of_seeds: columns of each seed.

  Returns:
    Dicts of each column, of `<column>_std`, and of `arch` as text, 'selected'
    in the last.
  """
  first, rows = of_seeds[0], []
  for i, arch in enumerate(first['arch']):
    row = {}
    for name in [key for key in first if key != 'arch']:
      values = [of[name][i] for of in of_seeds]
      row[name], row[f'{name}_std'] = metrics.mean_and_std(values, ddof=1)
    is_rung = i + 1 < len(first['arch'])
    rows.append(row | {'arch': str(arch) if is_rung else 'selected'})
  return rows


def differences(
  of_seeds: Sequence[Columns], names: Sequence[str]
) -> list[list[str]]:
  """Return by how many percent columns differ from the first, by the seeds.

  Args:
    of_seeds: columns of each seed.
    names: of columns; the first is the one that others are compared with.

  Returns:
    A line for each of the others: its name, and for the smallest child, the
    biggest, the mean of the ladder and the selected child the mean difference
    and half of its 95 % interval (of t, paired by seeds).
  """
  reference, *others = names
  num, lines = len(of_seeds), []
  width = stats.t.ppf(0.975, num - 1) / num**0.5 if num > 1 else np.nan
  for name in others:
    gaps = 100 * np.array([of[name] - of[reference] for of in of_seeds])
    line = [name]
    for values in (gaps[:, 0], gaps[:, -2], gaps[:, :-1].mean(1), gaps[:, -1]):
      mean, std = metrics.mean_and_std(values, ddof=1)
      line.append(f'{mean:.2f} +- {width * std:.2f}')
    lines.append(line)
  return lines
