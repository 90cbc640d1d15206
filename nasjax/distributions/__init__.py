"""Distributions over architectures: relaxations and their masks."""
from nasjax.distributions import edge_normalised
from nasjax.distributions import gumbel
from nasjax.distributions import logits
from nasjax.distributions import masked
from nasjax.distributions import sigmoid
from nasjax.distributions import softmax
from nasjax.distributions import straight_through

__all__ = (
    'edge_normalised', 'gumbel', 'logits', 'masked', 'sigmoid', 'softmax',
    'straight_through')
