r"""Times the architectures of a space on this machine, and makes tables of it.

  taskset --cpu-list 1 python -m experiments.profile \
      --config=configs/profile_mobile.py --workdir=runs/profile_mobile

`taskset` keeps all threads on one core: the latency that is measured is that of
one core, and other work of the machine disturbs it less. A second call with the
same config and folder continues a profile that was stopped.
"""

from nasjax import experiment

_FLAGS = experiment.launch.define_flags(has_status=False)


def _finish(job):
  """Measure and print the tables."""
  outcome = experiment.profiles.execute(job)
  print(experiment.profile_tables.text(outcome))
  print(f'\nReport: {job.workdir / "report.html"}')


if __name__ == '__main__':
  experiment.launch.run(_FLAGS, experiment.profiles.prepare, _finish)
