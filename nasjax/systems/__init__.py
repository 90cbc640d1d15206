"""Complete methods: one file a paper, one factory a file."""

from nasjax.systems import (
  assisted_evolution,
  bananas,
  ctnas,
  darts,
  gdas,
  kernel_tracking,
  lga,
  nao,
  nas_bowl,
  naswot,
  pc_darts,
  random_search,
  regularized_evolution,
  renas,
  seminas,
  te_nas,
)

__all__ = (
  'assisted_evolution',
  'bananas',
  'ctnas',
  'darts',
  'gdas',
  'kernel_tracking',
  'lga',
  'nao',
  'nas_bowl',
  'naswot',
  'pc_darts',
  'random_search',
  'regularized_evolution',
  'renas',
  'seminas',
  'te_nas',
)
