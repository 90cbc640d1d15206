"""Distributions over architectures: relaxations and their masks."""

from nasjax.distributions import (
  categorical,
  clipped,
  controller,
  dirichlet,
  edge_normalised,
  gumbel,
  logits,
  masked,
  one_hot,
  sigmoid,
  softmax,
  sparse,
  straight_through,
  two_path,
)

__all__ = (
  'categorical',
  'clipped',
  'controller',
  'dirichlet',
  'edge_normalised',
  'gumbel',
  'logits',
  'masked',
  'one_hot',
  'sigmoid',
  'softmax',
  'sparse',
  'straight_through',
  'two_path',
)
