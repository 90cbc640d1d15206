"""Searches: what drives estimators, strategies and gradients to a result."""

from nasjax.searches import (
  bilevel,
  black_box,
  hypergradients,
  monitors,
  penalties,
  run,
)

__all__ = (
  'bilevel',
  'black_box',
  'hypergradients',
  'monitors',
  'penalties',
  'run',
)
