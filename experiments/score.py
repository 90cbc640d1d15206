r"""Scores the architectures that a config describes, or continues.

  python -m experiments.score --config=configs/score_nasbench201.py:quick \
      --workdir=runs/scores
  python -m experiments.score --workdir=runs/scores --status

A second call with the same config and folder continues a run that was stopped.
"""

from collections.abc import Sequence

from absl import app, flags
from ml_collections import config_flags

from nasjax import experiment

_CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  'A file with get_config(); options after a colon.',
  # What the file leaves out may be given; `prepare` names what is unknown.
  lock_config=False,
  accept_new_attributes=True,
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'The run folder: new, empty, or of the same config.'
)
_STATUS = flags.DEFINE_bool(
  'status', False, 'Say how the run in the folder is doing, and end.'
)
_CACHE_DIR = flags.DEFINE_string(
  'cache_dir',
  None,
  "Folder for compiled programs, '' for none (default: "
  f'$JAX_COMPILATION_CACHE_DIR or {experiment.launch.CACHE_DIR}).',
)
flags.mark_flag_as_required('workdir')


def main(argv: Sequence[str]) -> None:
  """Score, continue or describe the run.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  if len(argv) > 1:
    raise app.UsageError(f'Unexpected arguments: {" ".join(argv[1:])}.')
  with experiment.launch.clear_errors():
    if _STATUS.value:
      print(experiment.status.status(_WORKDIR.value))
      return
    if _CONFIG.value is None:
      raise app.UsageError('Flag --config is needed.')
    experiment.launch.set_up_jax(_CACHE_DIR.value)
    job = experiment.scoring.prepare(_CONFIG.value, _WORKDIR.value)
  with experiment.launch.clear_refusals():
    outcome = experiment.scoring.execute(job)
  print(experiment.score_tables.text(outcome))
  print(f'\nReport: {job.workdir / "report.html"}')


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
