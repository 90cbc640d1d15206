"""Tests of splits of a space, and of parts given as arrays."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax.spaces import (
  categorical,
  darts_cell,
  decisions,
  nasbench201,
  subspaces,
)

_MASK = {
  'kernel': np.array([[1, 1, 1], [1, 0, 1]], bool),
  'width': np.array([[1, 1, 0, 1]], bool),
}
_SPACE = categorical.categorical(_MASK)
_SPLITS = {
  'first': dict(which=(0,)),
  'masked': dict(which=(1,)),
  'two': dict(which=(2, 0)),
  'groups': dict(which=(0,), groups=((2, 0), (1,))),
  'whole': dict(which=(0,), groups=((0, 1, 2),)),
  'none': dict(which=()),
}
_NUM_PARTS = dict(first=3, masked=2, two=9, groups=2, whole=1, none=1)


@pytest.mark.parametrize('name', _SPLITS)
def test_parts_are_disjoint_and_make_up_the_space(name):
  split = subspaces.split(_SPACE, **_SPLITS[name])
  num_parts = subspaces.num_parts(split)
  assert num_parts == _NUM_PARTS[name]
  archs = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
  inside = jax.vmap(
    lambda mask: jax.vmap(lambda arch: categorical.contains(arch, mask))(archs)
  )(jax.tree.map(jnp.asarray, split.masks))
  np.testing.assert_array_equal(np.sum(inside, axis=0), 1)
  np.testing.assert_array_equal(
    jax.vmap(split.owner)(archs), np.argmax(inside, axis=0)
  )
  assert np.all(np.sum(inside, axis=1) > 0)


def test_the_first_edge_splits_nasbench201_into_fifths():
  space = nasbench201.nasbench201()
  split = subspaces.split(space)
  archs = jax.vmap(space.index)(jnp.arange(space.size))
  owners = np.asarray(jax.vmap(split.owner)(archs))
  np.testing.assert_array_equal(owners, archs['op'][:, 0])
  assert np.bincount(owners).tolist() == [3125] * 5


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(which=(3,)), 'from 0 to 2'),
    (dict(which=(0, 0)), 'Distinct'),
    (dict(which=(0,), groups=((0, 1),)), r'\[0, 1, 2\], once'),
    (dict(which=(0,), groups=((0, 1), (1, 2))), 'once'),
    (dict(which=(1,), groups=((0, 1, 2),)), r'decision 1, \[0, 2\]'),
    (dict(which=(0,), groups=((0, 1, 2), ())), 'once'),
  ],
)
def test_a_split_that_is_none_is_a_value_error(arguments, message):
  with pytest.raises(ValueError, match=message):
    subspaces.split(_SPACE, **arguments)


_PART = {
  'kernel': np.array([[1, 0, 1], [1, 1, 0]], bool),
  'width': np.array([[0, 1, 1, 1]], bool),
}
# What both masks allow: 2 * 1 * 2 architectures.
_BOTH = _SPACE.restrict(_PART)


def test_a_part_given_as_an_array_draws_what_a_fixed_one_can():
  @jax.jit
  def draw(mask, keys):
    return jax.vmap(subspaces.within(_SPACE, mask).sample)(keys)

  keys = jax.random.split(jax.random.key(0), 800)
  archs = draw(jax.tree.map(jnp.asarray, _PART), keys)
  rows = np.asarray(jax.vmap(decisions.join)(archs))
  counts = collections.Counter(map(tuple, rows.tolist()))
  expected = jax.vmap(_BOTH.index)(jnp.arange(_BOTH.size))
  assert set(counts) == set(
    map(tuple, np.asarray(jax.vmap(decisions.join)(expected)).tolist())
  )
  assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_mutants_in_such_a_part_differ_in_one_open_decision():
  @jax.jit
  def mutate(mask, arch, keys):
    space = subspaces.within(_SPACE, mask)
    return jax.vmap(space.mutate, (0, None))(keys, arch)

  arch = _BOTH.sample(jax.random.key(1))
  keys = jax.random.split(jax.random.key(2), 50)
  mutants = mutate(jax.tree.map(jnp.asarray, _PART), arch, keys)
  rows = np.asarray(jax.vmap(decisions.join)(mutants))
  changed = rows != np.asarray(decisions.join(arch))
  np.testing.assert_array_equal(changed.sum(1), 1)
  assert changed.any(0).tolist() == [True, False, True]
  assert all(
    bool(
      categorical.contains(jax.tree.map(lambda x, i=i: x[i], mutants), _PART)
    )
    for i in range(50)
  )


def test_a_part_of_a_space_of_dependent_choices_is_a_value_error():
  space = darts_cell.darts_cell(num_nodes=2)
  with pytest.raises(ValueError, match='independent'):
    subspaces.within(space, space.mask)


def test_rows_of_decisions_are_the_inverse_of_joined_masks():
  rows = decisions.join_masks(_MASK)
  back = decisions.split_rows(np.stack([rows, ~rows]), _MASK)
  for name, leaf in _MASK.items():
    np.testing.assert_array_equal(back[name], np.stack([leaf, ~leaf]))
  traced = jax.jit(decisions.join_masks)(jax.tree.map(jnp.asarray, _MASK))
  np.testing.assert_array_equal(traced, rows)
