"""Tests for self-labelling: what the two fits of a toy model are given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import self_labelled
from nasjax.spaces import categorical
from nasjax.types import Estimator

_SPACE = categorical.categorical({'op': (3, 2)})


def _toy(offset):
  """A model that remembers what it was fitted to last, and how often."""

  def init(key):
    del key
    return {'fits': jnp.int32(0)}

  def update(key, state, told):
    del key
    return {'fits': state['fits'] + offset, 'told': told}, {'offset': offset}

  def score(key, state, arch):
    del key
    return state['fits'] + jnp.sum(arch['op'])

  return Estimator(init, update, score)


def test_the_second_fit_sees_repetitions_and_predictions():
  model = self_labelled.self_labelled(_SPACE, _toy(10), _toy(100), 50, 3)
  told = archive.create({'op': jnp.array([1, 1, 1])}, 4)
  archs = {'op': jnp.array([[0, 0, 0], [1, 0, 0]])}
  told = archive.add(told, archs, jnp.array([7.0, jnp.nan]))
  state = model.init(jax.random.key(0))
  assert archive.capacity(state.unlabelled) == 50
  state, metrics = jax.jit(model.update)(jax.random.key(1), state, told)
  assert metrics == {'first_offset': 10, 'again_offset': 100}
  seen = state.model['told']
  assert state.model['fits'] == 110
  # Empty and failed slots stay without a value, three times.
  np.testing.assert_array_equal(seen.values[:12], [7, *[-np.inf] * 3] * 3)
  np.testing.assert_array_equal(
    seen.archs['op'][:12], np.tile(told.archs['op'], (3, 1))
  )
  known = 0
  for op, value in zip(np.asarray(seen.archs['op'][12:]), seen.values[12:]):
    if op.tolist() in ([0, 0, 0], [1, 0, 0]):
      known += 1
      assert value == -np.inf
    else:
      assert value == 10 + op.sum()  # the label of the first fit
  assert 0 < known < 50
  assert len(np.unique(np.asarray(seen.archs['op'][12:]), axis=0)) == 8
  np.testing.assert_array_equal(state.unlabelled.values, seen.values[12:])
  arch = {'op': jnp.array([0, 1, 1])}
  assert model.score(jax.random.key(0), state, arch) == 112


@pytest.mark.parametrize('sizes', [(0, 1), (1, 0)])
def test_sizes_that_cannot_be_are_refused(sizes):
  with pytest.raises(ValueError, match='Self-labelling needs'):
    self_labelled.self_labelled(_SPACE, _toy(0), _toy(0), *sizes)
