"""Tests of searches in stages."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.searches import progressive, run
from nasjax.types import Search

KEY = jax.random.key(0)


class State(NamedTuple):
  step: jax.Array
  arch_params: dict


def _stage(shift):
  """Every update adds noise to the logits of what is allowed."""

  def of_mask(mask):
    def init(key):
      logits = {'op': jax.random.normal(key, (3, 5))}
      return State(jnp.zeros((), jnp.int32), logits)

    def update(key, state, batch):
      del batch
      noise = jax.random.normal(key, (3, 5)) + shift
      logits = state.arch_params['op'] + jnp.where(mask['op'], noise, 0)
      return State(state.step + 1, {'op': logits}), {'loss': jnp.sum(logits)}

    def best(key, state):
      del key
      masked = jnp.where(mask['op'], state.arch_params['op'], -jnp.inf)
      return {'op': jnp.argmax(masked, -1).astype(jnp.int32)}

    return Search(init, update, best)

  return of_mask


FIRST = {'op': np.arange(15).reshape(3, 5) != 7}


def _search(num_options=(5, 3, 2)):
  return progressive.progressive(
    [_stage(i) for i in range(3)], FIRST, num_options, num_steps=2
  )


def _strongest(logits, mask, num_options):
  out = np.zeros_like(mask)
  for d, row in enumerate(logits):
    ranked = sorted(np.flatnonzero(mask[d]), key=lambda k: (-row[k], k))
    out[d, ranked[:num_options]] = True
  return out


def test_the_strongest_stay_and_of_equal_ones_the_first():
  rng = np.random.default_rng(0)
  for n in (1, 2, 4, 9):
    logits = rng.integers(3, size=(6, 5)).astype(np.float32)
    mask = rng.uniform(size=(6, 5)) < 0.7
    got = progressive.strongest({'op': logits}, {'op': mask}, n)['op']
    np.testing.assert_array_equal(got, _strongest(logits, mask, n))


def test_stages_follow_each_other_in_smaller_and_smaller_subspaces():
  search = _search()
  update, best = jax.jit(search.update), jax.jit(search.best)
  state, states, stages = jax.jit(search.init)(KEY), [], []
  for t in range(7):
    state, metrics = update(jax.random.fold_in(KEY, t), state, None)
    states.append(state)
    stages.append(int(metrics['stage']))
  assert stages == [0, 0, 1, 1, 2, 2, 2]
  assert [int(s.step) for s in state.stages] == [2, 2, 3]
  masks = [np.asarray(mask['op']) for mask in state.masks]
  np.testing.assert_array_equal(masks[0], FIRST['op'])
  for i, n in ((0, 3), (1, 2)):
    # Of what the stage ended with, and it rests from then on.
    logits = np.asarray(states[2 * i + 1].stages[i].arch_params['op'])
    np.testing.assert_array_equal(masks[i + 1], _strongest(logits, masks[i], n))
    assert np.all(masks[i + 1] <= masks[i])
    rest = np.asarray(state.stages[i].arch_params['op'])
    np.testing.assert_array_equal(rest, logits)
  for t in (1, 3, 6):  # the ends of the stages
    i = stages[t]
    op = np.asarray(best(KEY, states[t])['op'])
    logits = np.asarray(states[t].stages[i].arch_params['op'])
    expected = np.where(masks[i], logits, -np.inf).argmax(-1)
    np.testing.assert_array_equal(op, expected)


def test_a_whole_run_is_one_program():
  state, metrics = jax.jit(lambda: run.run(KEY, _search(), None, 6))()
  assert [m['op'].sum() for m in state.masks] == [14, 9, 6]
  np.testing.assert_array_equal(metrics['stage'], [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize('num_options', [(5, 3), (5, 3, 4)])
def test_numbers_of_options_must_fall(num_options):
  with pytest.raises(ValueError, match='3 stages need as many falling'):
    _search(num_options)
