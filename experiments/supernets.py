r"""How well supernets rank cells: published estimates, or our own.

  python -m experiments.supernets
  python -m experiments.supernets --workdir=runs/supernets

Without a folder: the estimates of the authors of Few-shot NAS for all cells of
NAS-Bench-201, in the table under `$NASJAX_DATA_DIR`, against its accuracies, in
all and by the operation of the first edge, which splits their space; the best
accuracy among the first K by an estimate; and how many evaluations evolution by
an estimate takes to ask for a cell that good. With one:
the same for the runs in a folder of `configs/score_supernets.py`: mean and
standard deviation, and the differences of paired runs with a 95 % interval of
t, beside the number of weights. Then, for each kind, the mean accuracy of all
cells by run, and how runs agree: mean tau of their pairs.
"""

from collections.abc import Sequence
import itertools
import pathlib

from absl import app, flags
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from nasjax import experiment
from nasjax import keys as keys_lib
from nasjax.data import tabular
from nasjax.experiment import correlation
from nasjax.spaces import nasbench201
from nasjax.strategies import evolution

_WORKDIR = flags.DEFINE_string('workdir', None, 'A folder of scores.')
_KINDS = ('one_shot', 'few_shot')
_TRUTH = 'e200_cifar10_test'
_PUBLISHED = ('oneshot_supernet_acc', 'fewshot_supernet_acc')
_FIRST = (10, 100, 1000)  # cells by an estimate
_GOOD = (93.5, 94.0, 94.37)  # accuracies; two cells have the last, the best
_SEEDS = 50  # of evolution


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


def first(table: tabular.NasBench201) -> list[tuple]:
  """Return the best accuracies among the first cells by published estimates.

  Args:
    table: of the benchmark.

  Returns:
    Rows of a number K of cells, and the best accuracy among the K of one-shot
    and of few-shot estimates.
  """
  truth = table.columns[_TRUTH]
  orders = [
    np.argsort(-table.columns[name], kind='stable') for name in _PUBLISHED
  ]
  return [(k, *(float(truth[o[:k]].max()) for o in orders)) for k in _FIRST]


def evaluations(
  values: np.ndarray, truth: np.ndarray, num_seeds: int = _SEEDS
) -> np.ndarray:
  """Return when evolution by an estimate has asked for cells that are good.

  Population 10, tournaments of 20, as in the authors' program, of as many
  evaluations as there are cells.

  Args:
    values: the estimate, in the order of the space.
    truth: accuracy, likewise.
    num_seeds: S.

  Returns:
    `f64[S, len(_GOOD)]` evaluations until the first such cell; infinite where
    there was none.
  """
  strategy = evolution.regularized_evolution(nasbench201.nasbench201(), 10, 20)
  values = jnp.asarray(values)

  def step(state, key):
    ask_key, tell_key = jax.random.split(key)
    proposal, state = strategy.ask(ask_key, state)
    row = jax.vmap(nasbench201.cell_index)(proposal.archs)
    state, _ = strategy.tell(tell_key, state, proposal, values[row])
    return state, row[0]

  def run(key):
    init_key, key = jax.random.split(key)
    keys = jax.random.split(key, len(values))
    return jax.lax.scan(step, strategy.init(init_key), keys)[1]

  seeds = keys_lib.unrolled(jax.random.split(jax.random.key(0), num_seeds))
  asked = truth[np.asarray(jax.jit(jax.vmap(run))(seeds))]
  good = asked[..., None] >= np.array(_GOOD, np.float32)
  return np.where(good.any(1), 1 + good.argmax(1), np.inf)


def evolved(table: tabular.NasBench201) -> list[tuple]:
  """Return how soon evolution by the truth and by estimates finds good cells.

  Args:
    table: of the benchmark.

  Returns:
    Rows of a name, and for each of `_GOOD` mean and median of the evaluations;
    then how many seeds have found one of the best.
  """
  truth, rows = tabular.values_by_index(table, _TRUTH), []
  for name in (_TRUTH, *_PUBLISHED):
    found = evaluations(tabular.values_by_index(table, name), truth)
    numbers = np.stack([found.mean(0), np.median(found, 0)], axis=1)
    num_best = int(np.isfinite(found[:, -1]).sum())
    rows.append((name, *map(float, numbers.ravel()), num_best))
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
  del argv  # `launch.parse_flags` lets nothing through.
  with experiment.launch.clear_errors():
    if _WORKDIR.value is None:
      header = ('cells', 'number', 'one-shot tau', 'rho', 'few-shot tau', 'rho')
      table = tabular.load_nasbench201()
      _print(header, published(table))
      print()
      _print(('first', 'one-shot best', 'few-shot best'), first(table))
      print()
      header = [
        f'{name} {good}' for good in _GOOD for name in ('mean', 'median')
      ]
      _print(('evolution by', *header, f'of {_SEEDS}'), evolved(table))
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
