"""Scores of networks that are not trained, or hardly."""

from nasjax.estimators.zero_cost.blocks import (
  az_nas,
  expressivity,
  progressivity,
  trainability,
)
from nasjax.estimators.zero_cost.flow import synflow, synflow_bn
from nasjax.estimators.zero_cost.initial import initialized
from nasjax.estimators.zero_cost.jacobians import epe_nas, jacov
from nasjax.estimators.zero_cost.perturbation import zen
from nasjax.estimators.zero_cost.proxy import (
  Joint,
  Proxy,
  oriented,
  tracking,
  trained,
)
from nasjax.estimators.zero_cost.rectifiers import linear_regions, naswot
from nasjax.estimators.zero_cost.saliency import (
  fisher,
  grad_norm,
  grasp,
  l2_norm,
  plain,
  snip,
)
from nasjax.estimators.zero_cost.size import size
from nasjax.estimators.zero_cost.tangent import (
  condition_number,
  kernel_mean,
  kernel_norm,
  kernel_scores,
  label_alignment,
)
from nasjax.estimators.zero_cost.variation import zico

__all__ = (
  'Joint',
  'Proxy',
  'az_nas',
  'condition_number',
  'epe_nas',
  'expressivity',
  'fisher',
  'grad_norm',
  'grasp',
  'initialized',
  'jacov',
  'kernel_mean',
  'kernel_norm',
  'kernel_scores',
  'l2_norm',
  'label_alignment',
  'linear_regions',
  'naswot',
  'oriented',
  'plain',
  'progressivity',
  'size',
  'snip',
  'synflow',
  'synflow_bn',
  'tracking',
  'trainability',
  'trained',
  'zen',
  'zico',
)
