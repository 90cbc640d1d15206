"""Tests of parameters and multiply-adds of mobile networks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import cost, mobile, mobile_cost
from nasjax.spaces import mobile as spaces
from nasjax.spaces import mobile_layouts, mobile_strings
from tests.spaces import mobile_test as spaces_test

TINY = spaces.Layout(
  resolutions=(6, 9),
  stem=(4, 6),
  stages=(
    spaces.Stage((4, 6), (1, 2), (3, 5), (1,)),
    spaces.Stage(
      (4, 8),
      (1, 2),
      (3, 5),
      (2, 3),
      (0.0, 0.5),
      2,
      operations=spaces.OPERATIONS,
    ),
  ),
  head=(6, 8, 10),
  stem_stride=1,
)
NETWORKS = {
  'project': mobile.Mobile(TINY, num_classes=3, project=True),
  'per_block': mobile.Mobile(
    TINY._replace(
      head_expansion=2,
      squeeze_of='hidden',
      divisor=4,
      per_block=('kernel', 'expansion'),
    ),
    num_classes=3,
  ),
}


def _count(network, arch, resolution):
  x = jnp.zeros((1, resolution, resolution, 3))
  return cost.count(network, choice.static(arch), x)


@pytest.mark.parametrize(
  'end, resolution, params, macs',
  [
    (spaces.biggest, 320, 10_892_790, 1_843_030_528),
    (spaces.smallest, 192, 3_747_412, 206_739_328),
  ],
)
def test_children_of_bignas_count_what_a_count_by_hand_gives(
  end, resolution, params, macs
):
  layout = mobile_layouts.bignas()
  arch = end(layout)
  assert _count(mobile.Mobile(layout), arch, resolution) == (params, macs)
  table = mobile_cost.mobile_cost(mobile.Mobile(layout))(arch)
  np.testing.assert_allclose(table, (params, macs), rtol=1e-6)


@pytest.mark.parametrize(
  'strings, params, macs',
  [
    (spaces_test.B1, 4_383_312, 314_415_872),
    (spaces_test.A1, 3_887_038, 311_579_072),
  ],
  ids=['B1', 'A1'],
)
def test_networks_of_mnasnet_count_what_a_count_by_hand_gives(
  strings, params, macs
):
  network = mobile.Mobile(mobile_strings.from_strings(strings))
  assert _count(network, {}, 224) == (params, macs)
  table = mobile_cost.mobile_cost(network)({})
  np.testing.assert_allclose(table, (params, macs), rtol=1e-6)


# Settings of the authors' models, in the order of the leaves; published are
# 203 and 709 million.
ATTENTIVE = {
  'A0': (
    {
      'resolution': (192,),
      'width': (16, 16, 24, 32, 64, 112, 192, 216, 1792),
      'depth': (1, 3, 3, 3, 3, 3, 1),
      'kernel': (3, 3, 3, 3, 3, 3, 3),
      'expansion': (1, 4, 4, 4, 4, 6, 6),
    },
    203,
  ),
  'A6': (
    {
      'resolution': (288,),
      'width': (16, 16, 24, 32, 64, 112, 216, 224, 1984),
      'depth': (1, 3, 3, 4, 4, 6, 1),
      'kernel': (3, 3, 3, 3, 3, 5, 3),
      'expansion': (1, 4, 6, 5, 4, 6, 6),
    },
    709,
  ),
}


@pytest.mark.parametrize('name', list(ATTENTIVE))
def test_models_of_attentive_nas_count_what_is_published(name):
  values, millions = ATTENTIVE[name]
  layout = mobile_layouts.attentive_nas()
  found = spaces.options(layout)
  arch = {
    leaf: jnp.array([row.index(v) for row, v in zip(found[leaf], chosen)])
    for leaf, chosen in values.items()
  }
  network = mobile.Mobile(layout, project=True)
  macs = mobile_cost.mobile_macs(network)(arch)
  assert round(float(macs) / 1e6) == millions


@pytest.mark.parametrize('name', list(NETWORKS))
def test_tables_give_the_count_of_the_sliced_child(name):
  network = NETWORKS[name]
  layout = network.layout
  space, costs = spaces.mobile(layout), mobile_cost.mobile_cost(network)
  archs = [spaces.biggest(layout), spaces.smallest(layout)]
  archs += [space.sample(jax.random.key(seed)) for seed in range(3)]
  for arch in archs:
    side = layout.resolutions[int(arch['resolution'][0])]
    expected = _count(network, arch, side)
    forms = arch, choice.static(arch), choice.one_hot(arch, space.mask)
    for form in forms:
      np.testing.assert_array_equal(costs(form), expected)


def test_relaxed_costs_are_expected_ones():
  network = mobile.Mobile(
    spaces.Layout(
      (8,), (4, 6), (spaces.Stage((4, 8), (1, 2), (3, 5), (2,)),), (6,)
    ),
    num_classes=3,
  )
  space, costs = (
    spaces.mobile(network.layout),
    mobile_cost.mobile_cost(network),
  )
  weights = {
    'width': [[0.3, 0.7], [0.6, 0.4], [1.0, 0.0]],
    'depth': [[0.2, 0.8]],
    'kernel': [[0.9, 0.1]],
  }
  expected = np.zeros(2)
  for stem, width, depth, kernel in itertools.product(range(2), repeat=4):
    arch = {
      'width': jnp.array([stem, width, 0]),
      'depth': jnp.array([depth]),
      'kernel': jnp.array([kernel]),
    }
    p = weights['width'][0][stem] * weights['width'][1][width]
    p *= weights['depth'][0][depth] * weights['kernel'][0][kernel]
    expected += p * np.array(costs(arch))
  relaxed = {name: jnp.array(rows) for name, rows in weights.items()}
  np.testing.assert_allclose(costs(relaxed), expected, rtol=1e-6)
  assert space.mask.keys() == weights.keys()
  gradient = jax.grad(lambda arch: costs(arch).macs)(relaxed)
  assert gradient['kernel'][0, 1] > gradient['kernel'][0, 0]


def test_costs_of_many_architectures_are_one_program():
  network = NETWORKS['project']
  space, costs = spaces.mobile(TINY), mobile_cost.mobile_params(network)
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 5))
  many = jax.jit(jax.vmap(costs))(archs)
  for i in range(5):
    one = costs(jax.tree.map(lambda leaf, i=i: leaf[i], archs))
    np.testing.assert_array_equal(many[i], one)
