"""Scores of architectures, learned or not."""

from nasjax.estimators import combine, tabular

__all__ = ('combine', 'tabular')
