"""Tests of parameters and multiply-adds against published networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import cost, darts, layers, operations
from nasjax.spaces import darts_cell
from tests.networks import forms

NAMES = ('none', 'avg_pool_3x3', 'skip_connect', 'dil_conv_3x3')
TINY = darts.Darts(
  channels=4,
  num_cells=4,
  num_nodes=2,
  affine=True,
  pool_norm=False,
  operations=NAMES,
)
SPACE = darts_cell.darts_cell(num_nodes=2, operations=NAMES)
SHAPE = (9, 6, 3)
CIFAR = darts.Darts(channels=36, num_cells=20, affine=True, pool_norm=False)
IMAGENET = CIFAR.clone(
  num_classes=1000, channels=48, num_cells=14, stem='imagenet'
)
# Network, size of the image, cell, parameters, multiply-adds.
PUBLISHED = [
  (CIFAR, 32, darts_cell.DARTS_V1, 3_169_414, 500_987_520),
  (CIFAR, 32, darts_cell.DARTS_V2, 3_349_342, 528_359_040),
  (IMAGENET, 224, darts_cell.DARTS_V1, 4_510_432, 505_864_704),
  (IMAGENET, 224, darts_cell.DARTS_V2, 4_718_752, 529_911_552),
]


@pytest.mark.parametrize(
  'module, shape, params, macs',
  [
    (layers.Conv(5, (3, 1)), (7, 6, 2), 3 * 2 * 5, 7 * 6 * 3 * 2 * 5),
    (layers.Conv(5, (3, 3), 2), (7, 6, 2), 9 * 2 * 5, 4 * 3 * 9 * 2 * 5),
    (layers.DepthwiseConv((5, 5), 2), (8, 8, 3), 75, 16 * 75),
    (layers.Dense(10), (4,), 4 * 10 + 10, 4 * 10),
  ],
)
def test_layers_cost_what_a_loop_over_their_outputs_multiplies(
  module, shape, params, macs
):
  # Layers take no `train`, so they are counted inside a module that does.
  class Wrapped(layers.nn.Module):
    @layers.nn.compact
    def __call__(self, x, train):
      return module.clone(parent=self, name='layer')(x)

  counted = cost.count(Wrapped(), jnp.zeros((1, *shape)))
  assert counted == (params, macs)


def test_norms_and_pools_have_no_multiply_adds():
  site = operations.Site(4, affine=True)
  x = jnp.zeros((1, 6, 6, 4))
  assert cost.count(operations.OPERATIONS['max_pool_3x3'](site), x) == (0, 0)
  norm = layers.BatchNorm()
  assert cost.count(norm, x) == (8, 0)


@pytest.fixture(name='table', scope='module')
def _table():
  return cost.darts_cost(TINY, SHAPE)


def test_tables_give_the_count_of_random_networks(table):
  for seed in range(2):
    arch = SPACE.sample(jax.random.key(seed))
    fixed = choice.static(arch)
    exact = cost.count(TINY, fixed, jnp.zeros((1, *SHAPE)))
    relaxed = choice.one_hot(arch, SPACE.mask)
    for form in (fixed, arch, relaxed):
      np.testing.assert_allclose(table(form), exact, rtol=1e-6)


def test_tables_are_differentiable_and_linear(table):
  archs = [
    choice.one_hot(SPACE.sample(jax.random.key(seed)), SPACE.mask)
    for seed in range(2)
  ]
  half = jax.tree.map(lambda a, b: (a + b) / 2, *archs)
  mean = np.mean([table(arch) for arch in archs], axis=0)
  np.testing.assert_allclose(table(half), mean, rtol=1e-6)
  gradient = jax.grad(lambda arch: table(arch).macs)(half)
  slope = sum(
    jnp.vdot(g, b - a)
    for g, a, b in zip(*map(jax.tree.leaves, (gradient, *archs)))
  )
  difference = table(archs[1]).macs - table(archs[0]).macs
  np.testing.assert_allclose(slope, difference, rtol=1e-4)


def test_all_operations_together_are_the_supernet(table):
  everything = {kind: jnp.ones((5, len(NAMES))) for kind in SPACE.mask}
  arch = {kind: jnp.zeros(5, int) for kind in SPACE.mask}
  num_weights, _ = forms.num_weights(TINY, arch)
  assert table(everything).params == num_weights


def test_tables_give_the_numbers_of_published_networks():
  network, size, genotype, params, macs = PUBLISHED[1]
  arch = darts_cell.from_genotype(genotype)
  counted = cost.darts_cost(network, (size, size, 3))(arch)
  assert counted.params == params
  assert counted.macs == np.float32(macs)


def test_a_network_without_reductions_costs_what_its_cells_do():
  network = TINY.clone(num_cells=2, num_nodes=1, reduction_cells=())
  arch, shape = {'normal': (3, 1)}, (4, 4, 3)
  exact = cost.count(network, arch, jnp.zeros((1, *shape)))
  np.testing.assert_allclose(cost.darts_cost(network, shape)(arch), exact)


def test_either_cost_can_be_had_alone():
  network, shape = TINY.clone(num_nodes=1, num_cells=3), (4, 4, 3)
  arch = {'normal': (1, 3), 'reduce': (2, 0)}
  both = cost.count(network, arch, jnp.zeros((1, *shape)))
  assert cost.darts_params(network, shape)(arch) == both.params
  assert cost.darts_macs(network, shape)(arch) == both.macs


@pytest.mark.slow
@pytest.mark.parametrize('network, size, genotype, params, macs', PUBLISHED)
def test_published_networks_have_their_numbers(
  network, size, genotype, params, macs
):
  arch = choice.static(darts_cell.from_genotype(genotype))
  x = jnp.zeros((1, size, size, 3))
  assert cost.count(network, arch, x) == (params, macs)


def test_tables_of_separate_cells_give_the_count_of_the_network():
  network = TINY.clone(num_nodes=1, cells=(0, 1, 2, 0))
  space = darts_cell.darts_cell(num_nodes=1, operations=NAMES, num_cells=3)
  arch = space.sample(jax.random.key(0))
  fixed = choice.static(arch)
  exact = cost.count(network, fixed, jnp.zeros((1, *SHAPE)))
  table = cost.darts_cost(network, SHAPE)
  for form in (fixed, arch, choice.one_hot(arch, space.mask)):
    np.testing.assert_allclose(table(form), exact, rtol=1e-6)
