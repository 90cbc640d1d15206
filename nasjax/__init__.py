"""Neural architecture search in JAX and Flax: small functions that compose."""

from nasjax import (
  archive,
  batching,
  choice,
  data,
  distributions,
  estimators,
  experiment,
  expressions,
  keys,
  networks,
  ops,
  pareto,
  ranking,
  schedules,
  searches,
  spaces,
  strategies,
  systems,
  types,
)

__all__ = (
  'archive',
  'batching',
  'choice',
  'data',
  'distributions',
  'estimators',
  'experiment',
  'expressions',
  'keys',
  'networks',
  'ops',
  'pareto',
  'ranking',
  'schedules',
  'searches',
  'spaces',
  'strategies',
  'systems',
  'types',
)

__version__ = '0.1.0'
