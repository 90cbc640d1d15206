r"""What is lost where the mixtures of a search become an architecture?

  python -m experiments.discretisation --runs=runs/prime_darts,runs/prime \
      --output=runs/mixtures.png

Reads finished searches by mixtures of operations in the cells of DARTS
(`nasjax.searches.bilevel`), such as those of `configs/darts_prime_digits.py`.
For the seeds of each it prints, as means and standard deviations: how far
mixtures are from the architecture that is derived from them, |a - z| of
DARTS-PRIME; the accuracy of the supernet on all validation images, with the
mixtures and with nothing but the derived architecture, its weights as they are;
and, of the derived networks trained from scratch, weights and test accuracy,
beside the random ones. Drawn are the mixtures of the first seed, of the normal
cell, with a mark where the architecture has an operation.
"""

from collections.abc import Sequence
import csv
import pathlib
from typing import Any

from absl import app, flags
import numpy as np

from nasjax import experiment
from nasjax.experiment import discretisation, metrics, plots, results
from nasjax.experiment import job as job_lib

_RUNS = flags.DEFINE_list('runs', None, 'Folders of finished searches.')
_OUTPUT = flags.DEFINE_string('output', None, 'File of the figure, or none.')
flags.mark_flags_as_required(['runs'])

_HEADER = (
  *('', 'seeds', 'gap', 'mixture, %', 'derived, %', 'drop'),
  *('weights', 'trained, %', 'minus random'),
)


def _of_networks(path):
  """Weights and accuracies in percent, by the name of a group."""
  groups = {}
  with path.open() as file:
    for row in csv.DictReader(file):
      numbers = float(row['params']), 100 * float(row['test_accuracy'])
      groups.setdefault(row['name'], []).append(numbers)
  return {name: np.array(rows).T for name, rows in groups.items()}


def read(workdir: pathlib.Path) -> dict[str, Any]:
  """Return `losses_of_decision` of a finished run of several seeds.

  Args:
    workdir: of the run.
  """
  config = metrics.read_json(workdir / 'config.json')
  job = experiment.prepare(config, workdir)
  return discretisation.losses_of_decision(job, job_lib.final_state(job))


def line(workdir: pathlib.Path, of: dict[str, Any]) -> list[str]:
  """Return a line of the table.

  Args:
    workdir: of the run.
    of: from `read`.
  """
  drop = of['mixture'] - of['derived']
  networks = _of_networks(workdir / 'results.csv')
  weights, trained = networks['found']

  def show(values, digits):
    mean, std = metrics.mean_and_std(values, ddof=1)
    return f'{mean:,.{digits}f} ± {std:,.{digits}f}'

  found = results.difference(trained, networks['random'][1])
  return [
    *(workdir.name, str(len(trained)), show(of['gap'], 2)),
    *(show(values, 1) for values in (of['mixture'], of['derived'], drop)),
    *(show(weights, 0), show(trained, 2)),
    '{difference:+.2f} ({low:+.2f} to {high:+.2f})'.format(**found),
  ]


def draw(found: dict[str, dict[str, Any]]) -> Any:
  """Draw normal cells of the first seeds: edges below each other, by operation.

  Args:
    found: from `read`, by the name of the run.
  """
  from matplotlib import figure

  drawing = figure.Figure(figsize=(1.9 * len(found), 3.6), layout='constrained')
  all_axes = drawing.subplots(1, len(found), sharey=True, squeeze=False)[0]
  for axes, (name, of) in zip(all_axes, found.items()):
    mixture, matrix = (of[key]['normal'][0] for key in ('weights', 'matrices'))
    axes.imshow(mixture, cmap='viridis', vmin=0, aspect='auto')
    edges, operations = np.nonzero(matrix)
    axes.plot(operations, edges, 'r.', markersize=5)
    axes.set_title(name.replace('+', '+\n'), fontsize=8)
    axes.set_xlabel(f'operation, up to {mixture.max():.2f}', fontsize=8)
    axes.tick_params(labelsize=7)
  all_axes[0].set_ylabel('edge', fontsize=8)
  return drawing


def main(argv: Sequence[str]) -> None:
  """Print the table, draw the figure.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  with experiment.launch.clear_errors():
    experiment.launch.set_up_jax()
    workdirs = [pathlib.Path(workdir) for workdir in _RUNS.value]
    found = {workdir: read(workdir) for workdir in workdirs}
    print(results.grid(_HEADER, [line(*item) for item in found.items()]))
    if _OUTPUT.value is not None:
      drawing = draw({path.name: of for path, of in found.items()})
      pathlib.Path(_OUTPUT.value).write_bytes(plots.png(drawing))


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
