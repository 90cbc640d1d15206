"""Convolution, pooling, normalisation and graphs, with loop-safe gradients."""
from nasjax.ops.channels import scale
from nasjax.ops.channels import spread_channels
from nasjax.ops.channels import sum_channels
from nasjax.ops.convolution import convolution
from nasjax.ops.convolution import pointwise
from nasjax.ops.depthwise import depthwise
from nasjax.ops.edge_scan import edge_scan
from nasjax.ops.edge_scan import Port
from nasjax.ops.normalization import batch_norm
from nasjax.ops.normalization import normalize
from nasjax.ops.pooling import avg_pool
from nasjax.ops.pooling import max_pool

__all__ = [
    'Port',
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
