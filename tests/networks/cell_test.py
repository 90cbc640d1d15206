"""Tests of the cell: its forms, its edges, dropped paths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice, ops
from nasjax.networks import cell, nasbench201, operations
from nasjax.spaces import nasbench201 as cells

NAMES = ('none', 'skip_connect', 'max_pool_3x3', 'nor_conv_1x1')
# Two inputs, two nodes, as in DARTS.
EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
ARCHS = [(3, 0, 1, 2, 3), (1, 2, 0, 0, 3), (0, 0, 2, 3, 1)]
CHANNELS = 3


def _cell(
  stride=1, names=NAMES, edges=EDGES, num_inputs=2, node_norm=False, **site
):
  site = operations.Site(CHANNELS, stride, **site)
  return cell.Cell(
    operations.resolve(names), edges, num_inputs, site, node_norm=node_norm
  )


def _inputs(num_inputs=2, num=4, size=5):
  return jax.random.normal(
    jax.random.key(1), (num_inputs, num, size, size, CHANNELS)
  )


def _init(module, num_choices, inputs):
  choices = jnp.zeros(num_choices, jnp.int32)
  return jax.jit(module.init)(jax.random.key(0), choices, inputs)


def _value_and_gradient(module, inputs):
  def loss(params, choices):
    nodes = module.apply({'params': params}, choices, inputs)
    return jnp.sum(jnp.sin(nodes)), nodes

  def run(params, choices):
    (_, nodes), gradient = jax.value_and_grad(loss, has_aux=True)(
      params, choices
    )
    return nodes, gradient

  return run


def _assert_close(actual, expected):
  def compare(a, b):
    scale = max(1, np.abs(b).max(initial=0))
    np.testing.assert_allclose(a / scale, b / scale, atol=1e-5)

  jax.tree.map(compare, actual, expected)


# The forms of choice.


@pytest.mark.parametrize(
  'stride, node_norm', [(1, False), (2, False), (1, True)]
)
def test_static_index_and_relaxed_forms_mean_the_same(stride, node_norm):
  module, inputs = _cell(stride, node_norm=node_norm), _inputs()
  params = _init(module, len(EDGES), inputs)['params']
  run = _value_and_gradient(module, inputs)

  @jax.jit
  def unrolled(params):
    return [run(params, arch) for arch in ARCHS]

  jitted = jax.jit(run)
  for arch, expected in zip(ARCHS, unrolled(params)):
    index = jitted(params, jnp.array(arch))
    _assert_close(index, expected)
    relaxed = jitted(params, jax.nn.one_hot(jnp.array(arch), len(NAMES)))
    _assert_close(relaxed, expected)


@pytest.mark.parametrize('stride', [1, 2])
def test_sparse_choices_mean_what_dense_ones_mean(stride):
  module, inputs = _cell(stride), _inputs()
  params = _init(module, len(EDGES), inputs)['params']
  weights = jax.nn.softmax(
    jax.random.normal(jax.random.key(2), (len(EDGES), len(NAMES)))
  )
  kept = jax.nn.one_hot(choice.sparse(weights, 2).index, len(NAMES)).sum(1)

  def run(num_options):
    def loss(params, weights):
      choices = weights * kept
      if num_options:
        choices = choice.sparse(choices, num_options)
      nodes = module.apply({'params': params}, choices, inputs)
      return jnp.sum(jnp.sin(nodes)), nodes

    return jax.value_and_grad(loss, (0, 1), has_aux=True)(params, weights)

  dense, sparse = jax.jit(lambda: (run(None), run(2)))()
  _assert_close(sparse, dense)
  assert np.all((dense[1][1] != 0) <= (kept > 0))


def _of_edge(params, e):
  """The weights of one edge: those that leave inputs may have slots apart."""
  inner = EDGES[e][0] >= 2 and 'edges_1' in params
  group = [i for i, (source, _) in enumerate(EDGES) if (source >= 2) == inner]
  group = group if 'edges_1' in params else range(len(EDGES))
  slots = params[f'edges_{int(inner)}']
  return jax.tree.map(lambda leaf: leaf[group.index(e)], slots)


@pytest.mark.parametrize(
  'stride, node_norm', [(2, False), (1, True), (2, True)]
)
def test_a_relaxed_cell_is_the_sum_over_edges_of_mixed_operations(
  stride, node_norm
):
  module, inputs = _cell(stride, node_norm=node_norm), _inputs()
  params = _init(module, len(EDGES), inputs)['params']
  weights = jax.nn.softmax(
    jax.random.normal(jax.random.key(2), (len(EDGES), len(NAMES)))
  )

  def branch(name, stride):
    part = operations.OPERATIONS[name](operations.Site(CHANNELS, stride))
    return lambda params, x: part.apply(
      {'params': params.get(name, {})}, x, True
    )

  def by_edges(params, weights):
    nodes = [*inputs]
    for node in (2, 3):
      total = sum(
        choice.switch(
          weights[e],
          [branch(name, stride if source < 2 else 1) for name in NAMES],
          _of_edge(params, e),
          nodes[source],
        )
        for e, (source, target) in enumerate(EDGES)
        if target == node
      )
      nodes.append(ops.batch_norm(total) if node_norm else total)
    return jnp.stack(nodes[2:])

  def looped(params, weights):
    return module.apply({'params': params}, weights, inputs)

  @jax.jit
  def both(params, weights):
    loss = lambda run: lambda *args: jnp.sum(jnp.sin(run(*args)))
    return [
      (run(params, weights), jax.grad(loss(run), (0, 1))(params, weights))
      for run in (looped, by_edges)
    ]

  _assert_close(*both(params, weights))


def test_the_slots_of_all_edges_start_with_weights_of_their_own():
  params = _init(_cell(), len(EDGES), _inputs())['params']
  kernels = params['edges_0']['nor_conv_1x1']['ReluConvNorm_0']['Conv_0']
  kernels = np.asarray(kernels['kernel'])
  assert kernels.shape == (len(EDGES), 1, 1, CHANNELS, CHANNELS)
  assert np.unique(kernels).size == kernels.size


def test_a_static_cell_owns_the_chosen_operations_alone():
  module, inputs = _cell(2), _inputs()
  arch = ARCHS[0]
  variables = jax.eval_shape(
    lambda: module.init(jax.random.key(0), arch, inputs)
  )
  # Skips own weights where they halve the image; pools and zeros never do.
  owned = {e: NAMES[k] for e, k in enumerate(arch) if NAMES[k] != 'none'}
  assert set(variables['params']) <= {f'edge_{e}' for e in owned}
  for e, name in owned.items():
    assert set(variables['params'].get(f'edge_{e}', {})) == (
      set() if name == 'max_pool_3x3' else {name}
    )


def test_nodes_without_edges_are_zero_in_all_forms():
  module, inputs = _cell(2), _inputs()
  variables = _init(module, len(EDGES), inputs)
  none = (0,) * len(EDGES)

  @jax.jit
  def run(choices):
    apply = lambda choices: module.apply(variables, choices, inputs)
    return apply(none), apply(choices)

  for nodes in run(jnp.array(none)):
    assert nodes.shape == (2, 4, 3, 3, CHANNELS)
    np.testing.assert_array_equal(nodes, 0)


@pytest.mark.parametrize('unroll', [False, True])
@pytest.mark.parametrize(
  'arch',
  [
    (0, 1, 2, 3, 3, 1),  # node 1 has no input
    (3, 0, 0, 0, 1, 3),  # node 2 has none
    (0, 0, 2, 0, 0, 3),  # no path: nothing but biases
  ],
)
def test_edges_of_a_node_without_input_add_their_bias_in_all_forms(
  arch, unroll
):
  site = operations.Site(CHANNELS, affine=True, pool_norm=False)
  module = cell.Cell(
    operations.resolve(cells.OPERATIONS), nasbench201.EDGES, 1, site, unroll
  )
  inputs = _inputs(1)
  plain = _init(module, len(arch), inputs)
  keys = iter(jax.random.split(jax.random.key(3), 10))
  biased = jax.tree.map_with_path(
    lambda path, leaf: (
      jax.random.normal(next(keys), leaf.shape)
      if path[-1].key == 'bias'
      else leaf
    ),
    plain,
  )
  # What the static form owns where it is initialised so.
  own = {
    f'edge_{e}': jax.tree.map(
      lambda leaf, e=e: leaf[e], {name: biased['params']['edges_0'][name]}
    )
    for e, name in enumerate(cells.OPERATIONS[k] for k in arch)
    if name.startswith('nor_conv')
  }

  @jax.jit
  def run(choices):
    return (
      module.apply(biased, arch, inputs),
      module.apply({'params': own}, arch, inputs),
      module.apply(biased, choices, inputs),
      module.apply(plain, choices, inputs),
    )

  static, alone, index, without = run(jnp.array(arch))
  _assert_close(static, index)
  _assert_close(alone, index)
  assert np.abs(index - without)[-1].max() > 0.1


# Running statistics.


def _train(module, variables, choices, inputs):
  """Return statistics before and after one batch."""
  _, updates = module.apply(
    variables, choices, inputs, True, mutable=['batch_stats']
  )
  return variables['batch_stats'], updates['batch_stats']


@pytest.mark.parametrize('arch', [ARCHS[0], tuple(ARCHS[0])])
def test_statistics_start_at_zero_and_one(arch):
  module = _cell(track=True)
  choices = arch if isinstance(arch, tuple) else jnp.array(arch)
  init = lambda key: module.init(key, choices, _inputs())
  stats = jax.jit(init)(jax.random.key(1))['batch_stats']
  for path, leaf in jax.tree.leaves_with_path(stats):
    expected = {'mean': 0, 'var': 1}[path[-1].key]
    np.testing.assert_array_equal(leaf, expected)


def test_only_chosen_operations_move_their_statistics():
  module, inputs = _cell(track=True), _inputs()
  variables = _init(module, len(EDGES), inputs)
  before, after = jax.jit(
    lambda choices: _train(module, variables, choices, inputs)
  )(jnp.array(ARCHS[0]))
  for name in NAMES[2:]:  # those with norm
    old, new = (
      jax.tree.leaves(stats['edges_0'][name]) for stats in (before, after)
    )
    for a, b in zip(old, new):
      moved = [not np.allclose(a[e], b[e]) for e in range(len(EDGES))]
      assert moved == [NAMES[k] == name for k in ARCHS[0]]


def test_a_static_cell_moves_all_statistics_that_it_owns():
  module, inputs = _cell(track=True), _inputs()

  @jax.jit
  def train(key):
    variables = module.init(key, ARCHS[0], inputs)
    return _train(module, variables, ARCHS[0], inputs)

  before, after = map(jax.tree.leaves, train(jax.random.key(0)))
  assert len(before) == len(after) == 2 * 3  # mean and variance
  assert not any(np.allclose(a, b) for a, b in zip(before, after))


# Dropped paths.


def _ratios(names, op, stride=1, drop_path=0.25, num=2000, **site):
  """Outputs with dropped paths over those without, `[E, N]`."""
  edges = ((0, 1), (0, 2))
  module = _cell(stride, names, edges, 1, **site)
  inputs = _inputs(1, num, 2)
  choices = jnp.array([op, op])

  @jax.jit
  def run(key):
    variables = module.init(key, choices, inputs)
    dropped = module.apply(
      variables, choices, inputs, True, drop_path, rngs={'drop_path': key}
    )
    return dropped, module.apply(variables, choices, inputs)

  dropped, whole = map(np.asarray, run(jax.random.key(3)))
  ratios = (dropped * whole).sum((2, 3, 4)) / (whole**2).sum((2, 3, 4))
  # All pixels and channels of an example share one factor.
  factors = np.broadcast_to(ratios[:, :, None, None, None], whole.shape)
  np.testing.assert_allclose(dropped, factors * whole, atol=1e-4)
  return ratios


NORM_CONV = ('none', 'nor_conv_1x1', 'skip_connect')


def test_dropped_paths_keep_the_expectation():
  ratios = _ratios(NORM_CONV, 1)
  kept = ratios > 0.5
  np.testing.assert_allclose(ratios, np.where(kept, 1 / 0.75, 0), atol=1e-4)
  # Four standard errors of 2,000 examples, for each edge.
  np.testing.assert_allclose(kept.mean(1), 0.75, atol=0.04)
  np.testing.assert_allclose(ratios.mean(1), 1, atol=0.052)


def test_paths_are_dropped_for_each_edge_and_example():
  kept = _ratios(NORM_CONV, 1) > 0.5
  both = (kept[0] & kept[1]).mean()
  np.testing.assert_allclose(both, 0.75**2, atol=0.045)


def test_identities_are_not_dropped_but_their_reductions_are():
  np.testing.assert_allclose(_ratios(NORM_CONV, 2, num=50), 1, atol=1e-5)
  ratios = _ratios(NORM_CONV, 2, stride=2, num=200)
  assert np.any(np.abs(ratios) < 0.5) and np.any(ratios > 0.5)


def test_identities_alone_are_dropped_where_asked():
  ratios = _ratios(NORM_CONV, 2, drop_skips=True)
  kept = ratios > 0.5
  np.testing.assert_allclose(ratios, np.where(kept, 1 / 0.75, 0), atol=1e-4)
  np.testing.assert_allclose(kept.mean(1), 0.75, atol=0.04)
  others = _ratios(NORM_CONV, 1, num=50, drop_skips=True)
  np.testing.assert_allclose(others, 1, atol=1e-5)


def test_a_single_example_is_dropped_too():
  module = _cell(1, NORM_CONV, ((0, 1),), 1)
  inputs = _inputs(1, 1, 2)
  choices = jnp.array([1])
  variables = _init(module, 1, inputs)

  @jax.jit
  @jax.vmap
  def norms(key):
    nodes = module.apply(
      variables, choices, inputs, True, 0.5, rngs={'drop_path': key}
    )
    return jnp.sum(jnp.abs(nodes))

  dropped = np.asarray(norms(jax.random.split(jax.random.key(0), 40))) == 0
  assert 0.2 < dropped.mean() < 0.8


def test_all_forms_drop_the_same_paths():
  module, inputs = _cell(), _inputs()
  variables = _init(module, len(EDGES), inputs)
  arch = ARCHS[0]

  @jax.jit
  def run(choices):
    drop = lambda c: module.apply(
      variables, c, inputs, True, 0.5, rngs={'drop_path': jax.random.key(7)}
    )
    relaxed = jax.nn.one_hot(choices, len(NAMES))
    return drop(arch), drop(choices), drop(relaxed)

  static, index, relaxed = run(jnp.array(arch))
  _assert_close(index, static)
  _assert_close(relaxed, static)


def test_a_reduction_may_have_one_node():
  module = _cell(2, NORM_CONV, ((0, 2), (1, 2)))
  shape = jax.eval_shape(
    lambda: module.init_with_output(
      jax.random.key(0), jnp.array([1, 2]), _inputs()
    )[0]
  ).shape
  assert shape == (1, 4, 3, 3, CHANNELS)


# Mistakes.


@pytest.mark.parametrize(
  'choices', [jnp.ones((5, 5)), jnp.ones((4, 4)), jnp.ones(6, int), (0,) * 4]
)
def test_choices_that_do_not_fit_the_edges_are_a_value_error(choices):
  with pytest.raises(
    ValueError, match=r'5 edges with 4 operations .*\(5,\), or \(5, 4\)'
  ):
    _cell().init(jax.random.key(0), choices, _inputs())


def test_a_wrong_number_of_inputs_is_an_error():
  with pytest.raises(AssertionError):
    _cell().init(jax.random.key(0), ARCHS[0], _inputs(3))
