"""The study of BigNAS in its smallest form."""

from absl import flags
from absl.testing import flagsaver
import pytest

from experiments import bignas_digits


@pytest.mark.slow
def test_a_study_goes_on_in_its_folder(tmp_path):
  flags.FLAGS.mark_as_parsed()
  texts = []
  for num_seeds in (1, 2, 2):
    with flagsaver.flagsaver(
      workdir=str(tmp_path / 'runs'),
      output=str(tmp_path / 'output'),
      options='quick',
      seeds=num_seeds,
      num_children=3,
      variants=['no_sandwich'],
    ):
      bignas_digits.main([''])
    texts.append((tmp_path / 'output' / 'ladder.txt').read_text())
  runs = {path.name for path in (tmp_path / 'runs').iterdir()}
  assert runs == {
    f'{name}_{seed}' for name in ('bignas', 'no_sandwich') for seed in (0, 1)
  }
  assert texts[0] != texts[1] == texts[2]
