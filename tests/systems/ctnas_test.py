"""Tests for CTNAS: labelled cells, a comparator, and the policy it teaches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.distributions import categorical as distributions
from nasjax.estimators import comparator, tabular
from nasjax.networks import predictors
from nasjax.searches import run
from nasjax.spaces import (
  categorical,
  graphs,
  nasbench101_cells,
  nasbench101_construction,
  nasbench201,
)
from nasjax.strategies import ctnas as strategies
from nasjax.systems import ctnas

_SPACE = nasbench201.nasbench201()


def _table():
  """Values of independent edges."""
  effects = np.random.default_rng(0).normal(size=(6, 5))
  cells = np.asarray(jax.vmap(_SPACE.index)(np.arange(_SPACE.size))['op'])
  values = np.float32(effects[np.arange(6), cells].sum(1))
  return values, tabular.tabular(nasbench201.cell_index, values)


def _strategy(**kwargs):
  return strategies.ctnas(
    _SPACE,
    comparator.comparator(
      predictors.Mlp((32,)),
      _SPACE.encode,
      _SPACE.sample(jax.random.key(0)),
      optax.adam(1e-2),
      num_steps=100,
      antisymmetric=True,
    ),
    distributions.categorical(_SPACE),
    num_initial=60,
    optimizer=optax.adam(0.1),
    num_steps=400,
    update_every=20,
    explore_every=100,
    num_pairs=20,
    **kwargs,
  )


def test_what_the_policy_settles_on_beats_all_that_was_labelled():
  """On a table of independent edges, the labels being its only knowledge."""
  values, table = _table()
  search = ctnas.ctnas(table, _strategy(capacity=61))

  def seed(key):
    state, metrics = run.run(key, search, None, 61)
    cell = nasbench201.cell_index(search.best(key, state))
    return metrics['score_best'], cell

  keys = jax.random.split(jax.random.key(0), 3)
  best, cell = jax.jit(lambda keys: jax.lax.map(seed, keys))(keys)
  assert np.all(best[:, 60] > best[:, 59])
  np.testing.assert_array_equal(values[cell], best[:, 60])
  # Among the best 16 of 15,625.
  assert np.mean(values > np.mean(best[:, 60])) < 1e-3


def test_a_round_proposes_the_best_new_ones_that_the_policy_drew():
  values, _ = _table()
  strategy = _strategy(num_new=20, capacity=100)

  @jax.jit
  def proposal(key):
    state = strategy.init(key)
    for _ in range(3):
      asked, state = strategy.ask(key, state)
      key = jax.random.fold_in(key, 0)
      told = jnp.asarray(values)[jax.vmap(nasbench201.cell_index)(asked.archs)]
      state, _ = strategy.tell(key, state, asked, told)
    asked, _ = strategy.ask(key, state)
    index = jax.vmap(nasbench201.cell_index)
    return index(state.told.archs)[:60], index(asked.archs)

  known, new = proposal(jax.random.key(0))
  assert len(set(new.tolist()) - set(known.tolist())) == 20
  # Half of them are better than the best of the random ones.
  assert np.median(values[new]) > values[known].max()


def test_new_ones_are_not_one_cell_under_several_names():
  space = categorical.categorical(nasbench101_construction.mask())
  build = nasbench101_construction.build
  strategy = strategies.ctnas(
    space,
    strategies.model(
      space,
      lambda arch: graphs.nasbench101(build(arch)),
      graphs.NASBENCH101_OPS,
      width=4,
      num_steps=2,
    ),
    distributions.categorical(space),
    num_initial=10,
    num_new=10,
    capacity=20,
    num_steps=200,
    exploration=False,
    identity=lambda arch: nasbench101_cells.code(build(arch)),
  )
  key = jax.random.key(0)
  asked, state = strategy.ask(key, strategy.init(key))
  state, _ = strategy.tell(key, state, asked, jnp.arange(10.0))
  new, _ = jax.jit(strategy.ask)(key, state)
  codes = nasbench101_cells.codes(jax.vmap(build)(new.archs))
  known = nasbench101_cells.codes(jax.vmap(build)(asked.archs))
  assert len(set(codes.tolist()) - set(known.tolist())) == 10
