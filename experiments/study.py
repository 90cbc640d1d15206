r"""Compares strategies on a table, hundreds of seeds in one program.

  python -m experiments.study --config=configs/study_nasbench201.py:quick \
      --workdir=runs/study
  python -m experiments.study --workdir=runs/study --status

A second call with the same config and folder continues a study that was
stopped.
"""

from nasjax import experiment

_FLAGS = experiment.launch.define_flags()


def _finish(job):
  """Run and print the tables."""
  with experiment.launch.clear_refusals():
    outcome = experiment.studies.execute(job)
  print(experiment.study_tables.text(outcome))
  print(f'\nReport: {job.workdir / "report.html"}')


if __name__ == '__main__':
  experiment.launch.run(_FLAGS, experiment.studies.prepare, _finish)
