"""Tests of conditions on what a search may return."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import random_search_nasbench201
from nasjax import archive, experiment
from nasjax.experiment import feasible

_DESCRIBE = {'size': lambda arch: arch['op'].sum().astype(jnp.float32)}


class _State(NamedTuple):
  found: archive.Archive


def _state(values):
  """Two seeds that have found cells 0, 1, 2 of one decision."""
  state = archive.create({'op': jnp.zeros(1, int)}, 3)
  archs = {'op': jnp.arange(3)[:, None]}
  found = [archive.keep_best(state, archs, jnp.array(v)) for v in values]
  found = jax.tree.map(lambda *x: jnp.stack(x), *found)
  return _State(found)


def test_the_best_that_fulfils_the_condition_is_found():
  state = _state([[1.0, 2.0, 3.0], [9.0, -jnp.inf, 1.0]])
  holds = feasible.condition('0 < size < 2', _DESCRIBE)
  archs = {'op': jnp.array([[2], [0]])}
  best, state = feasible.restrict(holds, archs, state)
  # The second seed has none that does: what it found stays.
  np.testing.assert_array_equal(best['op'], [[1], [0]])
  np.testing.assert_array_equal(
    np.isfinite(state.found.values).sum(axis=1), [1, 0]
  )


def test_of_several_objectives_all_fail_together():
  values = jnp.array([[[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]])
  store = archive.Archive({'op': jnp.arange(3)[None, :, None]}, values, 3)
  holds = feasible.condition('size <= 1', _DESCRIBE)
  best, state = feasible.restrict(
    holds, {'op': jnp.array([[2]])}, _State(store)
  )
  np.testing.assert_array_equal(best['op'], [[1]])
  np.testing.assert_array_equal(
    np.isfinite(state.found.values)[0], [[True] * 2, [True] * 2, [False] * 2]
  )


def _config(**changes):
  config = random_search_nasbench201.get_config('quick').to_dict()
  config['search']['archive_size'] = 100
  return config | {'num_steps': 30, 'where': 'params < 4e5'} | changes


def test_a_run_returns_and_exports_what_fulfils_its_condition(tmp_path):
  outcome = experiment.run(_config(), tmp_path / 'run')
  found = [row for row in outcome['rows'] if row['name'] == 'found']
  assert all(row['feasible'] == 1 and row['params'] < 4e5 for row in found)
  random = [row for row in outcome['rows'] if row['name'] == 'random']
  assert [row['feasible'] for row in random] == [
    float(row['params'] < 4e5) for row in random
  ]
  free = experiment.run(_config(where=None), tmp_path / 'free')
  better = [row for row in free['rows'] if row['name'] == 'found']
  assert any(row['params'] >= 4e5 for row in better)
  assert 'feasible' not in better[0]
  for row, other in zip(found, better):
    assert row['score'] <= other['score']
  spec = json.loads((tmp_path / 'run' / 'best' / 'search.json').read_text())
  assert [row['arch'] for row in spec['found']] == [
    next(t['arch'] for t in spec['top'] if t['seed'] == s) for s in range(4)
  ]


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'where': 'parms < 4e5'}, 'config.where.*parms.*macs, params, score'),
    ({'where': 'params'}, 'config.where.*is not a condition'),
    ({'describe': None}, 'config.where.*Known: none'),
    (
      {'search': dict(name='tests.experiment.toys:walk'), 'num_random': 0},
      'keeps none',
    ),
  ],
)
def test_a_mistake_is_named_before_any_work(changes, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    experiment.prepare(_config(**changes), tmp_path / 'run')
