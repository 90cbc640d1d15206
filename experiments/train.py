r"""Trains architectures of a JSON file instead of searching for them.

  python -m experiments.train --config=configs/darts_digits.py \
      --spec=runs/darts_digits/best/search.json --workdir=runs/train

The config is that of a search: its `evaluation` is what trains, and it draws
the `num_random` architectures that they are compared with.
"""

from absl import flags

from nasjax import experiment

_FLAGS = experiment.launch.define_flags(has_status=False)
_SPEC = flags.DEFINE_string(
  'spec', None, 'Architectures, as a search writes them: best/search.json.'
)
flags.mark_flag_as_required('spec')


def _prepare(config, workdir):
  """Name the file of the architectures in the config."""
  with config.unlocked():
    config.spec = _SPEC.value
  return experiment.prepare(config, workdir)


if __name__ == '__main__':
  experiment.launch.run(_FLAGS, _prepare, experiment.launch.finish)
