r"""Makes the table that comes with nasjax out of what has been trained for it.

  python -m experiments.digits_table --workdir=runs/table \
      --output=nasjax/data/digits_table.npz

The folder is one of `configs/score_table_digits.py`. Where the output exists
and `--check` is given, cells of the folder are compared with it instead, as
many as there are: a random slice (`:num=64`), trained again, must be equal.
"""

from collections.abc import Sequence
import pathlib

from absl import app, flags
import numpy as np

from nasjax import experiment
from nasjax.data import digits_table

_WORKDIR = flags.DEFINE_string('workdir', None, 'A folder that is trained.')
_OUTPUT = flags.DEFINE_string('output', None, 'The table.')
_CHECK = flags.DEFINE_bool('check', False, 'Compare, write nothing.')
flags.mark_flags_as_required(['workdir', 'output'])


def read(workdir: pathlib.Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """Return the numbers of the cells of a folder and their counts.

  Args:
    workdir: of `experiments.score`.

  Returns:
    `i64[N]` and `u2[N, looks, runs]` by split.

  Raises:
    ValueError: if it holds no scores.
  """
  path = workdir / 'scores.npz'
  if not path.is_file():
    raise ValueError(f'{workdir} holds no scores.npz of experiments.score.')
  with np.load(path, allow_pickle=False) as file:
    columns = {name: file[name] for name in file.files}
  counts = {}
  for split, total in digits_table.NUM_IMAGES.items():
    shares = [
      [
        columns[f'digits_{split}_{steps}_{run}_raw']
        for run in range(digits_table.NUM_RUNS)
      ]
      for steps in digits_table.STEPS
    ]
    counts[split] = np.rint(np.array(shares) * total).T.swapaxes(1, 2)
  return columns['index'], {
    split: of.astype(np.uint16) for split, of in counts.items()
  }


def compare(
  index: np.ndarray, counts: dict[str, np.ndarray], path: pathlib.Path
) -> str:
  """Return how far trained cells are from a table, in right answers.

  Args:
    index: numbers of the cells.
    counts: of them, by split.
    path: of the table.
  """
  table = digits_table.load(path)
  lines = []
  for split, of in counts.items():
    gap = np.abs(of.astype(int) - table.counts[split][index])
    lines.append(
      f'{split}: {np.mean(gap == 0):.1%} of {gap.size} counts are equal, the '
      f'largest difference is {gap.max()}'
    )
  return '\n'.join(lines)


def main(argv: Sequence[str]) -> None:
  """Write or check the table.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  output = pathlib.Path(_OUTPUT.value)
  with experiment.launch.clear_errors():
    index, counts = read(pathlib.Path(_WORKDIR.value))
    if _CHECK.value:
      print(compare(index, counts, output))
      return
    if not np.array_equal(index, np.arange(digits_table.NUM_CELLS)):
      raise ValueError(
        f'All {digits_table.NUM_CELLS} cells are needed, {len(index)} are '
        'there.'
      )
    np.savez_compressed(output, **counts)
    print(f'{output}: {output.stat().st_size:,} bytes')


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
