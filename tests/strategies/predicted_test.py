"""Tests for proposals of what a model predicts to be best."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import combine
from nasjax.spaces import nasbench201
from nasjax.strategies import predicted

_SPACE = nasbench201.nasbench201()
_EFFECTS = np.random.default_rng(0).normal(size=30).astype(np.float32)
_MODEL = combine.stateless(lambda key, arch: _SPACE.encode(arch) @ _EFFECTS)
_EVERY = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
_ORDER = np.argsort(-np.asarray(jax.vmap(_SPACE.encode)(_EVERY) @ _EFFECTS))


def _told(rows):
  archs = jax.tree.map(lambda leaf: leaf[np.asarray(rows)], _EVERY)
  store = archive.create(_SPACE.index(0), len(rows) + 3)
  return archive.add(store, archs, jnp.arange(len(rows), dtype=jnp.float32))


def _rows(propose, told):
  archs = jax.jit(propose)(jax.random.key(0), (), told)
  return np.asarray(jax.vmap(nasbench201.cell_index)(archs))


def test_a_space_is_ranked_as_a_whole_without_what_is_known():
  told = _told(_ORDER[[0, 2, 50]])
  rows = _rows(predicted.of_space(_SPACE, _MODEL, 4), told)
  np.testing.assert_array_equal(rows, _ORDER[[1, 3, 4, 5]])


def test_evolution_finds_the_same():
  told = _told(_ORDER[[0, 2, 50]])
  rows = _rows(predicted.by_evolution(_SPACE, _MODEL, 4), told)
  np.testing.assert_array_equal(rows, _ORDER[[1, 3, 4, 5]])


def test_evolution_of_too_few_is_refused():
  with pytest.raises(ValueError, match='looks at 6 architectures'):
    predicted.by_evolution(_SPACE, _MODEL, 7, 3, 2, 4, 2)
