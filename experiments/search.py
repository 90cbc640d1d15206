r"""Runs the job that a config describes, or continues it, or says how it is.

  python -m experiments.search --config=configs/darts_digits.py:quick \
      --workdir=runs/quick --config.seed=3
  python -m experiments.search --workdir=runs/quick --status
  python -m experiments.search --config=configs/darts_digits.py \
      --workdir=runs/sweep3 --sweep_index=3

A second call with the same config and folder continues a run that was stopped.
"""

from collections.abc import Sequence
import importlib.util

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
_SWEEP_INDEX = flags.DEFINE_integer(
  'sweep_index',
  None,
  "Use this point of the config file's sweep().",
  lower_bound=0,
)
_CACHE_DIR = flags.DEFINE_string(
  'cache_dir',
  None,
  "Folder for compiled programs, '' for none (default: "
  f'$JAX_COMPILATION_CACHE_DIR or {experiment.launch.CACHE_DIR}).',
)
flags.mark_flag_as_required('workdir')


def _sweep(path):
  """The points of the sweep in a config file."""
  spec = importlib.util.spec_from_file_location('config', path.split(':')[0])
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not hasattr(module, 'sweep'):
    raise ValueError(f'{path} has no sweep().')
  return module.sweep()


def main(argv: Sequence[str]) -> None:
  """Run, continue or describe the job.

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
    if _SWEEP_INDEX.value is not None:
      experiment.launch.apply_sweep(
        _CONFIG.value,
        _sweep(config_flags.get_config_filename(flags.FLAGS['config'])),
        _SWEEP_INDEX.value,
      )
    experiment.launch.set_up_jax(_CACHE_DIR.value)
    job = experiment.prepare(_CONFIG.value, _WORKDIR.value)
  experiment.launch.finish(job)


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
