"""Distributions over architectures: relaxations and their masks."""

from nasjax.distributions import (
  categorical,
  clipped,
  controller,
  edge_normalised,
  gumbel,
  logits,
  masked,
  one_hot,
  sigmoid,
  softmax,
  straight_through,
  two_path,
)

__all__ = (
  'categorical',
  'clipped',
  'controller',
  'edge_normalised',
  'gumbel',
  'logits',
  'masked',
  'one_hot',
  'sigmoid',
  'softmax',
  'straight_through',
  'two_path',
)
