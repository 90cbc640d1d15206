"""Tests of which architectures train a supernet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax.distributions import categorical as categorical_policy
from nasjax.estimators import samplers
from nasjax.spaces import categorical, darts_cell

_SPACE = categorical.categorical({'kernel': (2, 3), 'width': (1, 3)})
_MASK = {'op': np.array([[1, 0, 1, 1], [1, 1, 1, 0]], bool)}
_NUM = 600


def _draws(sampler, num=_NUM):
  """Decisions of all architectures of many updates, `[num, B, D]`."""
  keys = jax.random.split(jax.random.key(0), num)
  archs = jax.jit(jax.vmap(sampler))(keys)
  leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(archs)]
  return np.concatenate(leaves, axis=-1)


def test_every_update_uses_every_option_of_every_decision_once():
  drawn = _draws(samplers.strictly_fair(_SPACE))
  assert drawn.shape == (_NUM, 3, 3)
  np.testing.assert_array_equal(
    np.sort(drawn, axis=1),
    np.broadcast_to(np.arange(3)[None, :, None], drawn.shape),
  )


def test_fair_updates_use_the_options_of_a_mask_alone():
  space = categorical.categorical(_MASK)
  drawn = np.sort(_draws(samplers.strictly_fair(space), 20), axis=1)
  np.testing.assert_array_equal(drawn[:, :, 0], [[0, 2, 3]] * 20)
  np.testing.assert_array_equal(drawn[:, :, 1], [[0, 1, 2]] * 20)


def test_the_order_of_fair_options_is_unbiased_and_independent():
  drawn = _draws(samplers.strictly_fair(_SPACE))
  for decision in range(3):
    codes = drawn[:, :, decision] @ np.array([9, 3, 1])
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == 6  # all orders
    assert stats.chisquare(counts).pvalue > 1e-3
  # What the first architecture takes of one decision says nothing of another.
  for a, b in ((0, 1), (0, 2), (1, 2)):
    table = np.zeros((3, 3))
    np.add.at(table, (drawn[:, 0, a], drawn[:, 0, b]), 1)
    assert stats.chi2_contingency(table).pvalue > 1e-3


@pytest.mark.parametrize(
  'space',
  [
    categorical.categorical({'kernel': (2, 3), 'width': (1, 2)}),
    darts_cell.darts_cell(num_nodes=2),
  ],
)
def test_fairness_among_uneven_or_dependent_decisions_is_a_value_error(space):
  with pytest.raises(ValueError, match='equally many'):
    samplers.strictly_fair(space)


def test_one_uniform_path_is_a_draw_of_the_space():
  key = jax.random.key(3)
  archs = samplers.uniform(_SPACE)(key)
  expected = _SPACE.sample(key)
  for leaf, row in zip(jax.tree.leaves(archs), jax.tree.leaves(expected)):
    np.testing.assert_array_equal(leaf, row[None])


def test_uniform_paths_of_an_update_are_independent_and_uniform():
  drawn = _draws(samplers.uniform(_SPACE, 2))
  cells = drawn @ np.array([9, 3, 1])
  _, counts = np.unique(cells, return_counts=True)
  assert stats.chisquare(counts, np.full(27, 2 * _NUM / 27)).pvalue > 1e-3
  assert abs(np.mean(cells[:, 0] == cells[:, 1]) - 1 / 27) < 0.03


def test_paths_of_a_policy_follow_its_probabilities():
  policy = categorical_policy.categorical(_SPACE)
  probabilities = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]]
  logits = jnp.log(jnp.array(probabilities))
  params = {'kernel': logits[:2], 'width': logits[2:]}
  drawn = _draws(samplers.from_policy(policy, params, 3)).reshape(-1, 3)
  for decision, p in enumerate(probabilities):
    counts = np.bincount(drawn[:, decision], minlength=3)
    assert stats.chisquare(counts, len(drawn) * np.array(p)).pvalue > 1e-3


def test_an_update_without_an_architecture_is_a_value_error():
  with pytest.raises(ValueError, match='got 0'):
    samplers.uniform(_SPACE, 0)(jax.random.key(0))


def test_a_sandwich_has_both_ends_and_uniform_children_between():
  ends = [_SPACE.sample(jax.random.key(i)) for i in (0, 1)]
  drawn = _draws(samplers.sandwich(_SPACE, ends, 2))
  for i, end in enumerate(ends):
    row = np.concatenate([np.asarray(leaf) for leaf in jax.tree.leaves(end)])
    assert np.all(drawn[:, i] == row)
  _, counts = np.unique(drawn[:, 2:] @ np.array([9, 3, 1]), return_counts=True)
  assert stats.chisquare(counts, np.full(27, 2 * _NUM / 27)).pvalue > 1e-3


@pytest.mark.parametrize('num_ends, num_random', [(0, 2), (2, 0)])
def test_a_sandwich_without_one_of_its_parts_is_a_value_error(
  num_ends, num_random
):
  ends = [_SPACE.sample(jax.random.key(0))] * num_ends
  with pytest.raises(ValueError, match=f'got {num_ends} and {num_random}'):
    samplers.sandwich(_SPACE, ends, num_random)
