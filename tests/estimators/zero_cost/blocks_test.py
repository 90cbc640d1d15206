"""AZ-NAS: entropies against numpy, gradients of blocks against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.estimators import zero_cost
from nasjax.estimators.zero_cost import blocks
from nasjax.networks import NasBench201

CELL = {'op': jnp.array([3, 2, 4, 1, 3, 2])}
NETWORK = NasBench201(channels=2, cells_per_stage=2, num_stages=2)
IMAGE = jax.random.normal(jax.random.key(0), (3, 4, 4, 3))


def test_entropy_is_that_of_the_eigenvalues():
  x = np.random.default_rng(0).normal(size=(3, 4, 4, 5))
  x = x @ np.diag([1.0, 2.0, 0.5, 1.0, 0.0])
  rows = x.reshape(-1, 5)
  values = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
  shares = values / values.sum()
  expected = -(shares * np.log(shares + 1e-8)).sum()
  found = blocks.entropy(jnp.asarray(x, jnp.float32))
  np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_fewer_pixels_than_channels_have_an_entropy():
  x = jax.random.normal(jax.random.key(0), (1, 2, 2, 64))
  assert 0.5 < blocks.entropy(x) < np.log(3)  # four pixels less their mean


@pytest.mark.parametrize('stride', [1, 2])
def test_transmission_is_that_of_a_loop_over_pixels(stride):
  rng = np.random.default_rng(1)
  g_in = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
  side = 4 // stride
  g_out = rng.normal(size=(2, side, side, 5)).astype(np.float32)
  total = np.zeros((3 * stride**2, 5))
  for n, i, j in np.ndindex(2, side, side):
    window = g_in[n, i * stride : (i + 1) * stride, j * stride :][:, :stride]
    total += np.outer(window.reshape(-1), g_out[n, i, j])
  largest = np.linalg.svd(total / (2 * side**2), compute_uv=False)[0]
  expected = 2 - largest - 1 / (largest + 1e-6)
  found = blocks.transmission(jnp.asarray(g_in), jnp.asarray(g_out))
  np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_block_that_does_nothing_is_a_failure():
  signs = jnp.ones((2, 4, 4, 3))
  assert blocks.transmission(signs, signs) == -jnp.inf


def test_every_block_is_pulled_back_on_its_own():
  """<g_in, v> is the change of <g_out, block> along v, for all six blocks."""
  variables = jax.jit(NETWORK.init)(jax.random.key(1), CELL, IMAGE)
  with jax.enable_x64(True):
    variables = jax.tree.map(lambda x: x.astype(jnp.float64), variables)
    image = IMAGE.astype(jnp.float64)

    @jax.jit
    def outputs(shifts):
      tree = blocks._perturbations(NETWORK, shifts)
      return blocks._outputs(
        NETWORK, {**variables, 'perturbations': tree}, CELL, image
      )

    shapes = jax.eval_shape(
      lambda: blocks._outputs(NETWORK, variables, CELL, image)
    )
    assert [len(leaf.shape) for leaf in shapes] == [4, 5, 4, 5]
    rng = np.random.default_rng(0)
    draw = lambda: [jnp.asarray(rng.normal(size=s.shape)) for s in shapes]
    zeros = [jnp.zeros(leaf.shape) for leaf in shapes]
    g_out, step = draw(), 1e-6
    gradients = jax.jit(
      jax.grad(lambda p: sum(map(jnp.vdot, outputs(p), g_out)))
    )(zeros)
    incoming = blocks._unstack(gradients)
    assert not incoming[-1].any()  # nothing comes after the last block
    directions = blocks._unstack(draw())
    for i in range(len(directions) - 1):
      alone = [d * (j == i) for j, d in enumerate(directions)]
      shift = _stack(alone, shapes)
      up, down = (
        blocks._unstack(outputs([sign * step * s for s in shift]))
        for sign in (1, -1)
      )
      changes = [(a - b) / (2 * step) for a, b in zip(up, down)]
      # Gradients, unlike changes, end at the next block: compare there.
      expected = jnp.vdot(blocks._unstack(g_out)[i + 1], changes[i + 1])
      found = jnp.vdot(incoming[i], directions[i])
      np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def _stack(entries, shapes):
  """The inverse of `_unstack`."""
  entries, stacked = iter(entries), []
  for shape in shapes:
    if len(shape.shape) == 4:
      stacked.append(next(entries))
    else:
      stacked.append(jnp.stack([next(entries) for _ in range(shape.shape[0])]))
  return stacked


@pytest.mark.slow
@pytest.mark.parametrize(
  'factory',
  [
    zero_cost.expressivity,
    zero_cost.progressivity,
    zero_cost.trainability,
  ],
)
def test_scores_are_finite_and_repeat(factory):
  proxy = factory(NETWORK, {'image': IMAGE})
  variables = jax.jit(proxy.init)(jax.random.key(0), CELL)
  raw = jax.jit(proxy.raw)
  first, again = (raw(jax.random.key(1), variables, CELL) for _ in range(2))
  assert np.isfinite(first) and first == again
  assert first != raw(jax.random.key(2), variables, CELL)


def test_networks_without_blocks_are_refused():
  with pytest.raises(ValueError, match='attribute `blocks`'):
    zero_cost.expressivity(object(), {'image': IMAGE})


def test_scores_are_assembled_by_the_logarithms_of_ranks():
  scores = jnp.array([[3.0, 1.0, 2.0], [30.0, 10.0, -jnp.inf]])
  expected = np.log([9 / 9, 2 / 9, 2 / 9])
  np.testing.assert_allclose(
    ranking.assembled(scores), expected, rtol=1e-5, atol=1e-7
  )
