"""Tests of partial channels against loops over edges and pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import cell, cost, darts, operations, partial
from tests.networks import forms

NAMES = ('none', 'skip_connect', 'max_pool_3x3', 'sep_conv_3x3')
EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CHANNELS, PARTS = 6, 3


def _cell(stride, parts=PARTS, unroll=False):
  site = operations.Site(CHANNELS, stride, parts=parts)
  return cell.Cell(operations.resolve(NAMES), EDGES, 2, site, unroll)


def _inputs():
  return jax.random.normal(jax.random.key(1), (2, 3, 5, 4, CHANNELS))


def _init(module):
  choices = jnp.zeros(len(EDGES), jnp.int32)
  init = jax.jit(module.init)
  return init(jax.random.key(0), choices, _inputs())['params']


def test_shuffling_deals_the_groups_out_in_turns():
  x = jnp.arange(12.0)[None, None, None]
  shuffled = np.ravel(partial.shuffle(x, 4))
  np.testing.assert_array_equal(
    shuffled, [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
  )
  back = partial.shuffle(partial.shuffle(x, 4), 3)
  np.testing.assert_array_equal(back, x)


def _pooled(x):
  """The maximum of all pixels of each 2x2 window, by loops."""
  num, height, width, channels = x.shape
  out = np.zeros((num, -(-height // 2), -(-width // 2), channels))
  for i, j in np.ndindex(out.shape[1:3]):
    out[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max((1, 2))
  return out


@pytest.mark.parametrize('stride', [1, 2])
def test_a_cell_is_the_sum_over_edges_that_see_a_part(stride):
  module, inputs = _cell(stride), _inputs()
  params = _init(module)
  rng = np.random.default_rng(0)
  weights = rng.uniform(size=(len(EDGES), len(NAMES))).astype(np.float32)
  nodes = jax.jit(lambda p, w: module.apply({'params': p}, w, inputs))(
    params, weights
  )

  size = CHANNELS // PARTS
  got = [*np.asarray(inputs), *np.asarray(nodes)]
  rows = {0: 0, 1: 0}
  expected = {2: 0, 3: 0}
  for e, (source, target) in enumerate(EDGES):
    inner = int(stride == 2 and source >= 2)
    slots = params[f'edges_{inner}']
    own = jax.tree.map(lambda leaf, i=inner: leaf[rows[i]], slots)
    rows[inner] += 1
    step = stride if source < 2 else 1
    x = got[source]  # the nodes before are checked by themselves
    mixed = 0
    for k, name in enumerate(NAMES):
      part = operations.OPERATIONS[name](operations.Site(size, step))
      y = part.apply({'params': own.get(name, {})}, x[..., :size], True)
      mixed = mixed + weights[e, k] * np.asarray(y)
    rest = _pooled(x[..., size:]) if step == 2 else x[..., size:]
    joined = np.concatenate([mixed, weights[e].sum() * rest], -1)
    order = [g * size + i for i in range(size) for g in range(PARTS)]
    expected[target] = expected[target] + joined[..., order]
  np.testing.assert_allclose(nodes[0], expected[2], rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(nodes[1], expected[3], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('stride', [1, 2])
def test_all_forms_mean_the_same(stride):
  module, inputs = _cell(stride), _inputs()
  params = _init(module)
  arch = (3, 0, 1, 2, 1)  # channels pass `none` too

  def run(module, choices):
    def loss(params):
      nodes = module.apply({'params': params}, choices, inputs)
      return jnp.sum(jnp.sin(nodes)), nodes

    return jax.value_and_grad(loss, has_aux=True)(params)

  @jax.jit
  def all_forms(index):
    relaxed = jax.nn.one_hot(index, len(NAMES))
    unrolled = _cell(stride, unroll=True)
    return [
      run(module, arch),
      run(module, index),
      run(module, relaxed),
      run(unrolled, index),
    ]

  static, *others = all_forms(jnp.array(arch))
  for other in others:
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4), static, other
    )


def test_a_part_of_the_channels_needs_fewer_weights():
  arch = {kind: jnp.zeros(14, int) for kind in ('normal', 'reduce')}
  network = darts.Darts(channels=16, num_cells=3)
  whole, _ = forms.num_weights(network, arch)
  quarter, _ = forms.num_weights(network.clone(parts=4), arch)
  assert quarter < whole / 2


def test_costs_are_those_of_the_part():
  network = darts.Darts(
    channels=4, num_cells=3, num_nodes=1, operations=NAMES, parts=2
  )
  shape = (8, 8, 3)
  of_arch = cost.darts_cost(network, shape)
  for op in range(len(NAMES)):
    arch = {'normal': (op, 0), 'reduce': (0, op)}
    exact = cost.count(network, arch, jnp.zeros((1, *shape)))
    got = of_arch(choice.index(arch))
    assert (got.params, got.macs) == (exact.params, exact.macs)


def test_channels_must_make_equal_parts():
  with pytest.raises(ValueError, match='6 channels do not make 4 equal parts'):
    _init(_cell(1, parts=4))
