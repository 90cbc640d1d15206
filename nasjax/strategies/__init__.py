"""Black-box search by ask and tell."""

from nasjax.strategies import (
  evolution,
  local_search,
  model_based,
  nsga2,
  policy_gradient,
  ppo,
  random_search,
  reinforce,
)

__all__ = (
  'evolution',
  'local_search',
  'model_based',
  'nsga2',
  'policy_gradient',
  'ppo',
  'random_search',
  'reinforce',
)
