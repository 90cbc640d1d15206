"""The interpreter is the network that its graphs describe."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import networks
from nasjax.networks import dag, nago, nago_cost
from nasjax.spaces import generators, random_graphs

_LEVELS = (
  generators.Level('watts_strogatz', (3, 4), (2, 4), (0.5,)),
  generators.Level('erdos_renyi', (1, 3), (), (0.7, 1.0)),
  generators.Level('watts_strogatz', (3, 4), (2,), (0.5,)),
)
_SPACE = generators.generator(_LEVELS)
_SHAPE = (5, 5, 1)  # odd: pooling has to cope
_NET = dict(
  num_classes=3,
  channels=2,
  channel_ratios=(1, 2),
  stage_ratios=(0.5, 0.5),
  head=4,
)


def _norm(x):
  mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
  return (x - mean) / jnp.sqrt(variance + 1e-5)


def _conv3(x, kernel):
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  height, width = x.shape[1:3]
  return sum(
    padded[:, i : i + height, j : j + width] @ kernel[i, j]
    for i in range(3)
    for j in range(3)
  )


def _halve(x):
  """Mean of each 2x2 block, of what there is of it."""
  height, width = x.shape[1:3]
  rows = [
    jnp.stack(
      [x[:, i : i + 2, j : j + 2].mean((1, 2)) for j in range(0, width, 2)],
      axis=1,
    )
    for i in range(0, height, 2)
  ]
  return jnp.stack(rows, axis=1)


class _Unrolled:
  """The network, node by node in Python; knows the weights that it has read."""

  def __init__(self, params, merge):
    self.params, self.merge, self.used = params, merge, {}

  def read(self, *path, at=()):
    value = functools.reduce(lambda tree, name: tree[name], path, self.params)
    self.used[path, at] = value[at].size
    return value[at]

  def combine(self, path, slot, inputs, merge):
    """Inputs as pairs of the place that they come from and the value."""
    if len(inputs) == 1:
      return inputs[0][1]
    at = lambda name, i: self.read(*path, 'merge', name, at=(*slot, i))
    gate = jax.nn.sigmoid
    if merge == 'concat':
      return sum(x @ at('kernel', i) for i, x in inputs)
    gated = [gate(at('weight', i)) * x for i, x in inputs]
    if merge == 'sum':
      return sum(gated)
    own = gate(self.read(*path, 'merge', 'own', at=slot))
    low = gated[0].min((1, 2, 3), keepdims=True)
    high = gated[0].max((1, 2, 3), keepdims=True)
    rest = sum(gated[1:])
    return own * rest + rest * (gated[0] - low) / (high - low)

  def graph(self, path, slot, adjacency, mask, run, x):
    """Run the nodes of a graph and return the mean of its outputs."""
    path, results = (*path, 'nodes', 'step'), {}
    for node in np.flatnonzero(mask):
      before = np.flatnonzero(adjacency[:, node])
      place = (*slot, int(node))
      value = x
      if len(before):
        inputs = [(int(i), results[i]) for i in before]
        value = self.combine(path, place, inputs, self.merge)
      results[node] = run((*path, 'node'), place, value)
    ends = [results[i] for i in results if not adjacency[i].any()]
    return sum(ends) / len(ends)

  def operation(self, path, place, x):
    op = (*path, 'ReluConvNorm_0')
    y = _conv3(jax.nn.relu(x), self.read(*op, 'Conv_0', 'kernel', at=place))
    scale = self.read(*op, 'BatchNorm_0', 'scale', at=place)
    return _norm(y) * scale + self.read(*op, 'BatchNorm_0', 'bias', at=place)

  def cell(self, path, slot, graphs, x):
    (middle, middle_mask), (bottom, bottom_mask) = graphs

    def run(path, place, x):
      m = place[-1]
      return self.graph(
        path, place, bottom[m], bottom_mask[m], self.operation, x
      )

    return self.graph(path, slot, middle, middle_mask, run, x)

  def __call__(self, arch, images):
    """Logits of two stages."""
    x = images
    for i in (0, 1):
      x = _conv3(jax.nn.relu(x) if i else x, self.read(f'stem_{i}', 'kernel'))
      norm = f'stem_norm_{i}'
      x = _norm(x) * self.read(norm, 'scale') + self.read(norm, 'bias')
    adjacency, num_nodes = arch.top.adjacency, arch.top.mask.sum()
    sizes = [(num_nodes + 1) // 2, num_nodes // 2]
    results, slots = {}, [(s, i) for s in (0, 1) for i in range(sizes[s])]
    for node, (s, slot) in enumerate(slots):
      path = (f'stage_{s}', 'step')
      before = np.flatnonzero(adjacency[:, node])
      inputs, number = [], max(len(before), 1)
      for i in before if len(before) else [None]:
        from_stage, from_slot = (0, 0) if i is None else slots[i]
        value = x if i is None else results[i]
        is_stem = i is None
        if s == from_stage:
          if number > 1:
            weight = self.read(*path, 'merge', 'weight', at=(slot, from_slot))
            value = jax.nn.sigmoid(weight) * value
        else:
          name = f'carry_{0 if is_stem else 1 + from_stage}_{s}'
          kernel = self.read(name, 'kernel', at=(from_slot, slot))
          value = _halve(value) @ kernel
        inputs.append(value)
      graphs = [
        (level.adjacency[node], level.mask[node])
        for level in (arch.middle, arch.bottom)
      ]
      results[node] = self.cell((*path, 'node'), (slot,), graphs, sum(inputs))
    ends = []
    for node in range(num_nodes):
      if not adjacency[node].any():
        s, slot = slots[node]
        y = results[node]
        if s == 0:
          y = _halve(y) @ self.read('last_0', 'kernel', at=(slot, 0))
        ends.append(y)
    x = jax.nn.relu(sum(ends) / len(ends)) @ self.read('head', 'kernel')[0, 0]
    x = _norm(x) * self.read('head_norm', 'scale')
    x = jax.nn.relu(x + self.read('head_norm', 'bias')).mean((1, 2))
    return x @ self.read('classifier', 'kernel') + self.read(
      'classifier', 'bias'
    )


@pytest.fixture(scope='module', name='drawn')
def _drawn():
  """Networks that differ in what they have."""
  archs = jax.vmap(_SPACE.sample)(jax.random.split(jax.random.key(0), 24))
  return archs, generators.realise_all(_LEVELS, archs)


def _at(tree, i):
  return jax.tree.map(lambda leaf: leaf[i], tree)


def _init(network, arch, images):
  """Weights of all kinds that differ from place to place."""
  variables = jax.jit(network.init)(jax.random.key(2), arch, images)
  noise = lambda x: x + 0.3 * jnp.sin(jnp.arange(x.size)).reshape(x.shape)
  return jax.tree.map(noise, variables['params'])


def _project(logits):
  return jnp.sum(logits * jnp.cos(jnp.arange(logits.size)).reshape(-1, 3))


def test_one_program_is_every_unrolled_network(drawn):
  network, traces = networks.Nago(**_NET), []
  images = jax.random.normal(jax.random.key(1), (2, *_SHAPE))
  params = _init(network, _at(drawn[1], 0), images)

  @jax.jit
  @jax.value_and_grad
  def program(params, arch):
    traces.append(1)
    return _project(network.apply({'params': params}, arch, images))

  for i in range(2):
    arch = jax.tree.map(np.asarray, _at(drawn[1], i))
    value, gradient = program(params, arch)
    slow = lambda params, arch=arch: _project(
      _Unrolled(params, 'sum')(arch, images)
    )
    with jax.numpy_rank_promotion('allow'):
      expected, slow_gradient = jax.value_and_grad(slow)(params)
    np.testing.assert_allclose(value, expected, rtol=2e-4, atol=2e-4)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3),
      gradient,
      slow_gradient,
    )
  assert len(traces) == 1


@pytest.mark.parametrize('merge', dag.MERGES)
def test_a_graph_merges_as_it_says(drawn, merge):
  graph = dag.Graph(functools.partial(dag.Operation, False, True), merge)
  x = jax.random.normal(jax.random.key(1), (2, 4, 4, 3))
  wiring = random_graphs.Dag(
    jnp.triu(jnp.ones((5, 5), bool), 1), jnp.arange(5) < 4
  )
  wiring = wiring._replace(
    adjacency=wiring.adjacency.at[0, 2].set(False).at[:, 4].set(False)
  )
  params = _init(graph, (wiring,), x)
  y = graph.apply({'params': params}, (wiring,), x)
  unrolled = _Unrolled(params, merge)
  with jax.numpy_rank_promotion('allow'):
    expected = unrolled.graph(
      (), (), *jax.tree.map(np.asarray, wiring), unrolled.operation, x
    )
  np.testing.assert_allclose(y, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize('merge', dag.MERGES)
def test_weights_are_counted_that_the_network_reads(drawn, merge):
  network = networks.Nago(**_NET, merge=merge)
  cost = jax.jit(nago_cost.nago_cost(network, _SHAPE, (3, 4)))
  images = jnp.zeros((1, *_SHAPE))
  shapes = jax.eval_shape(
    network.init, jax.random.key(0), _at(drawn[1], 0), images
  )
  params = jax.tree.map(lambda x: np.zeros(x.shape), shapes['params'])
  for i in range(3):
    arch = jax.tree.map(np.asarray, _at(drawn[1], i))
    unrolled = _Unrolled(params, merge)
    with jax.numpy_rank_promotion('allow'):
      unrolled(arch, images)
    assert cost(arch).params == sum(unrolled.used.values())


def test_memory_and_multiply_adds_count_every_operation(drawn):
  network = networks.Nago(**_NET)
  cost = jax.jit(nago_cost.nago_cost(network, _SHAPE, (3, 4)))
  for i in range(24):
    arch = jax.tree.map(np.asarray, _at(drawn[1], i))
    num_nodes = arch.top.mask.sum()
    first = arch.bottom.mask[: (num_nodes + 1) // 2].sum()
    second = arch.bottom.mask.sum() - first
    found = cost(arch)
    assert found.memory == first * 25 * 2 + second * 9 * 4
    least = first * 25 * 36 + second * 9 * 144  # convolutions of nodes
    assert least < found.macs < least * 1.6


def test_multiply_adds_count_the_convolutions_that_merge(drawn):
  plain, merging = (
    jax.jit(nago_cost.nago_cost(networks.Nago(**_NET, merge=m), _SHAPE, (3, 4)))
    for m in ('sum', 'concat')
  )
  for i in range(6):
    arch = jax.tree.map(np.asarray, _at(drawn[1], i))
    num_nodes, extra = arch.top.mask.sum(), 0
    for node in range(num_nodes):
      is_first = node < (num_nodes + 1) // 2
      each = 25 * 2**2 if is_first else 9 * 4**2
      wirings = [arch.middle.adjacency[node], *arch.bottom.adjacency[node]]
      degrees = np.concatenate([wiring.sum(0) for wiring in wirings])
      extra += each * degrees[degrees > 1].sum()
    assert extra > 0
    assert merging(arch).macs - plain(arch).macs == extra


def test_statistics_are_those_of_the_nodes_that_exist(drawn):
  graph = dag.Graph(functools.partial(dag.Operation, True, True), 'sum')
  x = jax.random.normal(jax.random.key(1), (2, 4, 4, 3))
  wiring = random_graphs.Dag(
    jnp.triu(jnp.ones((4, 4), bool), 1), jnp.arange(4) < 3
  )
  wiring = wiring._replace(adjacency=wiring.adjacency.at[:, 3].set(False))
  variables = graph.init(jax.random.key(0), (wiring,), x)
  _, after = graph.apply(variables, (wiring,), x, mutable=['batch_stats'])
  for leaf, new in zip(
    *map(jax.tree.leaves, (variables['batch_stats'], after))
  ):
    assert (leaf[3] == new[3]).all() and (leaf[:3] != new[:3]).all()


def test_stages_split_the_nodes_by_their_ratios():
  thirds = (1 / 3,) * 3
  assert nago.stage_sizes(9, thirds) == [3, 3, 3]
  assert nago.stage_sizes(10, thirds) == [4, 3, 3]
  assert nago.stage_sizes(4, thirds) == [2, 1, 1]
  assert nago.stage_sizes(3, (0.9, 0.05, 0.05)) == [1, 1, 1]


@pytest.mark.parametrize(
  'ratios, what', [((1.0, 1.0, 1.0), 'add up'), ((0.9, 0.05, 0.05), 'none')]
)
def test_ratios_that_leave_a_stage_empty_are_refused(ratios, what):
  # The file of settings that comes with the authors' program has ones.
  with pytest.raises(ValueError, match=what):
    nago.stage_sizes(9, ratios)


def test_a_top_level_of_fewer_nodes_than_stages_is_no_network(drawn):
  sizes = dict(channel_ratios=(1, 2, 4, 8), stage_ratios=(0.25,) * 4)
  network = networks.Nago(**_NET | sizes)
  with pytest.raises(ValueError, match='Each of 4 stages .* can have 3'):
    nago_cost.expected(network, _LEVELS, (9, 9, 1), 'params')
  network.check((4,), 9)
  # What no one can check before it is drawn has no score.
  images = jnp.ones((1, 9, 9, 1))
  sizes = drawn[1].top.mask.sum(1)
  archs = [_at(drawn[1], int(np.argmax(sizes == size))) for size in (3, 4)]
  params = _init(network, archs[1], images)
  apply = jax.jit(lambda arch: network.apply({'params': params}, arch, images))
  finite = [bool(jnp.isfinite(apply(arch)).all()) for arch in archs]
  assert finite == [False, True]


def test_costs_of_generators_are_means_of_their_networks(drawn):
  network = networks.Nago(**_NET)
  params = nago_cost.expected(network, _LEVELS, _SHAPE, 'params', num_samples=4)
  arch = _at(drawn[0], 1)
  repeated = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], 4, 0), arch)
  each = generators.realise_all(_LEVELS, repeated)  # by the same keys
  cost = jax.jit(jax.vmap(nago_cost.nago_cost(network, _SHAPE, (3, 4))))
  expected = np.mean(cost(each).params)
  assert jax.jit(params)(arch) == pytest.approx(expected)
  with pytest.raises(ValueError, match='Unknown cost'):
    nago_cost.expected(network, _LEVELS, _SHAPE, 'energy')
