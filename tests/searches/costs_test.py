"""Tests of expected costs and of the losses that they are part of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import networks
from nasjax.searches import costs
from nasjax.spaces import darts_cell

KEY = jax.random.key(0)
# Milliseconds of four operations in three blocks, and of all else.
TABLE = np.array([[1.0, 3.0, 9.0, 2.0], [2.0, 5.0, 4.0, 1.0], [7, 6, 8, 3]])
FIXED = 11.5


def _lookup(arch):
  return FIXED + jnp.sum(arch['op'] * TABLE)


def _alpha():
  return jax.random.normal(jax.random.key(1), (3, 4))


def _rows(alpha):
  return {'op': jax.nn.softmax(alpha)}


def test_the_expected_table_has_the_value_and_gradient_of_proxylessnas():
  alpha = _alpha()
  cost = lambda alpha: costs.soft(_lookup)(KEY, _rows(alpha))
  value, gradient = jax.value_and_grad(cost)(alpha)
  p = np.asarray(_rows(alpha)['op'])
  expected, slopes = FIXED, np.zeros((3, 4))
  for b in range(3):
    for o in range(4):
      expected += p[b, o] * TABLE[b, o]
      for k in range(4):
        slopes[b, k] += TABLE[b, o] * p[b, o] * ((o == k) - p[b, k])
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-6)


def test_losses_of_proxylessnas_by_hand():
  alpha, target = _alpha(), 20.0
  entropy, correct = jnp.float32(1.7), jnp.float32(0.5)
  loss = lambda w, arch, key, batch: (entropy * w, {'accuracy': correct})
  scaled = costs.scaled(loss, costs.soft(_lookup), target, 0.2, 0.3)

  def both(alpha):
    return scaled(jnp.float32(1), _rows(alpha), KEY, None)

  (value, metrics), gradient = jax.value_and_grad(both, has_aux=True)(alpha)
  p = np.asarray(_rows(alpha)['op'])
  e = FIXED + (p * TABLE).sum()
  ratio = np.log(e) / np.log(target)
  np.testing.assert_allclose(value, 1.7 * 0.2 * ratio**0.3, rtol=1e-5)
  np.testing.assert_allclose(metrics['cost'], e, rtol=1e-6)
  assert metrics['accuracy'] == 0.5
  outer = 1.7 * 0.2 * 0.3 * ratio ** (0.3 - 1) / (e * np.log(target))
  inner = p * (TABLE - (p * TABLE).sum(-1, keepdims=True))
  np.testing.assert_allclose(gradient, outer * inner, rtol=1e-4, atol=1e-7)

  added = costs.penalty(costs.soft(_lookup), 0.1, target)
  np.testing.assert_allclose(
    added(None, _rows(alpha), jnp.array(0)), 0.1 * (e - 20) / 20, rtol=1e-5
  )


def test_a_cost_below_the_unit_gives_no_nan():
  loss = lambda w, arch, key, batch: (jnp.float32(1), {})
  scaled = costs.scaled(loss, costs.soft(lambda arch: arch.sum()), 20.0)
  value, gradient = jax.value_and_grad(
    lambda arch: scaled(None, arch, KEY, None)[0]
  )(jnp.full(3, 0.1))
  assert np.isfinite(value)
  np.testing.assert_array_equal(gradient, 0)
  with pytest.raises(ValueError, match='T > 1, got T = 1.0'):
    costs.scaled(loss, costs.soft(_lookup), 1.0)


def _learned(space):
  """A network with random weights on codes, far from linear."""
  network = networks.Mlp((16,), jax.nn.gelu)
  example = space.sample(KEY)
  variables = jax.jit(network.init)(KEY, space.encode(example)[None])

  def cost(arch):
    return network.apply(variables, 4 * space.encode(arch)[None]).values[0]

  return cost


def test_straight_through_is_the_latency_of_the_derived_cell():
  space = darts_cell.darts_cell(num_nodes=3)
  cost = _learned(space)
  expected = jax.jit(
    jax.value_and_grad(
      lambda alphas: costs.derived(cost, darts_cell.derive)(
        KEY, jax.tree.map(jax.nn.softmax, alphas)
      )
    )
  )
  one_hot = jax.jit(lambda arch: cost(arch))
  differs = 0
  for seed in range(4):
    keys = jax.random.split(jax.random.key(seed))
    alphas = {
      name: jax.random.normal(key, space.mask[name].shape)
      for name, key in zip(space.mask, keys)
    }
    rows = jax.tree.map(jax.nn.softmax, alphas)
    arch = darts_cell.derive(rows)
    # A code is read back: nothing of a cell is lost.
    code = np.asarray(space.encode(arch)).reshape(2, -1, 8)
    np.testing.assert_array_equal(code[0].argmax(-1), arch['normal'])
    np.testing.assert_array_equal(code[1].argmax(-1), arch['reduce'])
    assert (code[:, :, 0] == 0).sum() == 2 * (2 + 2 + 2)  # edges that are there
    value, gradient = expected(alphas)
    np.testing.assert_allclose(value, one_hot(arch), rtol=1e-5)
    # The gradient is dLAT / dcode at the derived code, times that of softmax.
    slope = jax.grad(cost)(
      jax.tree.map(lambda leaf: jax.nn.one_hot(leaf, 8), arch)
    )
    for name, p in rows.items():
      mean = jnp.sum(p * slope[name], -1, keepdims=True)
      np.testing.assert_allclose(
        gradient[name],
        p * (slope[name] - jnp.broadcast_to(mean, p.shape)),
        rtol=1e-3,
        atol=1e-5,
      )
    differs += not np.isclose(value, cost(rows), rtol=1e-3)
  assert differs > 2  # of the mixture it is another


def test_the_order_in_which_edges_of_a_node_are_written_changes_no_code():
  space = darts_cell.darts_cell(num_nodes=3)
  arch = darts_cell.derive(
    {
      name: jax.random.uniform(key, leaf.shape)
      for (name, leaf), key in zip(space.mask.items(), jax.random.split(KEY))
    }
  )
  genotype = darts_cell.to_genotype(arch)
  swap = lambda pairs: [pairs[i ^ 1] for i in range(len(pairs))]
  swapped = genotype._replace(
    normal=swap(genotype.normal), reduce=swap(genotype.reduce)
  )
  assert swapped != genotype
  np.testing.assert_array_equal(
    space.encode(darts_cell.from_genotype(swapped)), space.encode(arch)
  )


def test_samples_are_architectures_and_their_mean_is_the_expectation():
  alpha = _alpha().at[0, 2].set(-jnp.inf)
  seen = []

  def cost(arch):
    seen.append(arch['op'].shape)
    codes = arch['op']
    # Not linear: what a mixture costs is not what its members cost.
    return jnp.sum(codes * TABLE) + 10 * codes[0, 0] * codes[1, 1]

  sampled = costs.sampled(cost, 4000)
  value, gradient = jax.jit(
    jax.value_and_grad(lambda alpha: sampled(KEY, _rows(alpha)))
  )(alpha)
  p = np.asarray(_rows(alpha)['op'], float)
  expected = (p * TABLE).sum() + 10 * p[0, 0] * p[1, 1]
  np.testing.assert_allclose(value, expected, rtol=0.02)
  assert np.isfinite(gradient).all()
  assert gradient[0, 2] == 0
  assert seen == [(3, 4)]
  # Other keys, other samples; few of them are one architecture each.
  one = costs.sampled(lambda arch: jnp.sum(arch['op'] * TABLE), 1)
  sums = {
    sum(TABLE[d, k] for d, k in enumerate(ks)) for ks in np.ndindex(4, 4, 4)
  }
  drawn = {
    round(float(one(jax.random.key(i), _rows(alpha))), 3) for i in range(9)
  }
  assert drawn <= {round(total, 3) for total in sums} and len(drawn) > 2
