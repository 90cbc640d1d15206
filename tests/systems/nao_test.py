"""Tests for NAO and SemiNAS: what they generate is good, new and valid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import strategies
from nasjax.data import tabular as data
from nasjax.estimators import tabular
from nasjax.networks import autoencoder as networks
from nasjax.searches import run
from nasjax.spaces import nasbench201
from nasjax.systems import nao, seminas

_SPACE = nasbench201.nasbench201()
_NETWORK = networks.Autoencoder(6, 16, 16, widths=(8, 16))


def _told(search, num_updates, seed):
  """Returns the numbers of all cells that were evaluated, in order."""

  @jax.jit
  def go(key):
    state, _ = run.run(key, search, None, num_updates)
    told = state.strategy.told
    return jax.vmap(nasbench201.cell_index)(told.archs), told.count

  rows, count = go(jax.random.key(seed))
  return np.asarray(rows)[: int(count)]


@pytest.mark.parametrize(
  'system, factory, kwargs',
  [
    (nao.nao, strategies.nao.nao, {}),
    pytest.param(
      seminas.seminas,
      strategies.seminas.seminas,
      {'num_unlabelled': 100, 'num_extra_steps': 100},
      marks=pytest.mark.slow,
    ),
  ],
  ids=['nao', 'seminas'],
)
def test_generated_cells_are_new_and_better_than_random_ones(
  system, factory, kwargs
):
  cells = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))['op']
  effects = np.random.default_rng(0).normal(size=(6, 5))
  values = np.float32(effects[np.arange(6), np.asarray(cells)].sum(1))
  strategy = factory(
    _SPACE,
    network=_NETWORK,
    num_initial=60,
    num_new=20,
    capacity=100,
    num_seeds=10,
    num_steps=300,
    **kwargs,
  )
  table = tabular.tabular(nasbench201.cell_index, values)
  search = system(table, strategy)
  rows = _told(search, 5, seed=0)
  first, generated = values[rows[:60]], values[rows[60:]]
  assert len(generated) == 40
  # Random cells may repeat each other, generated ones do not.
  assert len(set(rows[60:])) == 40 and not set(rows[60:]) & set(rows[:60])
  # Of 40 random ones the mean would vary by a sixth of the deviation.
  assert generated.mean() > first.mean() + 0.5 * first.std()


@pytest.mark.slow
@pytest.mark.data
def test_generated_cells_of_the_real_table_are_better_than_random_ones(
  data_dir,
):
  table = data.load_nasbench201(data_dir)
  values = data.values_by_index(table, 'e200_cifar10_test')
  estimator = tabular.tabular(nasbench201.cell_index, values)
  rows = _told(nao.nao(estimator, strategies.nao.nao(_SPACE)), 3, seed=0)
  assert values[rows[100:]].mean() > values[rows[:100]].mean() + 3
