r"""How well supernets rank cells: published estimates, or our own.

  python -m experiments.supernets
  python -m experiments.supernets --workdir=runs/supernets

Without a folder: the estimates of the authors of Few-shot NAS for all cells of
NAS-Bench-201, in the table under `$NASJAX_DATA_DIR`, against its accuracies, in
all and by the operation of the first edge, which splits their space. With one:
the same for the runs in a folder of `configs/score_supernets.py`: mean and
standard deviation, and the differences of paired runs with a 95 % interval of
t, beside the number of weights. Then, for each kind, the mean accuracy of all
cells by run, and how runs agree: mean tau of their pairs.
"""

from collections.abc import Sequence
import itertools
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


def populations(first_op: np.ndarray) -> dict[str, np.ndarray]:
  """Return which cells are in all, and which have each first operation.

  Args:
    first_op: operation of the first edge, `i32[N]`.

  Returns:
    `bool[N]` by name, without operations that no cell has.
  """
  parts = {
    name: first_op == k
    for k, name in enumerate(tabular.OPERATIONS)
    if np.any(first_op == k)
  }
  return {'all': np.ones(len(first_op), bool)} | parts


def published(table: tabular.NasBench201) -> list[tuple]:
  """Return how published estimates rank the cells of NAS-Bench-201.

  Args:
    table: of the benchmark.

  Returns:
    Rows of a name, a number of cells, and tau and rho of one-shot and of
    few-shot estimates, all cells first, then those of each first operation.
  """
  rows = []
  for name, chosen in populations(table.ops[:, 0]).items():
    numbers = []
    for column in _PUBLISHED:
      found = correlation.measure(
        table.columns[column][chosen], table.columns[_TRUTH][chosen]
      )
      numbers += [found['tau'], found['rho']]
    rows.append((name, int(chosen.sum()), *numbers))
  return rows


def _read(workdir):
  path = workdir / 'scores.npz'
  if not path.is_file():
    raise ValueError(f'{workdir} holds no scores.npz of experiments.score.')
  with np.load(path, allow_pickle=False) as file:
    columns = {name: file[name] for name in file.files}
  scores = {
    kind: [
      columns[name]
      for name in sorted(columns)
      if name.startswith(f'{kind}_') and name.endswith('_score')
    ]
    for kind in _KINDS
  }
  if min(map(len, scores.values())) < 2:
    raise ValueError(f'{path} needs two runs of {" and ".join(_KINDS)}.')
  return columns, scores


def ours(workdir: pathlib.Path) -> list[tuple]:
  """Return how the supernets of a folder rank its cells.

  Args:
    workdir: of `experiments.score`.

  Returns:
    Rows of a name and a number of cells, as of `published`; tau of the number
    of weights; mean and standard deviation of tau of one-shot and of few-shot
    scores; and their difference, with half the width of its interval.

  Raises:
    ValueError: if the folder has no such scores, or one run of each.
  """
  columns, scores = _read(workdir)
  rows = []
  for name, chosen in populations(columns['arch.op'][:, 0]).items():
    accuracy = columns['accuracy'][chosen]

    def tau(score, chosen=chosen, accuracy=accuracy):
      return correlation.measure(score[chosen], accuracy)['tau']

    numbers, taus = [tau(columns['params'])], []
    for kind in _KINDS:
      taus.append(np.array([tau(run) for run in scores[kind]]))
      numbers += [taus[-1].mean(), taus[-1].std(ddof=1)]
    gaps = taus[1] - taus[0]
    half = stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
    rows.append((name, int(chosen.sum()), *numbers, gaps.mean(), half))
  return rows


def agreement(workdir: pathlib.Path) -> list[tuple]:
  """Return how high the scores of a folder are, and how its runs agree.

  Args:
    workdir: of `experiments.score`.

  Returns:
    A row a kind: its name; smallest and largest mean score of a run; mean tau
    of all pairs of runs.

  Raises:
    ValueError: as `ours`.
  """
  _, scores = _read(workdir)
  rows = []
  for kind, runs in scores.items():
    means = np.mean(runs, axis=1)
    pairs = itertools.combinations(runs, 2)
    taus = [correlation.measure(a, b)['tau'] for a, b in pairs]
    rows.append((kind, *map(float, (means.min(), means.max(), np.mean(taus)))))
  return rows


def _print(header, rows):
  for row in (header, *rows):
    cells = [f'{x:.3f}' if isinstance(x, float) else str(x) for x in row]
    print('  '.join(cell.ljust(13) for cell in cells).rstrip())


def main(argv: Sequence[str]) -> None:
  """Print the tables.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  if len(argv) > 1:
    raise app.UsageError(f'Unexpected arguments: {" ".join(argv[1:])}.')
  with experiment.launch.clear_errors():
    if _WORKDIR.value is None:
      header = ('cells', 'number', 'one-shot tau', 'rho', 'few-shot tau', 'rho')
      _print(header, published(tabular.load_nasbench201()))
      return
    workdir = pathlib.Path(_WORKDIR.value)
    header = ('cells', 'number', 'weights tau')
    header += ('one-shot tau', '+-', 'few-shot tau', '+-', 'difference', '+-')
    _print(header, ours(workdir))
    print()
    header = ('runs of', 'lowest mean', 'highest mean', 'tau of pairs')
    _print(header, agreement(workdir))


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
