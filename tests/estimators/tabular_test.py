"""Tests for scores read from a table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import tabular
from nasjax.spaces import nasbench201


def test_a_score_is_the_row_of_the_architecture():
  space = nasbench201.nasbench201()
  values = np.random.default_rng(0).normal(size=space.size).astype(np.float32)
  estimator = tabular.tabular(nasbench201.cell_index, values)
  rows = jnp.array([0, 1, 777, space.size - 1])
  score = lambda row: estimator.score(jax.random.key(0), (), space.index(row))
  np.testing.assert_array_equal(jax.jit(jax.vmap(score))(rows), values[rows])


def test_a_table_of_several_columns_is_refused():
  with pytest.raises(ValueError, match=r'got shape \(2, 3\): choose a column'):
    tabular.tabular(nasbench201.cell_index, np.zeros((2, 3)))


def test_a_fidelity_is_read_from_the_nearest_column():
  values = np.random.default_rng(0).normal(size=(15625, 3)).astype(np.float32)
  fidelities = (12 / 200, 0.5, 1.0)
  estimator = tabular.tabular(nasbench201.cell_index, values, fidelities)
  arch = nasbench201.nasbench201().index(777)
  score = lambda f: estimator.score(jax.random.key(0), (), arch, fidelity=f)
  score = jax.jit(jax.vmap(score))
  asked = jnp.array([0.001, 0.06, 0.2, 0.3, 0.6, 0.8, 1.0])
  np.testing.assert_array_equal(
    score(asked), values[777, [0, 0, 0, 1, 1, 2, 2]]
  )
  # In full by default.
  assert estimator.score(jax.random.key(0), (), arch) == values[777, 2]


def test_columns_without_fidelities_of_their_own_are_refused():
  for fidelities in [(0.5,), (0.1, 0.5, 1.0), 1.0]:
    with pytest.raises(ValueError, match='one column a fidelity'):
      tabular.tabular(nasbench201.cell_index, np.zeros((9, 2)), fidelities)
  with pytest.raises(ValueError, match='one column a fidelity'):
    tabular.tabular(nasbench201.cell_index, np.zeros(9), (0.5, 1.0))


def test_a_training_takes_the_fraction_of_the_time_of_its_row():
  seconds = np.arange(15625.0)
  cost = tabular.training_time(nasbench201.cell_index, seconds)
  arch = nasbench201.nasbench201().index(300)
  np.testing.assert_allclose(cost(arch, jnp.float32(0.25)), 75.0)
