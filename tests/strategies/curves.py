"""Runs of a strategy on a table of NAS-Bench-201."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.estimators import tabular
from nasjax.searches import queries
from nasjax.spaces import nasbench201

SPACE = nasbench201.nasbench201()


def best_of_each_query(strategy, values, num_queries, num_seeds):
  """Returns the best value after every query of every seed."""
  estimator = tabular.tabular(nasbench201.cell_index, values)

  def seed(key):
    ledger = queries.spend(
      key,
      strategy,
      estimator,
      nasbench201.cell_index,
      SPACE.size,
      num_queries,
    )
    return jnp.asarray(values)[queries.incumbents(ledger)]

  keys = jax.random.split(jax.random.key(0), num_seeds)
  return np.asarray(jax.jit(lambda keys: jax.lax.map(seed, keys))(keys))
