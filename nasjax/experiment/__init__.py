"""Runs searches and scores as jobs: resumable loop, run folder, report."""

from nasjax.experiment import (
  build,
  comparison,
  comparison_tables,
  correlation,
  drawing,
  export,
  latencies,
  launch,
  loop,
  metrics,
  plots,
  population,
  report,
  results,
  score_tables,
  scoring,
  simulation,
  status,
  studies,
  study_tables,
)
from nasjax.experiment.comparison import compare
from nasjax.experiment.job import execute, prepare, run
from nasjax.experiment.scoring import score
from nasjax.experiment.studies import study

__all__ = [
  'build',
  'compare',
  'comparison',
  'comparison_tables',
  'correlation',
  'drawing',
  'execute',
  'export',
  'latencies',
  'launch',
  'loop',
  'metrics',
  'plots',
  'population',
  'prepare',
  'report',
  'results',
  'run',
  'score',
  'score_tables',
  'scoring',
  'simulation',
  'status',
  'studies',
  'study',
  'study_tables',
]
