"""Tests of choices by perturbation on supernets whose parts add up."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.searches import perturbation
from nasjax.spaces import darts_cell

KEY = jax.random.key(0)
SPACE = darts_cell.darts_cell(num_nodes=2)
NODES = np.array([2, 2, 3, 3, 3])  # that the five edges of a cell enter
GROUPS = [*NODES, *(NODES + 10)]
VALUES = {
  name: 1 + jax.random.uniform(key, (5, 8))
  for name, key in zip(('normal', 'reduce'), jax.random.split(KEY))
}
# The better an option, the smaller its weight, though not by much.
ALPHA = jax.tree.map(lambda leaf: -0.1 * leaf, VALUES)


def _score(arch):
  return sum(jnp.sum(arch[name] * VALUES[name]) for name in arch)


def _joined(tree):
  return np.concatenate([np.asarray(tree[name]) for name in sorted(tree)])


def test_the_loss_of_an_option_is_its_known_contribution():
  arch = perturbation.relaxed(ALPHA, SPACE.mask)

  @jax.jit
  def losses():
    each = jax.vmap(
      lambda d: jax.vmap(
        lambda k: _score(arch) - _score(perturbation.without(arch, d, k))
      )(jnp.arange(8))
    )(jnp.arange(10))
    edges = jax.vmap(
      lambda d: _score(arch) - _score(perturbation.without(arch, d))
    )(jnp.arange(10))
    return each, edges

  options, edges = losses()
  expected = _joined(arch) * _joined(VALUES)
  np.testing.assert_allclose(options, expected, atol=2e-5)
  np.testing.assert_allclose(edges, expected.sum(-1), atol=2e-5)
  # Weights rank the options the other way round.
  best, heaviest = expected.argmax(-1), _joined(arch).argmax(-1)
  assert np.all(best != heaviest)


def test_decisions_take_the_best_options_then_the_best_edges():
  candidates = jax.tree.map(lambda leaf: leaf & (np.arange(8) > 0), SPACE.mask)

  @jax.jit
  def advance(key, mask):
    args = (_score, ALPHA, mask, candidates, GROUPS)
    return perturbation.advance(key, *args), perturbation.num_open(mask)

  mask, history = SPACE.mask, []
  for t in range(14):
    mask, num_open = advance(jax.random.fold_in(KEY, t), mask)
    history.append(_joined(mask))
    assert num_open == max(10 - t, 0)
  changed = [
    np.flatnonzero((a != b).any(-1)).tolist()
    for a, b in zip([_joined(SPACE.mask), *history], history)
  ]
  # Ten edges one by one, in random order; two nodes of three edges; nothing.
  assert sorted(sum(changed[:10], [])) == list(range(10))
  assert sum(changed[:10], []) != list(range(10))
  assert sorted(len(edges) for edges in changed[10:]) == [0, 0, 1, 1]

  weights = _joined(perturbation.relaxed(ALPHA, SPACE.mask))
  gains = weights * _joined(VALUES)
  best = 1 + gains[:, 1:].argmax(-1)
  value = _joined(VALUES)[np.arange(10), best]
  expected = np.eye(8, dtype=bool)[best]
  for nodes in (range(2, 5), range(7, 10)):
    expected[min(nodes, key=lambda e: value[e])] = False
  np.testing.assert_array_equal(history[-1], expected)


def test_mixtures_follow_what_has_been_decided():
  mask = jax.tree.map(np.copy, SPACE.mask)
  mask['normal'][0] = np.arange(8) == 5
  mask['normal'][3] = False
  arch = perturbation.relaxed(ALPHA, mask)
  np.testing.assert_array_equal(arch['normal'][0], np.eye(8)[5])
  np.testing.assert_array_equal(arch['normal'][3], 0)
  np.testing.assert_allclose(
    arch['normal'][1], jax.nn.softmax(ALPHA['normal'][1]), rtol=1e-6
  )
  distribution = perturbation.mixtures(SPACE, mask, derive=darts_cell.derive)
  best = distribution.mode(ALPHA)
  assert best['normal'][0] == 5 and best['normal'][3] == 0
  assert np.all((np.asarray(best['normal'])[[2, 4]]) > 0)
  gradient = jax.grad(lambda alpha: _score(distribution.sample(KEY, alpha)))(
    ALPHA
  )
  assert np.all(np.isfinite(_joined(gradient)))
  np.testing.assert_array_equal(gradient['normal'][3], 0)


def test_what_is_not_finite_is_missed_most():
  def score(arch):
    whole = _score(arch)
    return jnp.where(arch['normal'][0, 4] == 0, jnp.nan, whole)

  mask = jax.tree.map(np.copy, SPACE.mask)
  for name in mask:  # one open decision
    mask[name][:] = np.arange(8) == 3
  mask['normal'][0] = True
  args = (score, ALPHA, mask, SPACE.mask)
  taken = jax.jit(lambda: perturbation.decide(KEY, *args))()
  np.testing.assert_array_equal(taken['normal'][0], np.arange(8) == 4)
