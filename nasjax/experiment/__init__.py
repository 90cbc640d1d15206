"""Runs a search as a job: config, resumable loop, run folder, report."""
from nasjax.experiment import build
from nasjax.experiment import drawing
from nasjax.experiment import export
from nasjax.experiment import launch
from nasjax.experiment import loop
from nasjax.experiment import metrics
from nasjax.experiment import plots
from nasjax.experiment import report
from nasjax.experiment import results
from nasjax.experiment import status
from nasjax.experiment.job import execute
from nasjax.experiment.job import prepare
from nasjax.experiment.job import run

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
