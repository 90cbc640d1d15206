"""Distributions over architectures: relaxations and their masks."""

from nasjax.distributions import (
  edge_normalised,
  gumbel,
  logits,
  masked,
  sigmoid,
  softmax,
  straight_through,
)

__all__ = (
  'edge_normalised',
  'gumbel',
  'logits',
  'masked',
  'sigmoid',
  'softmax',
  'straight_through',
)
