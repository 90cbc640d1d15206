"""Runs a search as a job: config, resumable loop, run folder, report."""

from nasjax.experiment import (
  build,
  drawing,
  export,
  launch,
  loop,
  metrics,
  plots,
  report,
  results,
  status,
)
from nasjax.experiment.job import execute, prepare, run

__all__ = [
  'build',
  'drawing',
  'execute',
  'export',
  'launch',
  'loop',
  'metrics',
  'plots',
  'prepare',
  'report',
  'results',
  'run',
  'status',
]
