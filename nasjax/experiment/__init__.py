"""Runs a search as a job: config, resumable loop, run folder, report."""
from nasjax.experiment import build
from nasjax.experiment import drawing
from nasjax.experiment import export
from nasjax.experiment import launch
from nasjax.experiment import metrics
from nasjax.experiment import plots
from nasjax.experiment import report
from nasjax.experiment import results
from nasjax.experiment.loop import loop
from nasjax.experiment.loop import Options
from nasjax.experiment.run import execute
from nasjax.experiment.run import prepare
from nasjax.experiment.run import run
from nasjax.experiment.status import status

__all__ = [
    'Options',
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
