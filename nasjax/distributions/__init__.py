"""Distributions over architectures: relaxations and their masks."""

from nasjax.distributions import (
  categorical,
  clipped,
  controller,
  edge_normalised,
  gumbel,
  logits,
  masked,
  sigmoid,
  softmax,
  straight_through,
)

__all__ = (
  'categorical',
  'clipped',
  'controller',
  'edge_normalised',
  'gumbel',
  'logits',
  'masked',
  'sigmoid',
  'softmax',
  'straight_through',
)
