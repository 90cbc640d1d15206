r"""Does DARTS drift to skip connections on NAS-Bench-201, and who notices?

  python -m experiments.darts_nasbench201 --workdir=runs/drift \
      --output=docs/studies/darts_nasbench201

Runs `configs/darts_nasbench201.py` on digits and on CIFAR-10 images, in first
and second order, or continues what was stopped. Then it reads the run folders:
shares of skip connections, the curvature, where the stop rule would have gone
back to, and the accuracy of the cells in the table. `$NASJAX_DATA_DIR` holds
images and table. `--analyse` only reads.
"""

from collections.abc import Sequence
import csv
import itertools
import pathlib
from typing import Any, NamedTuple

from absl import app, flags
import numpy as np

from configs import darts_nasbench201
from nasjax import experiment, searches, spaces
from nasjax.data import tabular

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the runs.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder of figures and numbers.')
_ANALYSE = flags.DEFINE_bool('analyse', False, 'Read runs that are finished.')
flags.mark_flags_as_required(['workdir', 'output'])

# The option of the config, and the seeds of its runs of several searches each.
_DATA = {'digits': ('', (0,)), 'cifar10': ('cifar10', (0,))}
_ORDERS = {'first order': 'first_order', 'second order': 'exact'}
_OPERATIONS = spaces.nasbench201.OPERATIONS
_NONE = _OPERATIONS.index('none')
_SKIP = _OPERATIONS.index('skip_connect')
_POOL = _OPERATIONS.index('avg_pool_3x3')
_COLUMNS = ('e200_cifar10_test', 'e12_cifar10_valid')
# Strongest of all five operations, and other than none (DARTS, section 2.4).
_RULES = ('any operation', 'no none')


class Record(NamedTuple):
  """What a run of S seeds and E epochs has left in its folder."""

  weights: np.ndarray  # [E + 1, S, 6, 5] softmax of alpha
  eigenvalue: np.ndarray  # [E, S]
  metrics: dict[str, np.ndarray]  # of [E, S]
  seconds: float  # of an epoch of one run, the median


def run_all(workdir: pathlib.Path) -> None:
  """Run or continue all jobs."""
  for name, (option, seeds) in _DATA.items():
    for seed, order in itertools.product(seeds, _ORDERS.values()):
      config = darts_nasbench201.get_config(option)
      config.seed = seed
      config.search.search.hypergradient.name = (
        f'searches.hypergradients.{order}'
      )
      experiment.run(config, workdir / f'{name}_{order}_{seed}')


def read(workdir: pathlib.Path, name: str, order: str) -> Record:
  """Return the record of all seeds of a data set and an order."""
  parts = [
    _read(workdir / f'{name}_{_ORDERS[order]}_{seed}')
    for seed in _DATA[name][1]
  ]
  join = lambda *x: np.concatenate(x, axis=1)
  return Record(
    join(*(part.weights for part in parts)),
    join(*(part.eigenvalue for part in parts)),
    {
      key: join(*(part.metrics[key] for part in parts))
      for key in parts[0].metrics
    },
    float(np.median([part.seconds for part in parts])),
  )


def _read(folder):
  """Return the record of one run."""
  folder = folder / 'search'
  snapshots = experiment.metrics.read(folder / 'snapshots.jsonl')
  _, alpha = experiment.metrics.column(snapshots, 'op')
  weights = np.exp(alpha - alpha.max(-1, keepdims=True))
  rows = experiment.metrics.read(folder / 'metrics.jsonl')
  metrics = {
    name: experiment.metrics.column(rows, name)[1]
    for name in (
      'dominant_eigenvalue',
      'monitor_loss',
      'train_loss',
      'valid_loss',
      'valid_accuracy',
    )
  }
  timings = experiment.metrics.read(folder / 'timings.jsonl')
  return Record(
    weights / weights.sum(-1, keepdims=True),
    metrics.pop('dominant_eigenvalue'),
    metrics,
    float(np.median([row['seconds'] / row['num_updates'] for row in timings])),
  )


def derive(weights: np.ndarray) -> dict[str, np.ndarray]:
  """Return the cells of mixtures, by rule: i[..., 6] from f[..., 6, 5]."""
  without_none = weights.copy()
  without_none[..., _NONE] = -1
  return dict(zip(_RULES, (weights.argmax(-1), without_none.argmax(-1))))


def skips(weights: np.ndarray, rule: str = _RULES[1]) -> np.ndarray:
  """Return the share of skip connections among the edges of the cells."""
  return (derive(weights)[rule] == _SKIP).mean(-1)


def pools(weights: np.ndarray) -> np.ndarray:
  """Return the share of average pools among the edges of the cells."""
  return (derive(weights)[_RULES[1]] == _POOL).mean(-1)


def look_up(cells: np.ndarray, values: np.ndarray) -> np.ndarray:
  """Return the table's value of cells, f[...] from i[..., 6]."""
  return values[cells @ len(_OPERATIONS) ** np.arange(5, -1, -1)]


def stops(record: Record) -> list[searches.monitors.Stop]:
  """Return the decision of the stop rule for every seed."""
  return [searches.monitors.early_stop(x) for x in record.eigenvalue.T]


def _spread(values):
  """Mean, standard deviation over seeds and n, as text."""
  return f'{np.mean(values):.2f} +- {np.std(values, ddof=1):.2f}'


def summary(
  records: dict[tuple[str, str], Record], table: dict[str, np.ndarray]
) -> str:
  """Return the tables of the study as text.

  Args:
    records: by data set and order.
    table: columns in the order of the space.

  Returns:
    One table of curvature and stops, one of accuracies.
  """
  curvature, accuracy = [], []
  for (name, order), record in records.items():
    decisions = stops(record)
    last = np.arange(record.weights.shape[1])
    # After epoch e, counted from 0, snapshot e + 1 is taken.
    stopped = np.array([int(stop.epoch) + 1 for stop in decisions])
    for seed, stop in enumerate(decisions):
      eigenvalue = record.eigenvalue[:, seed]
      skip = skips(record.weights[:, seed])
      curvature.append(
        [
          name,
          order,
          seed,
          eigenvalue[0],
          eigenvalue.max(),
          int(eigenvalue.argmax()),
          eigenvalue[-1],
          int(stop.detected) if stop.stopped else 'never',
          int(stop.epoch),
          skip[stopped[seed]],
          skip[-1],
          skips(record.weights[-1, seed], _RULES[0]),
          pools(record.weights[-1, seed]),
        ]
      )
    for when, weights in (
      ('last', record.weights[-1]),
      ('stop rule', record.weights[stopped, last]),
    ):
      for rule, cells in derive(weights).items():
        accuracy.append(
          [name, order, when, rule, len(cells)]
          + [_spread(look_up(cells, table[column])) for column in _COLUMNS]
        )
  ops = np.stack(np.meshgrid(*[range(5)] * 6, indexing='ij'), -1).reshape(-1, 6)
  for rule, cells in (
    (_RULES[0], ops),
    (_RULES[1], ops[(ops != _NONE).all(1)]),
  ):
    accuracy.append(
      ['all cells', '', '', rule, len(cells)]
      + [_spread(look_up(cells, table[column])) for column in _COLUMNS]
    )
  return (
    experiment.results.grid(
      (
        'data',
        'order',
        'seed',
        'first',
        'largest',
        'at epoch',
        'last',
        'fires at',
        'returns',
        'skips there',
        'skips last',
        'with none',
        'pools',
      ),
      curvature,
    )
    + '\n\n'
    + experiment.results.grid(
      ('data', 'order', 'cell of', 'rule', 'n', *_COLUMNS), accuracy
    )
  )


def draw(
  name: str, records: dict[str, Record], values: np.ndarray
) -> dict[str, Any]:
  """Return the figures of a data set, records by order, by file name."""
  lines = {
    label: {}
    for label in (
      'skips in the cell',
      'weight of skip',
      'pools in the cell',
      'largest eigenvalue',
      'test accuracy (table)',
    )
  }
  figures = {}
  for order, record in records.items():
    epochs = np.arange(len(record.weights))
    cells = derive(record.weights)[_RULES[1]]
    for panel, y in zip(
      lines,
      (
        skips(record.weights),
        record.weights[..., _SKIP].mean(-1),
        pools(record.weights),
        record.eigenvalue,
        look_up(cells, values),
      ),
    ):
      lines[panel][order] = epochs[-len(y) :], y
    mixture = record.weights.mean(2)
    figures[f'{name}_{_ORDERS[order]}_weights'] = experiment.plots.panels(
      {
        'mean weight over edges': {
          op: (epochs, mixture[..., i]) for i, op in enumerate(_OPERATIONS)
        }
      },
      'epochs done',
      f'{name}, {order}',
    )
  figures[name] = experiment.plots.panels(lines, 'epochs done', name)
  return figures


def write_curves(path: pathlib.Path, records: dict[Any, Record]) -> None:
  """Write one row for every epoch of every seed."""
  with open(path, 'w', newline='') as file:
    writer = csv.writer(file)
    first = next(iter(records.values()))
    writer.writerow(
      (
        'data',
        'order',
        'seed',
        'epochs_done',
        'skips',
        'skips_with_none',
        *(f'weight_{op}' for op in _OPERATIONS),
        'dominant_eigenvalue',
        *first.metrics,
      )
    )
    for (name, order), record in records.items():
      for step, seed in np.ndindex(record.weights.shape[:2]):
        weights = record.weights[step, seed]
        row = [skips(weights), skips(weights, _RULES[0]), *weights.mean(0)]
        if step:
          row += [record.eigenvalue[step - 1, seed]] + [
            x[step - 1, seed] for x in record.metrics.values()
          ]
        writer.writerow(
          [name, order, seed, step] + [f'{value:.5g}' for value in row]
        )


def main(argv: Sequence[str]) -> None:
  """Run what is missing, then write figures and numbers.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  workdir, output = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUTPUT.value)
  with experiment.launch.clear_errors():
    experiment.launch.set_up_jax()
    nasbench = tabular.load_nasbench201()
    if not _ANALYSE.value:
      run_all(workdir)
  table = {
    column: tabular.values_by_index(nasbench, column) for column in _COLUMNS
  }
  records = {
    (name, order): read(workdir, name, order)
    for name, order in itertools.product(_DATA, _ORDERS)
  }
  output.mkdir(parents=True, exist_ok=True)
  text = summary(records, table)
  seconds = '\n'.join(
    f'{name}, {order}: {record.seconds:.2f} s an epoch'
    for (name, order), record in records.items()
  )
  (output / 'summary.txt').write_text(f'{text}\n\n{seconds}\n')
  print(f'{text}\n\n{seconds}')
  write_curves(output / 'curves.csv', records)
  for name in _DATA:
    figures = draw(
      name, {o: records[name, o] for o in _ORDERS}, table[_COLUMNS[0]]
    )
    for file, picture in figures.items():
      (output / f'{file}.png').write_bytes(
        experiment.plots.png(picture, dots_per_inch=90)
      )


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
