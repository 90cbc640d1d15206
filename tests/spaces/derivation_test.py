"""Tests of rules of derivation against loops."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import darts_cell, derivation

_DERIVE = jax.jit(darts_cell.derive)
SKIP = darts_cell.OPERATIONS.index('skip_connect')


def _loop(weights, count):
  """Zeroes the weakest skip connection while there are too many."""
  weights = np.array(weights)
  while True:
    arch = np.asarray(_DERIVE({'normal': weights})['normal'])
    skips = np.flatnonzero(arch == SKIP)
    if len(skips) <= count:
      return arch
    weakest = min(skips, key=lambda e: weights[e, SKIP])
    weights[weakest, SKIP] = 0


def test_normal_cells_have_so_many_skip_connections_at_the_most():
  rng = np.random.default_rng(0)
  fewer = 0
  for count in (0, 1, 2):
    derive = jax.jit(derivation.at_most(darts_cell.derive, SKIP, count))
    for _ in range(4):
      weights = {
        name: jnp.asarray(rng.uniform(size=(14, 8)), jnp.float32)
        .at[:, SKIP]
        .add(0.4)
        for name in ('normal', 'reduce')
      }
      arch, plain = derive(weights), _DERIVE(weights)
      np.testing.assert_array_equal(
        arch['normal'], _loop(weights['normal'], count)
      )
      assert np.sum(arch['normal'] == SKIP) <= count
      assert np.sum(arch['normal'] > 0) == 8
      np.testing.assert_array_equal(arch['reduce'], plain['reduce'])
      fewer += np.sum(plain['normal'] == SKIP) > count
  assert fewer > 6


def test_cells_with_few_stay_as_they_are():
  arch = darts_cell.from_genotype(darts_cell.DARTS_V2)
  weights = jax.tree.map(lambda leaf: jax.nn.one_hot(leaf, 8) + 0.01, arch)
  derive = jax.jit(derivation.at_most(darts_cell.derive, SKIP, 2))
  for name, leaf in derive(weights).items():
    np.testing.assert_array_equal(leaf, _DERIVE(weights)[name])
