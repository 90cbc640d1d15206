"""Convolution, pooling, normalisation and graphs, with loop-safe gradients."""

from nasjax.ops.agreement import agreement
from nasjax.ops.channels import scale, spread_channels, sum_channels
from nasjax.ops.convolution import convolution, pointwise
from nasjax.ops.depthwise import depthwise
from nasjax.ops.edge_scan import Port, edge_scan
from nasjax.ops.normalization import EPSILON, batch_norm, normalize
from nasjax.ops.pooling import avg_pool, max_pool

__all__ = [
  'EPSILON',
  'Port',
  'agreement',
  'avg_pool',
  'batch_norm',
  'convolution',
  'depthwise',
  'edge_scan',
  'max_pool',
  'normalize',
  'pointwise',
  'scale',
  'spread_channels',
  'sum_channels',
]
