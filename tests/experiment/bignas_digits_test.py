"""The study of BigNAS in its smallest form."""

import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[2]


def _study(folder, num_seeds):
  """Return the names of its runs and the tables that it prints."""
  # A process of its own: each script defines its flags.
  subprocess.run(
    [
      *(sys.executable, '-m', 'experiments.bignas_digits'),
      *(f'--workdir={folder / "runs"}', f'--output={folder / "output"}'),
      *('--options=quick', f'--seeds={num_seeds}'),
      *('--num_children=3', '--variants=no_sandwich'),
    ],
    cwd=_ROOT,
    check=True,
  )
  runs = {path.name for path in (folder / 'runs').iterdir()}
  return runs, (folder / 'output' / 'ladder.txt').read_text()


@pytest.mark.slow
def test_a_study_goes_on_in_its_folder(tmp_path):
  assert _study(tmp_path, 1)[0] == {'bignas_0', 'no_sandwich_0'}
  runs, text = _study(tmp_path, 2)
  assert runs == {'bignas_0', 'no_sandwich_0', 'bignas_1', 'no_sandwich_1'}
  assert _study(tmp_path, 2) == (runs, text)
