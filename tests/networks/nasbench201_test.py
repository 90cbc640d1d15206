"""Tests of the network of NAS-Bench-201."""

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import batching
from nasjax.networks import nasbench201
from nasjax.spaces import nasbench201 as cells
from tests.networks import forms

SPACE = cells.nasbench201()
TINY = nasbench201.NasBench201(channels=4, cells_per_stage=1)
ONE_CONVOLUTION = {'op': (0, 0, 0, 2, 0, 0)}


def _random_archs(num):
  keys = jax.random.split(jax.random.key(0), num)
  return jax.jit(jax.vmap(SPACE.sample))(keys)


def _all_archs():
  places = 5 ** np.arange(6)[::-1]
  return np.arange(SPACE.size)[:, None] // places[None] % 5


@pytest.fixture(name='tiny', scope='module')
def _tiny():
  return forms.compile_network(TINY, {'op': jnp.zeros(6, int)})


def test_static_index_and_relaxed_forms_mean_the_same(tiny):
  random = _random_archs(3)
  archs = [{'op': jnp.array([1, 0, 0, 4, 3, 0])}] + [
    jax.tree.map(lambda leaf, i=i: leaf[i], random) for i in range(3)
  ]
  forms.assert_equal(tiny, SPACE, archs)


def test_one_program_serves_a_thousand_cells(tiny):
  variables = tiny.variables
  x, archs = forms.images(), _random_archs(1000)
  chex.clear_trace_counter()

  @jax.jit
  @chex.assert_max_traces(n=1)
  def logits(archs):
    return batching.map_archs(lambda a: TINY.apply(variables, a, x), archs)

  results = logits(archs)
  assert results.shape == (1000, 4, 10)
  assert np.isfinite(results).all()
  # Other cells, same program.
  reverse = logits(jax.tree.map(lambda leaf: leaf[::-1], archs))
  np.testing.assert_allclose(reverse[::-1], results, atol=1e-5)
  for i in (0, 1, 499, 999):
    arch = jax.tree.map(lambda leaf, i=i: leaf[i], archs)
    one, _ = tiny.jitted(variables, arch)
    np.testing.assert_allclose(results[i], one, atol=1e-4)
  assert len(np.unique(np.asarray(results)[:, 0, 0].round(4))) > 300


def test_weights_of_all_cells_are_those_of_the_closed_form():
  network = nasbench201.NasBench201()
  num_weights, params = forms.num_weights(network, {'op': jnp.zeros(6, int)})
  size = lambda tree: sum(leaf.size for leaf in jax.tree.leaves(tree))
  slots = [params[f'stage_{stage}']['edges_0'] for stage in range(3)]
  # All six edges have equal slots.
  of_edge = np.array(
    [
      sum(size(slot.get(name, {})) for slot in slots) // 6
      for name in cells.OPERATIONS
    ]
  )
  fixed = num_weights - 6 * of_edge.sum()
  archs = _all_archs()
  expected = jax.jit(jax.vmap(cells.num_params))({'op': jnp.asarray(archs)})
  np.testing.assert_array_equal(fixed + of_edge[archs].sum(1), expected)


@pytest.mark.parametrize(
  'name, expected', [('nor_conv_3x3', 1_531_546), ('none', 73_306)]
)
def test_a_static_network_owns_what_it_uses(name, expected):
  op = (cells.OPERATIONS.index(name),) * 6
  num_weights, _ = forms.num_weights(nasbench201.NasBench201(), {'op': op})
  assert num_weights == expected


def test_every_cell_starts_with_weights_of_its_own():
  network = TINY.clone(cells_per_stage=2)
  params = jax.jit(
    lambda key: network.init(key, ONE_CONVOLUTION, forms.images())
  )(jax.random.key(0))['params']
  convolution = params['stage_0']['edge_3']['nor_conv_1x1']
  kernels = np.asarray(convolution['ReluConvNorm_0']['Conv_0']['kernel'])
  assert kernels.shape == (2, 1, 1, 4, 4)
  assert np.unique(kernels).size == kernels.size


@pytest.mark.parametrize('track', [True, False])
def test_statistics_exist_only_where_they_are_kept(track):
  network = TINY.clone(track=track)
  variables = jax.eval_shape(
    lambda: network.init(jax.random.key(0), ONE_CONVOLUTION, forms.images())
  )
  assert ('batch_stats' in variables) == track


def test_small_images_with_odd_sides_will_do():
  arch = {'op': (3, 4, 1, 2, 0, 3)}
  logits, _ = jax.eval_shape(
    lambda: TINY.init_with_output(
      jax.random.key(0), arch, forms.images(2, 5, 7)
    )
  )
  assert logits.shape == (2, 10)


def test_too_small_images_are_a_value_error():
  with pytest.raises(ValueError, match='at least 4x4 pixels.*got 3x8'):
    TINY.init(jax.random.key(0), {'op': (0,) * 6}, forms.images(1, 3, 8))


def test_an_unknown_operation_is_a_value_error_that_names_the_known():
  network = TINY.clone(operations=('none', 'conv7'))
  with pytest.raises(ValueError, match="'conv7'. Known: .*nor_conv_3x3"):
    network.init(jax.random.key(0), {'op': (0,) * 6}, forms.images())


class _Double(nn.Module):
  """An operation of the user's own."""

  factor: float

  @nn.compact
  def __call__(self, x, train):
    return self.param('gain', nn.initializers.constant(self.factor), ()) * x


def test_operations_of_ones_own_are_taken():
  network = TINY.clone(
    operations=('none', 'double'),
    custom_operations={'double': lambda site: _Double(2.0)},
  )
  _, params = forms.num_weights(network, {'op': jnp.ones(6, int)}, 8)
  assert params['stage_2']['edges_0']['double']['gain'].shape == (1, 6)
