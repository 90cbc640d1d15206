"""Tests of generations of mutants and crossings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.spaces import categorical, darts_cell
from nasjax.strategies import genetic

_SPACE = categorical.categorical({'op': (5, 4), 'width': (1, 3)})
_GAIN = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def _value(arch):
  gains = jnp.asarray(_GAIN)[jnp.arange(5), arch['op']]
  return jnp.sum(gains) - 0.5 * arch['width'][0]


def _cost(arch):
  return jnp.sum(arch['op']) + arch['width'][0]


def _feasible(arch):
  return _cost(arch) <= 6


def _runs(num_generations, space=_SPACE, num_seeds=1, **settings):
  """Architectures `[seeds, generations * P, ...]`, and the last states."""
  sizes = dict(population=8, num_parents=3, num_mutants=3, num_crossings=3)
  strategy = genetic.genetic(space, **(sizes | settings))

  def generation(state, key):
    proposal, state = strategy.ask(key, state)
    values = jax.vmap(_value)(proposal.archs)
    state, _ = strategy.tell(key, state, proposal, values)
    return state, proposal.archs

  @jax.jit
  def run(key):
    keys = jax.random.split(key, num_generations)
    state, archs = jax.lax.scan(generation, strategy.init(key), keys)
    return jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), archs), state

  return jax.lax.map(run, jax.random.split(jax.random.key(0), num_seeds))


def _proposals(num_generations, space=_SPACE, **settings):
  """Those of a single run."""
  runs = _runs(num_generations, space, **settings)
  return jax.tree.map(lambda leaf: leaf[0], runs)


def _rows(archs):
  return np.concatenate([archs['op'], archs['width']], axis=-1)


def test_nothing_is_proposed_twice_and_all_of_it_is_feasible():
  archs, _ = _proposals(12, feasible=_feasible)
  assert len(np.unique(_rows(archs), axis=0)) == 96
  assert np.all(jax.vmap(_feasible)(archs))


def test_the_best_feasible_architecture_is_found():
  everything = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  values = np.where(
    jax.vmap(_feasible)(everything), jax.vmap(_value)(everything), -np.inf
  )
  _, states = _runs(25, num_seeds=5, feasible=_feasible)
  found = states.parents.values[:, 0]
  # 200 of 3,072 architectures; random ones would find it in 1 of 5 to 10 runs.
  assert np.sum(np.isclose(found, values.max())) >= 4


def test_generations_are_made_of_mutants_crossings_and_random_architectures():
  _, state = _proposals(1)
  strategy = genetic.genetic(
    _SPACE, 8, 3, num_mutants=5, num_crossings=3, mutation_rate=0.2
  )
  parents = _rows(archive.top(state.parents, 3)[0])
  keys = jax.random.split(jax.random.key(1), 40)
  ask = jax.jit(lambda key: strategy.ask(key, state)[0].archs)
  children = np.stack([_rows(ask(key)) for key in keys])
  distance = (children[:, :, None] != parents).sum(-1).min(-1)
  assert distance.min() == 1  # parents are known
  # Of six decisions a mutant draws 1.2 again, 0.88 of them to another option;
  # of those that are new at all it is 1.43 on average.
  assert 1.2 < distance[:, :5].mean() < 1.6
  for row in children[:, 5:].reshape(-1, 6):
    assert np.all((row == parents).any(0))


def test_an_exhausted_space_gives_feasible_architectures_again():
  space = categorical.categorical({'op': (5, 4), 'width': (1, 3)}).restrict(
    {
      'op': np.array([[1, 1, 0, 0]] * 3 + [[1, 0, 0, 0]] * 2, bool),
      'width': np.array([[1, 0, 0]], bool),
    }
  )
  allowed = lambda arch: _cost(arch) <= 2
  archs, _ = _proposals(3, space, feasible=allowed)  # 7 of 8 are allowed
  rows = _rows(archs)
  assert len(np.unique(rows, axis=0)) == 7
  assert np.all(jax.vmap(allowed)(archs))


@pytest.mark.parametrize(
  'settings, message',
  [
    (dict(population=3), 'num_mutants=3'),
    (dict(num_parents=0), 'num_parents=0'),
    (dict(capacity=7), 'at least 8, got 7'),
    (dict(space=darts_cell.darts_cell(num_nodes=2)), 'independent'),
  ],
)
def test_sizes_that_do_not_fit_are_a_value_error(settings, message):
  with pytest.raises(ValueError, match=message):
    _proposals(1, **settings)
