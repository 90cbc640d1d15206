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
