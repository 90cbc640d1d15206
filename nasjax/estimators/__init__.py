"""Scores of architectures, learned or not."""

from nasjax.estimators import (
  combine,
  kernel_metrics,
  kernel_tracking,
  learning_curves,
  ntk,
  one_shot,
  parzen,
  stand_alone,
  tabular,
  training,
  zero_cost,
)

__all__ = (
  'combine',
  'kernel_metrics',
  'kernel_tracking',
  'learning_curves',
  'ntk',
  'one_shot',
  'parzen',
  'stand_alone',
  'tabular',
  'training',
  'zero_cost',
)
