"""What is particular to a protocol, for all rows in descriptors.py."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.estimators import combine
from nasjax.searches import black_box, run
from tests import built, descriptors


def _over_samples(space, check, num_samples=64):
  """Returns `check(key, arch)` of samples of a space, as numpy arrays."""
  keys = jax.random.split(jax.random.key(2), num_samples)
  results = jax.jit(jax.vmap(lambda key: check(key, space.sample(key))))(keys)
  return jax.tree.map(np.asarray, results)


@built.each('space')
def test_samples_are_inside_and_differ(kind, name):
  row, space = built.build(kind, name)[:2]
  inside, encoded = _over_samples(
    space,
    lambda key, arch: (row.contains(arch, space.mask), space.encode(arch)),
  )
  assert inside.all()
  assert len(np.unique(encoded, axis=0)) > 1


@built.each('space')
def test_mutations_are_inside_and_never_the_same(kind, name):
  row, space = built.build(kind, name)[:2]

  def check(key, arch):
    mutated = space.mutate(key, arch)
    differs = jnp.any(space.encode(arch) != space.encode(mutated))
    return row.contains(mutated, space.mask), differs

  inside, differs = _over_samples(space, check)
  assert inside.all()
  assert differs.all()


@built.each('space')
def test_an_encoding_accepts_every_form(kind, name):
  item = built.build(kind, name)
  space, (arch,) = item.protocol, built.at(item.arguments['encode'], 0)
  expected = item.jitted['encode'](arch)
  relaxed = choice.one_hot(arch, space.mask)
  chex.assert_trees_all_equal(item.jitted['encode'](relaxed), expected)
  chex.assert_trees_all_equal(space.encode(choice.static(arch)), expected)


@pytest.mark.parametrize(
  'name', [row.name for row in descriptors.SPACES if row.build().index]
)
def test_an_enumeration_counts_the_space(name):
  row, space = built.build('space', name)[:2]
  numbers = np.unique(np.linspace(0, space.size - 1, 64).astype(np.int32))

  @jax.jit
  @jax.vmap
  def check(number):
    arch = space.index(number)
    return row.contains(arch, space.mask), space.encode(arch)

  inside, encoded = check(numbers)
  assert jnp.all(inside)
  assert len(np.unique(np.asarray(encoded), axis=0)) == len(numbers)


def _without_last(mask):
  """Returns a mask without the last choice of decisions that have another."""

  def drop(leaf):
    count = leaf.sum(-1, keepdims=True)
    return leaf & ((leaf.cumsum(-1) < count) | (count < 2))

  return jax.tree.map(drop, mask)


@built.each('space')
def test_a_restriction_is_the_and_of_two_masks(kind, name):
  row, space = built.build_unless_exempt(kind, name, 'restriction')[:2]
  mask = _without_last(space.mask)
  restricted = space.restrict(mask)
  chex.assert_trees_all_equal(restricted.mask, mask)
  chex.assert_trees_all_equal(restricted.restrict(space.mask).mask, mask)
  assert space.size is None or restricted.size < space.size
  assert _over_samples(
    restricted, lambda key, arch: row.contains(arch, mask)
  ).all()


def _is_inside(row, arch):
  """Returns whether choices are in the space, and relaxed ones in its shape."""
  mask = row.space.mask
  arch = jax.tree.map(
    lambda allowed, leaf: (
      choice.one_hot(leaf, allowed) if isinstance(leaf, choice.Sparse) else leaf
    ),
    mask,
    arch,
  )
  leaves = jax.tree.leaves(arch)
  if all(jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in leaves):
    return row.contains(arch, mask)
  chex.assert_trees_all_equal_shapes(arch, mask)
  outside = jax.tree.map(
    lambda allowed, leaf: jnp.any(~allowed & (leaf != 0)), mask, arch
  )
  return ~jnp.any(jnp.stack(jax.tree.leaves(outside)))


@built.each('distribution')
def test_draws_and_the_mode_are_inside(kind, name):
  row, distribution = built.build(kind, name)[:2]

  def check(key):
    params = distribution.init(key)
    arch = distribution.sample(key, params)
    mode = distribution.mode(params)
    return _is_inside(row, arch) & row.contains(mode, row.space.mask)

  keys = jax.random.split(jax.random.key(4), 16)
  assert jnp.all(jax.jit(jax.vmap(check))(keys))


@built.each('distribution')
def test_gradients_are_finite_and_not_all_zero(kind, name):
  row, distribution = built.build(kind, name)[:2]
  key = jax.random.key(5)
  params = distribution.init(key)
  arch = row.space.sample(key)

  def objective(params):
    drawn = distribution.sample(key, params)
    value = distribution.log_prob(params, arch)
    if jnp.issubdtype(jax.tree.leaves(drawn)[0].dtype, jnp.floating):
      value += built.value(row, drawn)
    return value

  value, gradient = jax.jit(jax.value_and_grad(objective))(params)
  gradient, _ = jax.flatten_util.ravel_pytree(gradient)
  assert jnp.isfinite(value)
  assert jnp.all(jnp.isfinite(gradient))
  assert jnp.any(gradient != 0)


def _all_inside(row, archs):
  return jnp.all(
    jax.vmap(lambda arch: row.contains(arch, row.space.mask))(archs)
  )


@built.each('strategy')
def test_proposals_are_inside_and_have_a_fidelity(kind, name):
  item = built.build(kind, name)
  proposal, _ = item.jitted['ask'](*built.at(item.arguments['ask'], 0))
  assert jax.jit(functools.partial(_all_inside, item.row))(proposal.archs)
  num_archs = jax.tree.leaves(proposal.archs)[0].shape[0]
  assert proposal.fidelity.shape == (num_archs,)
  assert jnp.all(proposal.fidelity > 0)


@built.each('strategy')
def test_values_may_come_late_and_out_of_order(kind, name):
  item = built.build_unless_exempt(kind, name, 'late')
  ask, tell = item.jitted['ask'], item.jitted['tell']
  key, state = built.at(item.arguments['ask'], 0)
  first, state = ask(key, state)
  second, state = ask(jax.random.key(6), state)
  for proposal in (second, first):
    values = item.jitted['evaluate'](proposal.archs)
    state, metrics = tell(key, state, proposal, values)
  third, _ = ask(jax.random.key(7), state)
  assert jax.jit(functools.partial(_all_inside, item.row))(third.archs)
  assert all(np.all(np.isfinite(leaf)) for leaf in metrics.values())


@built.each('strategy')
def test_a_score_that_is_not_finite_never_wins(kind, name):
  row, strategy = built.build_unless_exempt(kind, name, 'nan')[:2]

  def score(key, arch):
    del key
    value = built.value(row, arch)
    return jnp.where(value > 0, jnp.nan, value)

  search = black_box.black_box(strategy, combine.stateless(score), batch_size=8)

  @jax.jit
  def find(key):
    state, metrics = run.run(key, search, None, 30)
    best = search.best(key, state)
    return score(key, best), metrics['num_not_finite']

  value, num_not_finite = find(jax.random.key(7))
  assert jnp.sum(num_not_finite) > 0
  assert jnp.isfinite(value)


@built.each('search')
def test_the_best_is_inside(kind, name):
  item = built.build(kind, name)
  best = item.jitted['best'](*built.at(item.arguments['best'], 0))
  assert item.row.contains(best, item.row.space.mask)
