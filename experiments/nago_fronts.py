r"""Fronts of generators: accuracy against the weights and the memory they take.

  python -m experiments.nago_fronts --runs=runs/nago/bohb,runs/nago/parego \
      --output=docs/studies/nago

Reads finished searches of `configs/nago_digits.py` on the same data, and counts
for all generators that were trained in full what their networks take. Written
are the fronts of all seeds of a run, as a table and a figure; printed are
hypervolumes, seed by seed, in percent of the best there can be: no error, at no
cost, measured from no accuracy at the cost of the largest generator of all.
"""

from collections.abc import Sequence
import csv
import json
import pathlib
from typing import Any

from absl import app, flags
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive, experiment, pareto
from nasjax.experiment import build
from nasjax.experiment import job as job_lib

_RUNS = flags.DEFINE_list('runs', None, 'Folders of finished searches.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder of table and figure.')
flags.mark_flags_as_required(['runs', 'output'])

COSTS = ('params', 'memory')


def folders(paths: Sequence[str]) -> dict[str, pathlib.Path]:
  """Return the folders of runs by their own names.

  Args:
    paths: of the folders.

  Returns:
    The folders.

  Raises:
    ValueError: if two have one name, which would be one row of the table.
  """
  found = {pathlib.Path(path).name: pathlib.Path(path) for path in paths}
  if len(found) < len(paths):
    raise ValueError(f'Expected folders of different names, got {paths}.')
  return found


def cost_functions(config: dict[str, Any]) -> dict[str, Any]:
  """Return what generators cost, as functions by name.

  Args:
    config: of a run, which describes the weights at least.

  Returns:
    The costs, of the networks of the run.
  """
  section = config['describe']['params']
  return {what: build.build(dict(section, what=what)) for what in COSTS}


def evaluated(workdir: pathlib.Path) -> list[dict[str, Any]]:
  """Return what the seeds of a run have trained in full.

  Args:
    workdir: of the run.

  Returns:
    A dict a seed: `accuracy`, and the costs, `[N]` each.
  """
  config = json.loads((workdir / 'config.json').read_text())
  job = experiment.prepare(config, workdir)
  state = job_lib.final_state(job)
  cost = cost_functions(config)
  of_all = jax.jit(jax.vmap(lambda arch: {c: f(arch) for c, f in cost.items()}))
  seeds = []
  for seed in range(config['num_seeds']):
    found = jax.tree.map(jnp.asarray, jax.device_get(state.found))
    if config['num_seeds'] > 1:
      found = jax.tree.map(lambda leaf, seed=seed: leaf[seed], found)
    values = found.values.reshape(archive.capacity(found), -1)
    trained = np.flatnonzero(np.isfinite(values[:, 0]))
    costs = jax.device_get(of_all(archive.select(found, trained)))
    seeds.append({'accuracy': np.asarray(values[trained, 0]), **costs})
  return seeds


def front(accuracy: np.ndarray, cost: np.ndarray) -> np.ndarray:
  """Return which items no other one is better than, `bool[N]`."""
  values = jnp.stack([jnp.asarray(accuracy), -jnp.asarray(cost)], axis=1)
  return np.asarray(pareto.non_dominated(values))


def hypervolume(accuracy: np.ndarray, cost: np.ndarray, worst: float) -> float:
  """Return the area above no accuracy and the worst cost, from 0 to 1."""
  values = np.stack([accuracy, -cost / worst], axis=1)
  return float(pareto.hypervolume(jnp.asarray(values), jnp.array([0.0, -1.0])))


def draw(runs: dict[str, Any], path: pathlib.Path) -> None:
  """Draw the fronts of all seeds of every run."""
  from matplotlib import figure

  page = figure.Figure(figsize=(9, 4))
  for axes, cost in zip(page.subplots(1, 2, sharey=True), COSTS):
    for name, seeds in runs.items():
      values = [
        np.concatenate([seed[what] for seed in seeds])
        for what in ('accuracy', cost)
      ]
      (dots,) = axes.plot(values[1], 100 * values[0], '.', alpha=0.4)
      best = np.flatnonzero(front(*values))
      best = best[np.argsort(values[1][best])]
      axes.step(
        values[1][best],
        100 * values[0][best],
        where='post',
        color=dots.get_color(),
        label=name,
      )
    axes.set(xlabel=cost, ylabel='validation accuracy (%)')
    axes.legend()
  page.savefig(path, dpi=150, bbox_inches='tight')


def main(argv: Sequence[str]) -> None:
  """Read all runs, write table and figure.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  experiment.launch.set_up_jax()
  with experiment.launch.clear_errors():
    runs = {n: evaluated(path) for n, path in folders(_RUNS.value).items()}
  output = pathlib.Path(_OUTPUT.value)
  output.mkdir(parents=True, exist_ok=True)
  rows = []
  for cost in COSTS:
    worst = max(seed[cost].max() for seeds in runs.values() for seed in seeds)
    for name, seeds in runs.items():
      volumes = [
        100 * hypervolume(seed['accuracy'], seed[cost], worst) for seed in seeds
      ]
      listed = ', '.join(f'{volume:.1f}' for volume in volumes)
      print(f'{cost} (at most {worst:.0f}), {name}: {listed}')
      accuracy, costs = (
        np.concatenate([seed[what] for seed in seeds])
        for what in ('accuracy', cost)
      )
      best = np.flatnonzero(front(accuracy, costs))
      rows += [
        (name, cost, f'{costs[i]:.0f}', f'{100 * accuracy[i]:.2f}')
        for i in best[np.argsort(costs[best])]
      ]
  with (output / 'fronts.csv').open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(('run', 'cost', 'value', 'validation_accuracy'))
    writer.writerows(rows)
  draw(runs, output / 'fronts.png')


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
