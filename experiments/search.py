r"""Runs the job that a config describes, or continues it, or says how it is.

  python -m experiments.search --config=configs/darts_digits.py:quick \
      --workdir=runs/quick --config.seed=3
  python -m experiments.search --workdir=runs/quick --status
  python -m experiments.search --config=configs/darts_digits.py \
      --workdir=runs/sweep3 --sweep_index=3

A second call with the same config and folder continues a run that was stopped.
"""

import importlib.util

from absl import flags
from ml_collections import config_flags

from nasjax import experiment

_FLAGS = experiment.launch.define_flags()
_SWEEP_INDEX = flags.DEFINE_integer(
  'sweep_index',
  None,
  "Use this point of the config file's sweep().",
  lower_bound=0,
)


def _sweep(path):
  """The points of the sweep in a config file."""
  spec = importlib.util.spec_from_file_location('config', path.split(':')[0])
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if not hasattr(module, 'sweep'):
    raise ValueError(f'{path} has no sweep().')
  return module.sweep()


def _prepare(config, workdir):
  """Apply the point of the sweep, if one is asked for."""
  if _SWEEP_INDEX.value is not None:
    path = config_flags.get_config_filename(flags.FLAGS['config'])
    experiment.launch.apply_sweep(config, _sweep(path), _SWEEP_INDEX.value)
  return experiment.prepare(config, workdir)


if __name__ == '__main__':
  experiment.launch.run(_FLAGS, _prepare, experiment.launch.finish)
