r"""How well supernets rank cells: published estimates, or our own.

  python -m experiments.supernets
  python -m experiments.supernets --workdir=runs/supernets

Without a folder: the estimates of the authors of Few-shot NAS for all cells of
NAS-Bench-201, in the table under `$NASJAX_DATA_DIR`, against its accuracies, in
all and by the operation of the first edge, which splits their space. With one:
the runs in a folder of `configs/score_supernets.py`, their mean, standard
deviation, and the differences of paired runs with a 95 % interval of t.
"""

from collections.abc import Sequence
import pathlib

from absl import app, flags
import numpy as np
from scipy import stats

from nasjax import experiment
from nasjax.data import tabular
from nasjax.experiment import correlation

_WORKDIR = flags.DEFINE_string('workdir', None, 'A folder of scores.')
_KINDS = ('one_shot', 'few_shot')
_TRUTH = 'e200_cifar10_test'
_PUBLISHED = ('oneshot_supernet_acc', 'fewshot_supernet_acc')


def published(table: tabular.NasBench201) -> list[tuple]:
  """Return how published estimates rank the cells of NAS-Bench-201.

  Args:
    table: of the benchmark.

  Returns:
    Rows of a name, a number of cells, and tau and rho of one-shot and of
    few-shot estimates, all cells first, then those of each first operation.
  """
  everything = np.ones(tabular.NUM_CELLS, bool)
  populations = {'all': everything} | {
    name: table.ops[:, 0] == k for k, name in enumerate(tabular.OPERATIONS)
  }
  rows = []
  for name, chosen in populations.items():
    numbers = []
    for column in _PUBLISHED:
      found = correlation.measure(
        table.columns[column][chosen], table.columns[_TRUTH][chosen]
      )
      numbers += [found['tau'], found['rho']]
    rows.append((name, int(chosen.sum()), *numbers))
  return rows


def ours(workdir: pathlib.Path) -> list[tuple]:
  """Return how the supernets of a folder rank its cells.

  Args:
    workdir: of `experiments.score`.

  Returns:
    Rows of a name, and mean and standard deviation of tau and of rho; last the
    difference of the kinds, with half the width of its interval.

  Raises:
    ValueError: if the folder has no such scores, or one run of each.
  """
  path = workdir / 'scores.npz'
  if not path.is_file():
    raise ValueError(f'{workdir} holds no scores.npz of experiments.score.')
  with np.load(path, allow_pickle=False) as file:
    columns = {name: file[name] for name in file.files}
  found = {
    kind: [
      correlation.measure(columns[name], columns['accuracy'])
      for name in sorted(columns)
      if name.startswith(f'{kind}_') and name.endswith('_score')
    ]
    for kind in _KINDS
  }
  if min(map(len, found.values())) < 2:
    raise ValueError(f'{path} needs two runs of {" and ".join(_KINDS)}.')
  size = correlation.measure(columns['params'], columns['accuracy'])
  rows = [('params', size['tau'], 0.0, size['rho'], 0.0)]
  values = {
    kind: np.array([[run['tau'], run['rho']] for run in runs])
    for kind, runs in found.items()
  }
  for kind, of_kind in values.items():
    (tau, rho), (tau_std, rho_std) = of_kind.mean(0), of_kind.std(0, ddof=1)
    rows.append((kind, tau, tau_std, rho, rho_std))
  gaps = values['few_shot'] - values['one_shot']
  half = stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
  rows.append(
    ('difference', gaps[:, 0].mean(), half[0], gaps[:, 1].mean(), half[1])
  )
  return rows


def main(argv: Sequence[str]) -> None:
  """Print the table.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  if len(argv) > 1:
    raise app.UsageError(f'Unexpected arguments: {" ".join(argv[1:])}.')
  with experiment.launch.clear_errors():
    if _WORKDIR.value is None:
      header = ('cells', 'number', 'one-shot tau', 'rho', 'few-shot tau', 'rho')
      rows = published(tabular.load_nasbench201())
    else:
      header = ('score', 'tau', '+-', 'rho', '+-')
      rows = ours(pathlib.Path(_WORKDIR.value))
  for row in (header, *rows):
    cells = [f'{x:.3f}' if isinstance(x, float) else str(x) for x in row]
    print('  '.join(cell.ljust(13) for cell in cells).rstrip())


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
