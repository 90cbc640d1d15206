"""Tests of the costs of edges: identities that hold to rounding."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.distributions import one_hot
from nasjax.estimators import edge_costs
from nasjax.networks import cell, darts, edges, operations
from nasjax.networks import loss as losses
from nasjax.ops import normalization
from nasjax.spaces import categorical, separate_cells

NAMES = ('none', 'skip_connect', 'avg_pool_3x3', 'sep_conv_3x3')
CELL = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
SKIP = NAMES.index('skip_connect')
NETWORK = darts.Darts(
  num_classes=5,
  channels=2,
  num_cells=3,
  num_nodes=2,
  reduction_cells=(),
  classifier_bias=False,
  operations=NAMES,
)
SMALL = NETWORK.clone(
  num_cells=1, operations=('none', 'skip_connect', NAMES[3])
)
KEY = jax.random.key(0)


def _doubled(tree):
  return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), tree)


def _weights(network):
  arch = {'normal': jnp.zeros(5, jnp.int32)}
  x = jnp.zeros((1, 4, 4, 1))
  weights = jax.jit(network.init)(KEY, arch, x)['params']
  weights['classifier']['kernel'] *= 5  # predictions that are not uniform
  return weights


def _batch():
  image_key, label_key = jax.random.split(jax.random.key(1))
  return {
    'image': jax.random.normal(image_key, (6, 4, 4, 1)),
    'label': jax.random.randint(label_key, (6,), 0, 5),
  }


def _loss(network):
  def loss(weights, arch, key, batch):
    del key
    logits = network.apply({'params': weights}, arch, batch['image'])
    log_probs = jax.nn.log_softmax(logits)
    entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, -1)
    value = -jnp.take_along_axis(log_probs, batch['label'][:, None], -1)[:, 0]
    return value.mean(), {
      'gap': jnp.mean(value - entropy),
      'excess': jnp.mean(losses.excess(logits, batch['label'])),
    }

  return loss


def test_the_costs_of_a_node_are_its_share_of_the_loss():
  """I1: the credit of edges into x_j is <dL / dx_j, x_j>, in any cell."""
  site = operations.Site(2)
  resolved = operations.resolve(NAMES)
  module = cell.Cell(resolved, CELL, 2, site)
  weights = jax.jit(module.init)(
    KEY, jnp.zeros(5, jnp.int32), jnp.zeros((2, 1, 4, 4, 2))
  )['params']
  with jax.enable_x64(True):
    weights = _doubled(weights)
    inputs = jax.random.normal(jax.random.key(1), (2, 3, 4, 4, 2), jnp.float64)
    readout = jax.random.normal(jax.random.key(2), (2, 3, 4, 4, 2))
    choices = jax.nn.softmax(jax.random.normal(jax.random.key(3), (5, 4)))
    # Not normalised, so that nothing vanishes by chance.
    of_nodes = lambda nodes: jnp.sum(jnp.sin(nodes) * readout)

    def loss(weights, arch, key, batch):
      nodes = module.apply({'params': weights}, arch, batch)
      return of_nodes(nodes), {}

    def by_hand(shifts):
      modules = edges.modules(resolved, site)
      nodes = [*inputs, shifts[0], shifts[1]]
      for e, (source, target) in enumerate(CELL):
        for k, name in enumerate(NAMES):
          slots = weights['edges_0'].get(name, {})
          own = jax.tree.map(lambda leaf, e=e: leaf[e], slots)
          y = modules[name].apply({'params': own}, nodes[source], train=True)
          nodes[target] = nodes[target] + choices[e, k] * y
      nodes = jnp.stack(nodes[2:])
      return of_nodes(nodes), nodes

    @jax.jit
    def both():
      costs, _ = edge_costs.edge_costs(loss)(weights, choices, KEY, inputs)
      gradient, nodes = jax.grad(by_hand, has_aux=True)(
        jnp.zeros_like(readout, jnp.float64)
      )
      return costs.sum(-1), jnp.sum(gradient * nodes, (1, 2, 3, 4))

    costs, shares = jax.tree.map(np.asarray, both())
  into = [sum(c for c, (_, t) in zip(costs, CELL) if t == j) for j in (2, 3)]
  np.testing.assert_allclose(into, shares, rtol=1e-9)
  assert np.abs(shares).min() > 1e-2


@pytest.fixture(name='measured', scope='module')
def _measured():
  """Costs of the three cells under several mixtures, and L - H."""
  measure = edge_costs.edge_costs(_loss(NETWORK.clone(cells=(0, 1, 2))))
  weights, batch = _weights(NETWORK), _batch()
  with jax.enable_x64(True), pytest.MonkeyPatch.context() as patch:
    # The scale of what a norm sees does not matter, but for its epsilon.
    patch.setattr(normalization, 'EPSILON', 1e-14)
    weights = _doubled(weights)
    batch = batch | {'image': batch['image'].astype(jnp.float64)}

    @jax.jit
    def run(alpha):
      arch = {'normal': jax.nn.softmax(alpha)}
      arch = separate_cells.untie(arch, NETWORK.kinds)
      return measure(weights, arch, KEY, batch)

    alphas = 2 * jax.random.normal(jax.random.key(4), (3, 5, 4), jnp.float64)
    return [jax.tree.map(np.asarray, run(alpha)) for alpha in alphas]


def _totals(costs):
  """Costs of cells, less those of skips from one node to another."""
  return costs.sum((1, 2)) - costs[:, 4, SKIP]


def test_the_last_cell_costs_the_excess_of_the_loss(measured):
  """I2, with L and H computed apart."""
  for costs, metrics in measured:
    found = _totals(costs['cells'])[-1]
    np.testing.assert_allclose(found, metrics['gap'], rtol=1e-8)
    np.testing.assert_allclose(metrics['excess'], metrics['gap'], rtol=1e-9)
    assert abs(found) > 0.05
    # The skip matters.
    assert abs(costs['cells'][-1, 4, SKIP]) > 1e-3


def test_the_other_cells_cost_nothing(measured):
  """I3: the next cells look through norms."""
  for costs, metrics in measured:
    scale = np.abs(costs['cells']).max()
    assert np.all(np.abs(_totals(costs['cells'])[:-1]) < 1e-8 * scale)
    assert np.abs(costs['cells'][:-1]).sum() > 0.1 * abs(metrics['gap'])


def test_none_costs_nothing(measured):
  for costs, _ in measured:
    np.testing.assert_array_equal(costs['cells'][..., 0], 0)


def _linear(coefficients):
  def loss(weights, arch, key, batch):
    value = jnp.sum(coefficients * arch['cells'])
    return weights * batch * value, {'seen': batch}

  return loss


def test_costs_without_credit_are_the_gradient_and_shared_ones_add_up():
  coefficients = jnp.arange(12.0).reshape(2, 2, 3)
  arch = {'op': jax.nn.softmax(jnp.arange(6.0).reshape(2, 3) % 4)}
  untied = separate_cells.untie(arch, ('op', 'op'))
  rest = (KEY, 3.0)
  loss = _linear(coefficients)
  costs, metrics = edge_costs.edge_costs(loss, credit=False)(2.0, untied, *rest)
  np.testing.assert_allclose(costs['cells'], 6 * coefficients)
  credit, _ = edge_costs.edge_costs(loss)(2.0, untied, *rest)
  expected = 6 * coefficients * arch['op'][None]
  np.testing.assert_allclose(credit['cells'], expected)
  assert metrics['seen'] == 3
  shared = lambda w, a, k, b: loss(
    w, separate_cells.untie(a, ('op', 'op')), k, b
  )
  added, _ = edge_costs.edge_costs(shared, credit=False)(2.0, arch, *rest)
  np.testing.assert_allclose(added['op'], 6 * coefficients.sum(0))


def test_every_cell_gets_the_choices_of_its_kind():
  kinds = ('normal', 'reduce', 'normal')
  arch = {'normal': jnp.zeros(2), 'reduce': jnp.ones(2)}
  rows = separate_cells.untie(arch, kinds)['cells']
  np.testing.assert_array_equal(rows, [[0, 0], [1, 1], [0, 0]])


def test_index_choices_have_no_costs():
  arch = {'cells': jnp.zeros((1, 2), jnp.int32)}
  with pytest.raises(ValueError, match=r'relaxed choices .* got int32\[1,2\]'):
    edge_costs.edge_costs(_linear(jnp.ones((2, 3))))(1.0, arch, KEY, 1.0)


def test_leaving_out_an_edge_equals_a_loop():
  coefficients = jnp.sin(jnp.arange(12.0)).reshape(2, 2, 3)
  coefficients = coefficients.at[..., 1].set(0)  # `none`

  def loss(weights, arch, key, batch):
    value, metrics = _linear(coefficients)(weights, arch, key, batch)
    return jnp.tanh(0.05 * value + jnp.sum(arch['extra'])), metrics

  row = jax.nn.softmax(jnp.arange(6.0).reshape(2, 3) % 4)
  whole = {'cells': jnp.stack([row, row]), 'extra': jnp.full((1, 3), 1 / 3)}
  left_out = edge_costs.leave_one_out(loss, none=1)
  found = jax.jit(left_out)(2.0, whole, KEY, 3.0)
  value = loss(2.0, whole, KEY, 3.0)[0]
  assert found['cells'].shape == (2, 2) and found['extra'].shape == (1,)
  for i, e in itertools.product(range(2), repeat=2):
    rows = whole['cells'].at[i, e].set(jnp.array([0.0, 1.0, 0.0]))
    expected = value - loss(2.0, whole | {'cells': rows}, KEY, 3.0)[0]
    np.testing.assert_allclose(found['cells'][i, e], expected, atol=1e-6)
  assert np.abs(found['cells']).min() > 1e-4


def test_costs_are_faithful_where_the_loss_is_linear():
  coefficients = jnp.cos(jnp.arange(12.0)).reshape(2, 2, 3).at[..., 0].set(0)
  arguments = (1.0, {'cells': jnp.full((2, 2, 3), 1 / 3)}, KEY, 1.0)
  costs, _ = edge_costs.edge_costs(_linear(coefficients))(*arguments)
  owed = edge_costs.leave_one_out(_linear(coefficients))(*arguments)
  np.testing.assert_allclose(costs['cells'].sum(-1), owed['cells'], atol=1e-6)
  np.testing.assert_allclose(edge_costs.fidelity(costs, owed), 1, atol=1e-5)
  opposite = jax.tree.map(jnp.negative, owed)
  np.testing.assert_allclose(
    edge_costs.fidelity(costs, opposite), -1, atol=1e-5
  )


def test_the_estimator_of_dsnas_expects_the_linear_parts_not_the_loss():
  """All 3^5 architectures of a cell: what is estimated, and what is not."""
  space = categorical.categorical({'normal': (5, 3)})
  weights, batch = _weights(SMALL), _batch()
  measure = edge_costs.edge_costs(_loss(SMALL), credit=False)
  archs = jax.nn.one_hot(jax.vmap(space.index)(jnp.arange(3**5))['normal'], 3)

  @jax.jit
  def table(archs):
    def of_arch(arch):
      costs, metrics = measure(weights, {'normal': arch}, KEY, batch)
      return costs['normal'], metrics['loss']

    return jax.lax.map(of_arch, archs)

  costs, values = jax.tree.map(np.asarray, table(archs))
  archs = np.asarray(archs, np.float64)
  alpha = 0.5 * np.random.default_rng(0).normal(size=(5, 3))
  p = np.exp(alpha) / np.exp(alpha).sum(-1, keepdims=True)
  joint = np.prod(np.sum(archs * p, -1), -1)
  np.testing.assert_allclose(joint.sum(), 1)
  score = archs - p  # d log p(Z_e) / d alpha_e
  chosen = np.sum(archs * costs, -1, keepdims=True)
  linear = np.einsum('z,zek->ek', joint, chosen * score)
  exact = np.einsum('z,z,zek->ek', joint, values, score)

  # What the sampler hands back for an architecture it draws is one term of
  # `linear`, and it draws by `joint` (tests of the distribution).
  distribution = one_hot.one_hot(space)
  numbers = 3 ** np.arange(4, -1, -1)

  @jax.jit
  def drawn(key, costs):
    arch, pull_back = jax.vjp(
      functools.partial(distribution.sample, key),
      {'normal': jnp.asarray(alpha, jnp.float32)},
    )
    number = jnp.sum(jnp.argmax(arch['normal'], -1) * numbers)
    return number, pull_back({'normal': costs[number]})[0]['normal']

  for key in jax.random.split(KEY, 5):
    number, gradient = drawn(key, costs)
    expected = chosen[number] * score[number]
    np.testing.assert_allclose(gradient, expected, atol=1e-5)

  bias = np.linalg.norm(linear - exact) / np.linalg.norm(exact)
  assert bias > 0.2
