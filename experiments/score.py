r"""Scores the architectures that a config describes, or continues.

  python -m experiments.score --config=configs/score_nasbench201.py:quick \
      --workdir=runs/scores
  python -m experiments.score --workdir=runs/scores --status

A second call with the same config and folder continues a run that was stopped.
"""

from nasjax import experiment

_FLAGS = experiment.launch.define_flags()


def _finish(job):
  """Score and print the tables."""
  with experiment.launch.clear_refusals():
    outcome = experiment.scoring.execute(job)
  print(experiment.score_tables.text(outcome))
  print(f'\nReport: {job.workdir / "report.html"}')


if __name__ == '__main__':
  experiment.launch.run(_FLAGS, experiment.scoring.prepare, _finish)
