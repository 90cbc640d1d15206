"""Searches: what drives estimators, strategies and gradients to a result."""

from nasjax.searches import (
  bilevel,
  black_box,
  descent,
  hypergradients,
  monitors,
  multi_objective,
  penalties,
  perturbation,
  progressive,
  proposals,
  pruning,
  queries,
  run,
  single_level,
  stopping,
)

__all__ = (
  'bilevel',
  'black_box',
  'descent',
  'hypergradients',
  'monitors',
  'multi_objective',
  'penalties',
  'perturbation',
  'progressive',
  'proposals',
  'pruning',
  'queries',
  'run',
  'single_level',
  'stopping',
)
