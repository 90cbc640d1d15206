"""Tests of the weights that searches of all kinds give to their options."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.distributions import clipped, edge_normalised, gumbel
from nasjax.experiment import mixtures
from nasjax.searches import phases, progressive, stopping
from nasjax.systems import darts_pt, r_darts

State = collections.namedtuple('State', ['arch_params', 'step'])
LOGITS = np.random.RandomState(0).randn(5, 4).astype(np.float32)


def _state(params=None, step=1):
  params = {'normal': jnp.asarray(LOGITS)} if params is None else params
  return State(params, jnp.int32(step))


def _softmax(logits):
  weights = np.exp(logits)
  return weights / weights.sum(-1, keepdims=True)


def _of(state, **options):
  return np.asarray(mixtures.weights(state, **options)['normal'])


def test_weights_are_those_of_the_relaxation():
  np.testing.assert_allclose(_of(_state()), _softmax(LOGITS), rtol=1e-5)
  drawn = gumbel.GumbelParams({'normal': jnp.asarray(LOGITS)}, jnp.ones(()))
  np.testing.assert_allclose(_of(_state(drawn)), _softmax(LOGITS), rtol=1e-5)
  on = 1 / (1 + np.exp(-LOGITS))
  on[:, 0] = 0
  found = _of(_state(), activation='sigmoid')
  np.testing.assert_allclose(found, on, rtol=1e-5)
  positive = np.where(LOGITS > 0, LOGITS + 1, np.exp(LOGITS))
  np.testing.assert_allclose(
    _of(_state(), activation='dirichlet'),
    positive / positive.sum(-1, keepdims=True),
    rtol=1e-5,
  )
  alive = np.ones_like(LOGITS)
  alive[2] = 0
  both = ({'normal': jnp.asarray(x)} for x in (LOGITS, alive))
  found = _of(_state(clipped.ClippedParams(*both)))
  np.testing.assert_allclose(found, np.clip(LOGITS, 0, 1) * alive)


def test_weights_of_edges_sum_to_one_over_those_of_a_node():
  beta = jnp.arange(5.0)
  params = edge_normalised.EdgeParams(
    {'normal': jnp.asarray(LOGITS)}, {'normal': beta}
  )
  of_edge = _of(_state(params)).sum(-1)
  expected = [*_softmax(np.arange(2.0)), *_softmax(np.arange(2.0, 5.0))]
  np.testing.assert_allclose(of_edge, expected, rtol=1e-5)


def test_what_is_not_left_has_no_weight():
  mask = np.ones(LOGITS.shape, bool)
  mask[0, 1:] = mask[3] = False
  kept = {'normal': jnp.asarray(mask)}
  expected = np.where(mask, np.exp(LOGITS), 0)
  expected[:3] /= expected[:3].sum(-1, keepdims=True)
  expected[4:] /= expected[4:].sum(-1, keepdims=True)
  state = darts_pt.State(jnp.int32(3), _state(), kept)
  np.testing.assert_allclose(_of(state), expected, rtol=1e-5)
  first = collections.namedtuple('First', ['mask'])(kept)
  state = phases.Phases(jnp.int32(3), first, _state())
  np.testing.assert_allclose(_of(state), expected, rtol=1e-5)


def test_the_stage_is_the_last_that_has_begun():
  whole = {'normal': jnp.ones(LOGITS.shape, bool)}
  fewer = {'normal': whole['normal'].at[:, 0].set(False)}
  other = {'normal': jnp.asarray(-LOGITS)}
  for step, expected in ((0, LOGITS), (2, -LOGITS)):
    stages = (_state(step=4), _state(other, step))
    found = _of(progressive.Progress(jnp.int32(0), (whole, fewer), stages))
    expected = expected.copy()
    if step:
      expected[:, 0] = -np.inf
    np.testing.assert_allclose(found, _softmax(expected), rtol=1e-5)


def test_of_several_searches_it_is_the_leader_of_a_stopped_one_the_inner():
  two = {'normal': jnp.stack([jnp.asarray(LOGITS), -jnp.asarray(LOGITS)])}
  state = r_darts.State(_state(two), jnp.array([0.2, 0.7]))
  np.testing.assert_allclose(_of(state), _softmax(-LOGITS), rtol=1e-5)
  state = stopping.State(jnp.int32(0), _state(), None, None)
  np.testing.assert_allclose(_of(state), _softmax(LOGITS), rtol=1e-5)


def test_a_snapshot_has_the_axis_of_seeds_that_the_job_has():
  seeds = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), _state())
  found = mixtures.snapshot(2)(seeds)['normal']
  np.testing.assert_allclose(found[0], _softmax(LOGITS), rtol=1e-5)
  np.testing.assert_allclose(found[1], _softmax(2 * LOGITS), rtol=1e-5)
  with pytest.raises(ValueError, match="'relu'.*sigmoid"):
    mixtures.snapshot(2, 'relu')
