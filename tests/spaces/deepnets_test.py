"""The generator of DeepNets-1M, its graphs and its splits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.spaces import (
  deepnets,
  deepnets_graphs,
  deepnets_layouts,
  deepnets_primitives,
  deepnets_resnet,
  deepnets_splits,
  graphs,
)

_DIGITS, _CIFAR = deepnets_layouts.DIGITS, deepnets_layouts.CIFAR
_NAMES = np.array(deepnets_primitives.PRIMITIVES)


@pytest.fixture(scope='module')
def digits():
  """Splits, forty networks of the digits, and their graphs."""
  splits = deepnets_splits.splits(
    _DIGITS,
    (60, 20, 40),
    deepnets_splits.Extremes(2, (5, 6), (2, 3), 10, None),
  )
  archs = deepnets_splits.networks(splits['test'])
  draw = jax.vmap(lambda arch: deepnets_graphs.graph(_DIGITS, arch))
  return splits, archs, jax.tree.map(np.asarray, jax.jit(draw)(archs))


def _at(tree, i):
  return jax.tree.map(lambda leaf: np.asarray(leaf[i]), tree)


def _slow_graph(layout, arch):
  """Returns (name, shape) and edges of a network, built vertex by vertex."""
  pick = lambda name: getattr(layout, name)[int(arch[name][0])]
  depth, steps, width = pick('depths'), pick('steps'), pick('widths')
  normed = pick('norms') == 'batch'
  vertices, edges = [], []

  def add(name, sources, *shape):
    vertices.append((name, shape or (0, 0, 0, 0)))
    edges.extend((s, len(vertices) - 1) for s in sources)
    return len(vertices) - 1

  def norm(x, channels):
    return add('bn', [x], channels, 1, 1, 1) if normed else x

  def operate(name, x, c):
    kind, k = name.rsplit('_', 1)[0], 3 if name.endswith('3x3') else 1
    if 'pool' in name:
      return add(kind, [x], 1, 1, 3, 3)
    if kind in ('sep_conv', 'dil_conv'):
      for _ in range(2 if kind == 'sep_conv' else 1):
        x = add('conv', [add(kind, [x], c, 1, k, k)], c, c, 1, 1)
        x = norm(x, c)
      return x
    if kind == 'conv':
      return norm(add('conv', [x], c, c, k, k), c)
    if name == 'cse':
      y = add('conv', [x], c // 2, c, 1, 1)
      y = add('conv', [add('bias', [y], c // 2, 1, 1, 1)], c, c // 2, 1, 1)
      return add('cse', [add('bias', [y], c, 1, 1, 1), x])
    assert name == 'skip_connect'
    return x

  stem = add('conv', [add('input', [])], width, layout.image[2], 3, 3)
  stem = norm(stem, width)
  states = [(stem, width, 0)] * 2  # vertex, channels, times halved
  halved = 0
  for place in range(depth):
    kind = int(place == depth // 2)
    halved += kind
    c = width * pick('multipliers') ** halved
    pairs = [(i, j) for j in range(1, steps + 1) for i in range(j)]
    chosen = [pairs[int(arch['source'][kind, t])] for t in range(steps)]
    ops = [
      [layout.operations[int(o)] for o in arch['op'][kind, t]]
      for t in range(steps)
    ]
    nodes = []
    for j, (x, channels, times) in enumerate(states):
      used = any(
        pair[i] == j and names[i] != 'none'
        for pair, names in zip(chosen, ops)
        for i in range(2)
      )
      if not used:
        nodes.append(None)
        continue
      if halved > times:
        size = 2 ** (halved - times)
        x = add('avg_pool', [x], 1, 1, size, size)
      nodes.append(norm(add('conv', [x], c, channels, 1, 1), c))
    for t in range(steps):
      ends = [
        operate(name, nodes[source], c)
        for source, name in zip(chosen[t], ops[t])
        if name != 'none'
      ]
      nodes.append(add('sum', ends) if len(ends) > 1 else ends[0])
    kept = [nodes[2 + t] for t in range(steps) if not arch['drop'][kind, t]]
    output = add('concat', kept) if len(kept) > 1 else kept[0]
    states = [states[1], (output, c * len(kept), halved)]
  x, channels, _ = states[1]
  x = add('conv', [add('glob_avg', [x])], layout.num_classes, channels, 1, 1)
  add('bias', [x], layout.num_classes, 1, 1, 1)
  return vertices, edges


def test_graphs_equal_those_built_vertex_by_vertex(digits):
  _, archs, drawn = digits
  for i in range(40):
    vertices, edges = _slow_graph(_DIGITS, _at(archs, i))
    graph = _at(drawn, i)
    there = np.flatnonzero(graph.mask)
    names = [(_NAMES[graph.op[v]], tuple(graph.shape[v])) for v in there]
    assert names == vertices
    between = graph.adjacency[there][:, there]
    assert set(map(tuple, np.argwhere(between))) == set(edges)
    assert graph.adjacency.sum() == len(set(edges))
    numbers = {'bn': 2, 'conv': 1, 'sep_conv': 1, 'dil_conv': 1, 'bias': 1}
    count = sum(numbers.get(n, 0) * np.prod(shape) for n, shape in vertices)
    assert deepnets_graphs.num_params(graph) == count


def test_the_networks_of_a_split_depend_on_their_number_alone(digits):
  splits, archs, _ = digits
  later = deepnets_splits.networks(splits['test'], 30, 10)
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(a[30:], b), archs, later
  )
  with pytest.raises(ValueError, match='39 to 40 of a split of 40'):
    deepnets_splits.networks(splits['test'], 39, 2)


def test_splits_out_of_the_distribution_are_what_they_are_called(digits):
  splits, archs, drawn = digits
  wide = deepnets_splits.networks(splits['wide'])
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(a[:10], b), archs, wide
  )
  ratio = [
    float(deepnets.num_params(splits['wide'].layout, _at(wide, i)))
    / deepnets_graphs.num_params(_at(drawn, i))
    for i in range(3)
  ]
  assert all(2 <= r <= 4 for r in ratio)
  for name, field, options in (
    ('deep', 'depths', (5, 6)),
    ('dense', 'steps', (2, 3)),
    ('norm_free', 'norms', ('none',)),
  ):
    layout = splits[name].layout
    assert getattr(layout, field) == options
    check = jax.vmap(functools.partial(deepnets.is_valid, layout))
    assert jnp.all(check(deepnets_splits.networks(splits[name], 0, 4)))


def test_wide_networks_are_those_of_the_test_whatever_their_size(digits):
  layout = _DIGITS._replace(max_params=2e3)
  splits = deepnets_splits.splits(layout, (9, 9, 20))
  test, wide = splits['test'], splits['wide']._replace(size=20)
  archs, wider = deepnets_splits.networks(test), deepnets_splits.networks(wide)
  jax.tree.map(np.testing.assert_array_equal, archs, wider)
  count = jax.jit(jax.vmap(functools.partial(deepnets.num_params, wide.layout)))
  assert count(wider).max() > 2e3
  assert splits['norm_free'].layout.max_params == 2e3


def test_deep_and_dense_networks_have_nodes_as_the_authors_give_them():
  # Sizes apart, of which the graphs would have to be compiled.
  splits = deepnets_splits.splits(
    _CIFAR._replace(max_params=None),
    extremes=deepnets_splits.Extremes(size=400, max_params=None),
  )
  sizes = {}
  for name in ('test', 'deep', 'dense'):
    archs = deepnets_splits.networks(splits[name], 0, 400)
    pick = lambda what, name=name, archs=archs: np.array(
      getattr(splits[name].layout, what)
    )[archs[what][:, 0]]
    sizes[name] = pick('depths'), pick('steps')
  depths, steps = sizes['test']
  assert set(steps[depths > 10]) == {1, 2}
  assert steps[depths <= 7].max() == 4
  depths, steps = sizes['deep']
  assert depths.min() == 10 and depths.max() == 36
  assert steps[depths <= 18].max() == 4
  assert steps[depths > 18].max() == 2
  depths, steps = sizes['dense']
  assert steps[depths > 10].max() == 6
  assert steps[depths <= 7].max() > 6


def test_heads_and_stems_have_the_chances_of_the_authors():
  # Few nodes, so that enough networks do not attend; any size, as above.
  layout = _CIFAR._replace(max_params=None, steps=(1, 2))
  sample = deepnets.deepnets(layout).sample
  keys = jax.random.split(jax.random.key(0), 6000)
  archs = jax.tree.map(np.asarray, jax.jit(jax.vmap(sample))(keys))
  pick = lambda name: np.array(getattr(layout, name))[archs[name][:, 0]]
  there = np.arange(2) < pick('steps')[:, None]
  attends = np.array(layout.operations)[archs['op']] == 'msa'
  attends = (attends & there[:, None, :, None]).any((1, 2, 3))
  flattens, depths = pick('heads') == 'flatten', pick('depths')
  assert not flattens[attends | (depths > 10)].any()
  # Of 7 cells or fewer none is deep: 1,200 networks, whose share has a standard
  # deviation of 0.9 %.
  free = ~attends & (depths <= 7)
  assert free.sum() > 900
  assert flattens[free].mean() == pytest.approx(0.1, abs=0.03)
  hidden = pick('hidden')
  assert (hidden == 0).mean() == pytest.approx(0.5, abs=0.03)
  for width in layout.hidden[1:]:
    assert (hidden == width).mean() == pytest.approx(0.125, abs=0.02)
  double, pools = pick('stems') == 'double', pick('stem_pools')
  # What attends has a stem of patches.
  assert not double[attends].any() and not pools[attends | double].any()
  assert double[~attends].mean() == pytest.approx(0.5, abs=0.03)
  assert pools[~attends & ~double].mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_networks_for_cifar_10_are_as_the_generator_says():
  split = deepnets_splits.splits()['valid']
  archs = deepnets_splits.networks(split, 0, 50)
  draw = jax.jit(lambda arch: deepnets_graphs.graph(_CIFAR, arch))
  for i in range(50):
    arch = _at(archs, i)
    value = deepnets_layouts.values(_CIFAR, arch)
    graph = jax.tree.map(np.asarray, draw(arch))
    assert deepnets_graphs.num_params(graph) <= 1e7
    assert value.steps <= 2 or (value.depths <= 10 and value.norms == 0)
    there = graph.mask > 0
    # One input, besides that of positions, one output, and no vertex that does
    # not count.
    inputs = 1 + int(deepnets_layouts.attends(_CIFAR, arch))
    assert (graph.adjacency.sum(0)[there] == 0).sum() == inputs
    assert (graph.adjacency.sum(1)[there] == 0).sum() == 1
    assert not np.tril(graph.adjacency).any()


def test_resnet_50_has_its_published_number_of_parameters():
  graph = deepnets_resnet.resnet50()
  assert deepnets_graphs.num_params(graph) == 25_557_032
  assert (_NAMES[graph.op] == 'conv').sum() == 54
  assert not np.tril(graph.adjacency).any()


def test_distances_are_those_of_floyd_and_warshall(digits):
  adjacency = np.array(_at(digits[2], 0).adjacency)
  size = len(adjacency)
  lengths = np.where(adjacency > 0, 1.0, np.inf)
  np.fill_diagonal(lengths, 0)
  for k in range(size):
    lengths = np.minimum(lengths, lengths[:, k, None] + lengths[None, k])
  np.testing.assert_array_equal(
    graphs.distances(jnp.asarray(adjacency)), lengths
  )
  assert lengths[np.isfinite(lengths)].max() > 4


def test_an_unknown_operation_is_named():
  with pytest.raises(ValueError, match="Unknown operation 'identity'"):
    deepnets_primitives.chains(('none', 'identity'))
