"""Black-box search by ask and tell."""

from nasjax.strategies import (
  acquisition,
  asha,
  bayes_opt,
  bohb,
  evolution,
  hyperband,
  local_search,
  model_based,
  nsga2,
  policy_gradient,
  ppo,
  random_search,
  reinforce,
  rungs,
  tpe,
)

__all__ = (
  'acquisition',
  'asha',
  'bayes_opt',
  'bohb',
  'evolution',
  'hyperband',
  'local_search',
  'model_based',
  'nsga2',
  'policy_gradient',
  'ppo',
  'random_search',
  'reinforce',
  'rungs',
  'tpe',
)
