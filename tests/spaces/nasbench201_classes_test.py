"""Tests of equal and dead cells against brute force and real networks."""

import functools
import itertools

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import networks
from nasjax.estimators import zero_cost
from nasjax.spaces import nasbench201 as space_lib
from nasjax.spaces import nasbench201_classes as classes

_PRIME = 2**31 - 1
_NONE, _SKIP, _CONV1, _CONV3, _POOL = range(5)
_EDGES = tuple(zip(space_lib.SOURCES, space_lib.TARGETS))
_OF_LAYERS = ('naswot', 'l2_norm')


@functools.lru_cache(None)
def _cells():
  return tuple(itertools.product(range(5), repeat=6))


def _scramble(x, seed):
  """A function of numbers modulo a prime that maps zero to zero."""
  return x * pow(seed, 3, _PRIME) % _PRIME * (x * x % _PRIME + seed) % _PRIME


def _output(ops, seeds):
  """The value of the output; seeds say which function an edge applies."""
  nodes = [1234567, 0, 0, 0]
  for edge, (source, target) in enumerate(_EDGES):
    value = nodes[source]
    if ops[edge] == _POOL:
      value = _scramble(value, 101)
    elif ops[edge] in (_CONV1, _CONV3):
      value = _scramble(value, seeds[edge])
    elif ops[edge] == _NONE:
      value = 0
    nodes[target] = (nodes[target] + value) % _PRIME
  return nodes[3]


def _live(ops):
  """Edges whose absence changes the output."""
  seeds = range(1001, 1007)
  whole = _output(ops, seeds)
  return [
    _output([*ops[:edge], _NONE, *ops[edge + 1 :]], seeds) != whole
    for edge in range(6)
  ]


def _possible_outputs(ops):
  """The outputs of all ways to give its convolutions different functions."""
  edges = [e for e, live in enumerate(_live(ops)) if live and ops[e] in (2, 3)]
  return frozenset(
    _output(
      ops, {e: 10_007 * ops[e] + 17 * i for e, i in zip(edges, order)} | rest
    )
    for order in itertools.permutations(range(len(edges)))
    # What a dead convolution does is of no consequence.
    for rest in [{e: 5 for e in range(6) if e not in edges}]
  )


class Nasbench201ClassesTest(chex.TestCase):
  def test_live_edges_are_those_whose_absence_changes_the_output(self):
    live = jax.jit(jax.vmap(classes.live_edges))({'op': jnp.array(_cells())})
    np.testing.assert_array_equal(live, [_live(list(ops)) for ops in _cells()])

  def test_pruning_keeps_live_edges_alone_and_a_pruned_cell_as_it_is(self):
    archs = {'op': jnp.array(_cells())}
    pruned = jax.jit(jax.vmap(classes.prune))(archs)
    again = jax.jit(jax.vmap(classes.prune))(pruned)
    np.testing.assert_array_equal(pruned['op'], again['op'])
    live = [_live(list(ops)) for ops in _cells()[::31]]
    np.testing.assert_array_equal(
      pruned['op'][::31], np.where(live, _cells()[::31], _NONE)
    )

  def test_classes_are_those_of_equal_functions_by_brute_force(self):
    signatures = [classes.signature({'op': ops}) for ops in _cells()]
    functions = [_possible_outputs(ops) for ops in _cells()]
    self.assertLen(set(zip(signatures, functions)), len(set(functions)))
    self.assertLen(set(signatures), len(set(functions)))
    self.assertLen(set(signatures), 5_260)

  def test_classes_with_dead_layers_are_finer(self):
    pairs = {
      (classes.signature(cell), classes.signature(cell, dead=True))
      for cell in ({'op': ops} for ops in _cells())
    }
    self.assertLen(pairs, len({fine for _, fine in pairs}))
    self.assertLen(pairs, 6_239)

  def test_a_convolution_used_twice_is_not_two_convolutions(self):
    twice = {'op': (_CONV3, _NONE, _SKIP, _NONE, _SKIP, _SKIP)}
    both = {'op': (_CONV3, _CONV3, _NONE, _NONE, _SKIP, _SKIP)}
    pools = [
      {'op': tuple(_POOL if op == _CONV3 else op for op in cell['op'])}
      for cell in (twice, both)
    ]
    self.assertEqual(*map(space_lib.canonical, (twice, both)))
    self.assertNotEqual(classes.signature(twice), classes.signature(both))
    self.assertEqual(*map(classes.signature, pools))


def _network():
  return networks.NasBench201(channels=4, cells_per_stage=1)


def _batch():
  image = jax.random.normal(jax.random.key(7), (8, 8, 8, 3))
  return {'image': image, 'label': jnp.arange(8) % 3}


def _scores(names, cells, orders):
  """Raw scores by name, one for each cell and order of its edges' weights."""
  scores = {}
  for name in names:
    proxy = getattr(zero_cost, name)(_network(), _batch())
    raw = jax.jit(functools.partial(proxy.raw, jax.random.key(0)))
    arch = {'op': jnp.zeros(6, jnp.int32)}
    variables = jax.jit(proxy.init)(jax.random.key(0), arch)
    scores[name] = [
      float(raw(_moved(variables, order), {'op': jnp.array(ops)}))
      for ops, order in zip(cells, orders)
    ]
  return scores


def _moved(variables, order):
  """The variables with the weights of cells' edges in another order."""

  def move(path, leaf):
    in_cell = any('edges_' in str(key) for key in path)
    return leaf[:, np.array(order)] if in_cell else leaf

  return jax.tree_util.tree_map_with_path(move, variables)


class ScoresOfEqualNetworksTest(chex.TestCase):
  def test_dead_edges_matter_to_scores_of_layers_alone(self):
    cell = (_CONV3, _CONV1, _NONE, _SKIP, _CONV1, _NONE)  # 0>2 goes nowhere
    fed = (_NONE, _CONV3, _CONV1, _NONE, _CONV3, _CONV1)  # 1 gets nothing
    cells = [cell, fed]
    cells += [tuple(classes.prune({'op': ops})['op'].tolist()) for ops in cells]
    self.assertNotEqual(cells[:2], cells[2:])
    names = ('snip', *_OF_LAYERS)
    scores = _scores(names, cells, [range(6)] * 4)
    for name, values in scores.items():
      for whole, pruned in zip(values[:2], values[2:]):
        if name in _OF_LAYERS:
          self.assertGreater(abs(whole - pruned), 1e-3, name)
        else:
          np.testing.assert_allclose(whole, pruned, rtol=1e-4, err_msg=name)

  def test_cells_of_a_class_score_alike_once_weights_are_moved(self):
    # Nodes 1 and 2 change places: edges 0 and 1, 3>4 and 5.
    one = (_CONV3, _SKIP, _NONE, _POOL, _CONV1, _CONV3)
    two = (_SKIP, _CONV3, _NONE, _POOL, _CONV3, _CONV1)
    order = [1, 0, 2, 3, 5, 4]
    self.assertEqual(
      *(classes.signature({'op': ops}, dead=True) for ops in (one, two))
    )
    for name, (a, b, unmoved) in _scores(
      ('snip',), [one, two, two], [range(6), order, range(6)]
    ).items():
      np.testing.assert_allclose(a, b, rtol=1e-4, err_msg=name)
      self.assertNotAlmostEqual(a, unmoved, places=4)


if __name__ == '__main__':
  absltest.main()
