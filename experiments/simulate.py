r"""Simulates searches by scores that `experiments.score` has computed.

  python -m experiments.simulate --workdir=runs/scores --sizes=10,100,1000

Each search draws so many random architectures, with replacement, and keeps the
best scored; the table has mean and standard deviation of its accuracies over
the searches, beside the largest network (params), the best one (optimal) and
one random network. Rows go to searches.csv in the folder.
"""

from collections.abc import Sequence
import pathlib

from absl import app, flags
import numpy as np

from nasjax import experiment

_WORKDIR = flags.DEFINE_string('workdir', None, 'A folder that is scored.')
_SIZES = flags.DEFINE_list('sizes', ['10', '100', '1000'], 'Networks drawn.')
_RUNS = flags.DEFINE_integer('runs', 500, 'Searches of each size.', 2)
_SEED = flags.DEFINE_integer('seed', 0, 'Of the draws.')
flags.mark_flag_as_required('workdir')


def main(argv: Sequence[str]) -> None:
  """Simulate the searches and print the table.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  workdir = pathlib.Path(_WORKDIR.value)
  with experiment.launch.clear_errors():
    if not (workdir / 'scores.npz').is_file():
      raise ValueError(f'{workdir} holds no scores.npz of experiments.score.')
    with np.load(workdir / 'scores.npz', allow_pickle=False) as file:
      columns = {name: file[name] for name in file.files}
    config = experiment.metrics.read_json(workdir / 'config.json')
    rows = experiment.simulation.searches(
      {
        name.removesuffix('_score'): values
        for name, values in columns.items()
        if name.endswith('_score') or name == 'params'
      },
      {name: columns[name] for name in config['accuracies']},
      [int(size) for size in _SIZES.value],
      _RUNS.value,
      _SEED.value,
    )
  experiment.results.write_csv(workdir / 'searches.csv', rows)
  names = [name for name in rows[0] if not name.endswith(' std')]
  print(
    experiment.results.grid(
      names,
      [
        [
          f'{row[name]:.2f} +- {row[f"{name} std"]:.2f}'
          if f'{name} std' in row
          else row[name]
          for name in names
        ]
        for row in rows
      ],
    )
  )


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
