"""Scores of architectures, learned or not."""

from nasjax.estimators import (
  combine,
  comparator,
  ensemble,
  kernel_metrics,
  kernel_tracking,
  learning_curves,
  ntk,
  one_shot,
  parzen,
  predictor,
  ranking_losses,
  ridge,
  stand_alone,
  tabular,
  training,
  zero_cost,
)

__all__ = (
  'combine',
  'comparator',
  'ensemble',
  'kernel_metrics',
  'kernel_tracking',
  'learning_curves',
  'ntk',
  'one_shot',
  'parzen',
  'predictor',
  'ranking_losses',
  'ridge',
  'stand_alone',
  'tabular',
  'training',
  'zero_cost',
)
