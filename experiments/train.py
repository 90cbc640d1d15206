r"""Trains architectures of a JSON file instead of searching for them.

  python -m experiments.train --config=configs/darts_digits.py \
      --spec=runs/darts_digits/best/search.json --workdir=runs/train

The config is that of a search: its `evaluation` is what trains, and it draws
the `num_random` architectures that they are compared with.
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
_SPEC = flags.DEFINE_string(
  'spec', None, 'Architectures, as a search writes them: best/search.json.'
)
_CACHE_DIR = flags.DEFINE_string(
  'cache_dir', None, "Folder for compiled programs, '' for none."
)
flags.mark_flags_as_required(['config', 'workdir', 'spec'])


def main(argv: Sequence[str]) -> None:
  """Train the architectures of the file.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  if len(argv) > 1:
    raise app.UsageError(f'Unexpected arguments: {" ".join(argv[1:])}.')
  with experiment.launch.clear_errors():
    experiment.launch.set_up_jax(_CACHE_DIR.value)
    with _CONFIG.value.unlocked():
      _CONFIG.value.spec = _SPEC.value
    job = experiment.prepare(_CONFIG.value, _WORKDIR.value)
  experiment.launch.finish(job)


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
