r"""Compares searches of one family: found networks beside random ones.

  python -m experiments.compare --config=configs/compare_digits.py:quick \
      --workdir=runs/compare
  python -m experiments.compare --workdir=runs/compare --status

A second call with the same config and folder continues a comparison that was
stopped.
"""

from nasjax import experiment

_FLAGS = experiment.launch.define_flags()


def _finish(study):
  """Run and print the tables."""
  with experiment.launch.clear_refusals():
    outcome = experiment.comparison.execute(study)
  print(experiment.comparison_tables.text(outcome))
  print(f'\nReport: {study.job.workdir / "report.html"}')


if __name__ == '__main__':
  experiment.launch.run(_FLAGS, experiment.comparison.prepare, _finish)
