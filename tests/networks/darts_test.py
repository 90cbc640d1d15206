"""Tests of the networks of DARTS."""

from flax import errors
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import darts
from nasjax.spaces import categorical, darts_cell
from tests.networks import forms

NAMES = ('none', 'skip_connect', 'sep_conv_3x3')
TINY = darts.Darts(channels=4, num_cells=3, num_nodes=2, operations=NAMES)
SPACE_NAMES = ('none', 'skip_connect', 'dil_conv_3x3')
SPACE = categorical.categorical({'normal': (2, 3), 'reduce': (2, 3)})
NOTHING = {'normal': (0,) * 5, 'reduce': (0,) * 5}


def _evaluated(**settings):
  return darts.Darts(affine=True, pool_norm=False, **settings)


def test_edges_are_those_of_the_space():
  for num_nodes in (1, 2, 4):
    edges = darts.Darts(num_nodes=num_nodes).edges
    assert edges == tuple(zip(*darts_cell.edges(num_nodes)))


@pytest.mark.parametrize(
  'num_cells, reductions',
  [(3, (1, 2)), (8, (2, 5)), (14, (4, 9)), (20, (6, 13))],
)
def test_the_image_is_halved_at_thirds_of_the_depth(num_cells, reductions):
  assert darts.Darts(num_cells=num_cells).reductions == reductions


def test_reductions_can_be_placed_or_left_out():
  placed = darts.Darts(num_cells=4, reduction_cells=(1,))
  assert placed.kinds == ('normal', 'reduce', 'normal', 'normal')
  assert darts.Darts(num_cells=3, reduction_cells=()).kinds == ('normal',) * 3
  with pytest.raises(ValueError, match=r'from 0 to 2, got \[3\]'):
    TINY.clone(reduction_cells=(3,)).init(
      jax.random.key(0), NOTHING, forms.images()
    )


@pytest.mark.parametrize('num_nodes, expected', [(2, 137_392), (4, 372_464)])
def test_cells_of_the_wiring_study_have_their_number_of_weights(
  num_nodes, expected
):
  network = darts.Darts(
    num_nodes=num_nodes, reduction_cells=(), classifier_bias=False
  )
  arch = {'normal': jnp.zeros(len(network.edges), int)}
  num_weights, params = forms.num_weights(network, arch)
  assert num_weights == expected
  assert set(params['classifier']) == {'kernel'}


@pytest.mark.slow
def test_static_index_and_relaxed_forms_mean_the_same():
  # Its cells are compared alone in cell_test.py, with more nodes.
  network = TINY.clone(num_nodes=1, operations=SPACE_NAMES)
  keys = jax.random.split(jax.random.key(1), 4)
  archs = [SPACE.sample(key) for key in keys]
  compiled = forms.compile_network(network, archs[0])
  forms.assert_equal(compiled, SPACE, archs)


def test_the_supernet_has_the_published_number_of_weights():
  arch = {kind: jnp.zeros(14, int) for kind in ('normal', 'reduce')}
  assert forms.num_weights(darts.Darts(), arch)[0] == 1_930_618


@pytest.mark.parametrize(
  'stem, classes, channels, size, expected',
  [('cifar', 10, 36, 32, 476_426), ('imagenet', 1000, 48, 224, 1_260_776)],
)
def test_the_auxiliary_head_adds_the_published_number_of_weights(
  stem, classes, channels, size, expected
):
  network = _evaluated(
    num_classes=classes, channels=channels, num_cells=3, stem=stem
  )
  arch = {'normal': (0,) * 14, 'reduce': (0,) * 14}
  without, _ = forms.num_weights(network, arch, size)
  with_head, _ = forms.num_weights(network.clone(auxiliary=True), arch, size)
  assert with_head - without == expected


def test_training_with_an_auxiliary_head_gives_two_logits():
  network = TINY.clone(auxiliary=True, track=True, num_classes=7)
  x = forms.images(2, 32, 32)

  def outputs(train):
    variables = network.init(jax.random.key(0), NOTHING, x)
    return network.apply(variables, NOTHING, x, train, mutable=['batch_stats'])

  (logits, auxiliary), _ = jax.eval_shape(lambda: outputs(True))
  assert logits.shape == auxiliary.shape == (2, 7)
  logits, _ = jax.eval_shape(lambda: outputs(False))
  assert logits.shape == (2, 7)


def test_dropped_paths_change_the_logits_and_need_a_stream():
  arch = {'normal': (2, 1, 0, 1, 0), 'reduce': (1, 0, 1, 0, 1)}
  x = forms.images()
  variables = jax.jit(lambda key: TINY.init(key, arch, x))(jax.random.key(0))

  @jax.jit
  def logits(rate, key):
    rngs = {'drop_path': key}
    return TINY.apply(variables, arch, x, drop_path=rate, rngs=rngs)

  keys = jax.random.split(jax.random.key(1))
  whole = logits(0.0, keys[0])
  np.testing.assert_allclose(logits(0.0, keys[1]), whole, atol=1e-5)
  assert np.abs(logits(0.5, keys[0]) - whole).max() > 1e-2
  assert np.abs(logits(0.5, keys[0]) - logits(0.5, keys[1])).max() > 1e-2
  with pytest.raises(errors.InvalidRngError, match='drop_path'):
    TINY.apply(variables, arch, x, drop_path=0.5)


@pytest.mark.parametrize(
  'stem, size, message',
  [
    ('cifar', 3, 'cifar stem.*at least 4 pixels a side, got 3x3'),
    ('imagenet', 31, 'imagenet stem.*at least 32 pixels a side, got 31x31'),
    ('patches', 32, "Unknown stem 'patches'. Known: cifar, imagenet"),
  ],
)
def test_images_that_do_not_fit_the_stem_are_a_value_error(stem, size, message):
  network = TINY.clone(stem=stem)
  with pytest.raises(ValueError, match=message):
    network.init(jax.random.key(0), NOTHING, forms.images(1, size, size))


def test_the_smallest_and_odd_images_will_do():
  arch = {'normal': (1, 2, 0, 1, 0), 'reduce': (2, 1, 1, 0, 1)}
  for stem, height, width in (('cifar', 4, 7), ('imagenet', 32, 37)):
    x = forms.images(2, height, width)
    network = TINY.clone(stem=stem)
    logits, _ = jax.eval_shape(
      lambda network=network, x=x: network.init_with_output(
        jax.random.key(0), arch, x
      )
    )
    assert logits.shape == (2, 10)


POOLS = ('none', 'max_pool_3x3', 'avg_pool_3x3')  # without weights


def test_cells_of_their_own_may_be_those_of_the_two_kinds():
  shared = TINY.clone(num_cells=4, num_nodes=1, operations=POOLS)
  separate = shared.clone(cells=(2, 1, 0, 2))
  normal, reduce = jnp.array([1, 2]), jnp.array([2, 0])
  last = jnp.array([0, 1])
  x = forms.images()

  @jax.jit
  def logits(key):
    arch = {'normal': normal, 'reduce': reduce}
    variables = shared.init(key, arch, x)
    rows = jnp.stack([reduce, reduce, normal])
    forms_of_rows = rows, jax.nn.one_hot(rows, 3), ((2, 0), (2, 0), (1, 2))
    return [shared.apply(variables, arch, x)] + [
      separate.apply(variables, {'cells': cells}, x)
      for cells in (*forms_of_rows, rows.at[1].set(last))
    ]

  expected, *same, other = logits(jax.random.key(0))
  for found in same:
    np.testing.assert_allclose(found, expected, atol=1e-5)
  assert np.abs(other - expected).max() > 1e-2
  with pytest.raises(ValueError, match=r'4 layers .* the 2 cells'):
    separate.init(jax.random.key(0), {'cells': jnp.zeros((2, 2), int)}, x)


def test_an_edge_with_two_operations_adds_them():
  network = TINY.clone(num_nodes=1, operations=POOLS)
  pairs = network.clone(operations_per_edge=2)
  chosen = {'normal': [1, 2, 0, 1], 'reduce': [2, 2, 1, 0]}
  weights = jax.tree.map(
    lambda leaf: jax.nn.one_hot(jnp.array(leaf), 3).reshape(2, 2, 3).sum(1),
    chosen,
    is_leaf=lambda leaf: isinstance(leaf, list),
  )
  arch = {kind: jnp.array(leaf) for kind, leaf in chosen.items()}
  x = forms.images()

  @jax.jit
  def logits(key):
    variables = network.init(key, weights, x)
    return network.apply(variables, weights, x), pairs.apply(variables, arch, x)

  mixed, both = logits(jax.random.key(0))
  np.testing.assert_allclose(both, mixed, atol=1e-5)


def test_normalised_nodes_are_of_the_search_alone():
  arch = {kind: jnp.ones((5, 3)) for kind in ('normal', 'reduce')}
  network = TINY.clone(node_norm=True)
  plain, normed = (
    jax.eval_shape(lambda n=n: n.init(jax.random.key(0), arch, forms.images()))
    for n in (TINY, network)
  )
  assert jax.tree.structure(plain) == jax.tree.structure(normed)
  with pytest.raises(ValueError, match='keeps running ones'):
    network.clone(track=True).init(jax.random.key(0), arch, forms.images())


def test_an_unknown_operation_is_a_value_error_that_names_the_known():
  network = TINY.clone(operations=('none', 'conv7'))
  with pytest.raises(ValueError, match="'conv7'. Known: .*sep_conv_3x3"):
    network.init(jax.random.key(0), NOTHING, forms.images())
