"""Makes report.html of a run folder again; the run may be alive or dead.

  python -m experiments.report --workdir=runs/darts_digits

It reads the files of the folder and nothing else.
"""

from collections.abc import Sequence

from absl import app, flags

from nasjax import experiment

_WORKDIR = flags.DEFINE_string('workdir', None, 'The run folder.')
flags.mark_flag_as_required('workdir')


def main(argv: Sequence[str]) -> None:
  """Write the page of the run.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  with experiment.launch.clear_errors():
    print(experiment.report.write(_WORKDIR.value))


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
