"""Distributions over architectures: relaxations and their masks."""

from nasjax.distributions import (
  categorical,
  controller,
  dirichlet,
  edge_normalised,
  gumbel,
  logits,
  masked,
  sigmoid,
  softmax,
  sparse,
  straight_through,
)

__all__ = (
  'categorical',
  'controller',
  'dirichlet',
  'edge_normalised',
  'gumbel',
  'logits',
  'masked',
  'sigmoid',
  'softmax',
  'sparse',
  'straight_through',
)
