"""Tests of the space of recurrent cells."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.spaces import rnn_cell, rnn_genotypes

KEY = jax.random.key(0)


def _slow_genotype(probs):
  """The authors' rule in plain Python."""
  pairs, start = [], 0
  while start < len(probs):
    rows = probs[start : start + len(pairs) + 1]
    source = max(range(len(rows)), key=lambda j: max(rows[j][1:]))
    function = max(range(1, 5), key=lambda k: rows[source][k])
    pairs.append((rnn_cell.FUNCTIONS[function], source))
    start += len(rows)
  return pairs


@pytest.mark.parametrize(
  'genotype, expected',
  [
    (rnn_cell.DARTS_V1, 'relu0 relu1 tanh2 relu3 relu4 identity1 relu5 relu1'),
    (
      rnn_cell.DARTS_V2,
      'sigmoid0 relu1 relu1 identity1 tanh2 sigmoid5 tanh3 relu5',
    ),
  ],
  ids=['v1', 'v2'],
)
def test_weights_that_encode_a_published_cell_derive_it(genotype, expected):
  assert ' '.join(f'{f}{s}' for f, s in genotype.recurrent) == expected
  arch = rnn_cell.from_genotype(genotype)
  # `none` has the most weight everywhere, and no say.
  logits = choice.one_hot(arch, {'recurrent': np.ones((36, 5), bool)})
  logits = {'recurrent': logits['recurrent'].at[:, 0].set(5.0)}
  derived = jax.jit(rnn_cell.derive)(jax.tree.map(jax.nn.softmax, logits))
  chex.assert_trees_all_equal(derived, arch)
  assert rnn_cell.to_genotype(derived) == genotype
  assert rnn_cell.to_genotype(choice.static(derived)) == genotype


def test_equal_weights_keep_the_first_state_and_the_first_function():
  derived = rnn_cell.derive({'recurrent': jnp.full((36, 5), 0.2)})
  assert rnn_cell.to_genotype(derived).recurrent == [('tanh', 0)] * 8


def test_derivation_equals_a_plain_python_one():
  derive = jax.jit(rnn_cell.derive)
  for seed in range(5):
    # Few distinct values, so that ties are common.
    levels = jax.random.randint(jax.random.key(seed), (36, 5), 0, 4) / 4.0
    found = rnn_cell.to_genotype(derive({'recurrent': levels}))
    assert found.recurrent == _slow_genotype(levels.tolist())


def test_edges_come_node_by_node():
  source, target = rnn_cell.edges(3)
  assert source == (0, 0, 1, 0, 1, 2)
  assert target == (1, 2, 2, 3, 3, 3)
  assert rnn_genotypes.num_nodes_of(36) == 8
  with pytest.raises(ValueError, match='got 35'):
    rnn_genotypes.num_nodes_of(35)


def test_sizes_are_the_published_ones():
  space = rnn_cell.rnn_cell()
  assert space.size == 2_642_411_520
  assert space.index is None
  assert space.mask['recurrent'].shape == (36, 5)
  # By hand, without one function on the only edge of node 0.
  mask = np.ones((3, 5), bool)
  mask[0, 2] = False
  assert rnn_cell.rnn_cell({'recurrent': mask}, 2).size == 3 * 8


def test_samples_are_uniform_and_enumerated_once():
  space = rnn_cell.rnn_cell(num_nodes=2, functions=('none', 'tanh', 'relu'))
  numbers = jnp.arange(space.size)
  cells = np.asarray(jax.jit(jax.vmap(space.index))(numbers)['recurrent'])
  assert space.size == 8
  assert len(np.unique(cells, axis=0)) == 8
  keys = jax.random.split(KEY, 2000)
  drawn = np.asarray(jax.jit(jax.vmap(space.sample))(keys)['recurrent'])
  counts = [np.sum(np.all(drawn == cell, axis=1)) for cell in cells]
  assert sum(counts) == 2000
  assert np.abs(np.array(counts) - 250).max() < 75  # five deviations


def test_a_mutation_moves_one_node():
  space = rnn_cell.rnn_cell()
  keys = jax.random.split(KEY, 200)
  archs = jax.jit(jax.vmap(space.sample))(keys)
  mutants = jax.jit(jax.vmap(space.mutate))(keys, archs)
  inside = jax.jit(jax.vmap(lambda a: rnn_cell.contains(a, space.mask)))
  assert jnp.all(inside(archs)) and jnp.all(inside(mutants))
  changed = np.asarray(archs['recurrent'] != mutants['recurrent'])
  enters = rnn_genotypes.members(8)
  assert np.all((changed @ enters.T > 0).sum(1) == 1)


def test_cells_with_two_inputs_or_none_are_outside():
  mask = {'recurrent': np.ones((3, 5), bool)}
  assert rnn_cell.contains({'recurrent': jnp.array([1, 0, 2])}, mask)
  assert not rnn_cell.contains({'recurrent': jnp.array([1, 1, 2])}, mask)
  assert not rnn_cell.contains({'recurrent': jnp.array([1, 0, 0])}, mask)
  assert not rnn_cell.contains({'recurrent': jnp.array([0, 1, 2])}, mask)


def _without_functions():
  mask = np.ones((3, 5), bool)
  mask[0, 1:] = False
  return mask


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: rnn_cell.rnn_cell(functions=('tanh',)), "must be 'none'"),
    (
      lambda: rnn_cell.rnn_cell({'recurrent': np.ones((2, 5), bool)}, 2),
      r'bool\[3, 5\]',
    ),
    (
      lambda: rnn_cell.rnn_cell({'recurrent': _without_functions()}, 2),
      'Node 0 has no edge',
    ),
    (
      lambda: rnn_cell.from_genotype(rnn_cell.Genotype([('gelu', 0)], [1])),
      "'gelu'. Known: tanh, relu, sigmoid, identity",
    ),
    (
      lambda: rnn_cell.from_genotype(rnn_cell.Genotype([('tanh', 1)], [1])),
      'Node 0 receives .* 0 to 0, got 1',
    ),
  ],
)
def test_mistakes_are_named(build, message):
  with pytest.raises(ValueError, match=message):
    build()
