"""Black-box search by ask and tell."""

from nasjax.strategies import (
  evolution,
  local_search,
  model_based,
  random_search,
)

__all__ = ('evolution', 'local_search', 'model_based', 'random_search')
