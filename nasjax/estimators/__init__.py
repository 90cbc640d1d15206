"""Scores of architectures, learned or not."""

from nasjax.estimators import combine, one_shot, stand_alone, tabular

__all__ = ('combine', 'one_shot', 'stand_alone', 'tabular')
