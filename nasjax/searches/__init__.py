"""Searches: what drives estimators, strategies and gradients to a result."""

from nasjax.searches import (
  ablation,
  admm,
  arch_schedules,
  bilevel,
  black_box,
  descent,
  hypergradients,
  monitors,
  multi_objective,
  penalties,
  proposals,
  pruning,
  queries,
  run,
  single_level,
  wiring,
)

__all__ = (
  'ablation',
  'admm',
  'arch_schedules',
  'bilevel',
  'black_box',
  'descent',
  'hypergradients',
  'monitors',
  'multi_objective',
  'penalties',
  'proposals',
  'pruning',
  'queries',
  'run',
  'single_level',
  'wiring',
)
