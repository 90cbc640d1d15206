"""Tests for ReNAS: a predictor that ranks, and what it finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import tabular
from nasjax.searches import run
from nasjax.spaces import nasbench201, tensors
from nasjax.strategies import predicted
from nasjax.strategies import renas as strategies
from nasjax.systems import renas

_SPACE = nasbench201.nasbench201()


@pytest.mark.parametrize('form', ['of_space', 'by_evolution'])
def test_after_sixty_labels_it_proposes_the_best_of_the_space(form):
  """On a table of independent edges: weights and operations say it all."""
  cells = np.asarray(jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))['op'])
  effects = np.random.default_rng(0).normal(size=(6, 5))
  values = np.float32(effects[np.arange(6), cells].sum(1))
  model = strategies.model(
    _SPACE, tensors.nasbench201, num_steps=150, num_triplets=256
  )
  strategy = strategies.renas(
    _SPACE, model, 60, 10, 80, getattr(predicted, form)
  )
  table = tabular.tabular(nasbench201.cell_index, values)
  search = renas.renas(table, strategy)
  state, _ = jax.jit(lambda key: run.run(key, search, None, 8))(
    jax.random.key(0)
  )
  told = state.strategy.told
  rows = np.asarray(jax.vmap(nasbench201.cell_index)(told.archs))
  first, proposed = values[rows[:60]], values[rows[60:80]]
  assert len(set(rows[60:80])) == 20
  assert proposed.mean() > first.mean() + first.std()
  assert proposed.max() > first.max()
