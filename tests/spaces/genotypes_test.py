"""Tests for the derivation rule and the genotypes of DARTS."""

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.spaces import darts_cell, genotypes


def _slow_genotype(probs, operations):
  """The authors' rule in plain Python, for one cell."""
  pairs, start = [], 0
  for node in range(4):
    rows = probs[start : start + 2 + node]
    best = [max(row[1:]) for row in rows]
    kept = sorted(range(len(rows)), key=lambda j: -best[j])[:2]
    for j in kept:
      op = max(range(1, len(operations)), key=lambda k: rows[j][k])
      pairs.append((operations[op], j))
    start += len(rows)
  return pairs


def _encode(genotype):
  """Logits whose strengths follow the order of a genotype's pairs."""
  arch = genotypes.from_genotype(genotype)
  logits = {name: np.zeros((14, 8), np.float32) for name in arch}
  source, target = genotypes.edges()
  for name, pairs in (('normal', genotype.normal), ('reduce', genotype.reduce)):
    logits[name][:, 0] = 5.0  # none has the most weight, and no say
    for i, (op, state) in enumerate(pairs):
      edge = list(zip(source, target)).index((state, 2 + i // 2))
      logits[name][edge, genotypes.OPERATIONS.index(op)] = 4.0 - i % 2
  return logits


class GenotypesTest(chex.TestCase):
  @parameterized.named_parameters(
    ('v1', genotypes.DARTS_V1), ('v2', genotypes.DARTS_V2)
  )
  def test_logits_that_encode_a_genotype_derive_it_in_order(self, genotype):
    probs = jax.tree.map(jax.nn.softmax, _encode(genotype))
    arch = jax.jit(genotypes.derive)(probs)
    chex.assert_trees_all_equal(arch, genotypes.from_genotype(genotype))
    self.assertEqual(genotypes.to_genotype(arch, probs), genotype)

  def test_without_weights_inputs_are_listed_by_source(self):
    arch = genotypes.from_genotype(genotypes.DARTS_V1)
    listed = genotypes.to_genotype(choice.static(arch))
    self.assertEqual(
      listed.normal[:2], [('sep_conv_3x3', 0), ('sep_conv_3x3', 1)]
    )
    self.assertEqual(
      listed.reduce[6:], [('avg_pool_3x3', 0), ('skip_connect', 2)]
    )
    chex.assert_trees_all_equal(genotypes.from_genotype(listed), arch)

  def test_equal_weights_keep_the_first_edges_and_the_first_operation(self):
    probs = {name: jnp.full((14, 8), 1 / 8) for name in ('normal', 'reduce')}
    arch = genotypes.derive(probs)
    genotype = genotypes.to_genotype(arch, probs)
    expected = [('max_pool_3x3', 0), ('max_pool_3x3', 1)] * 4
    self.assertEqual(genotype.normal, expected)
    self.assertEqual(genotype.reduce, expected)
    self.assertEqual(genotype.normal_concat, [2, 3, 4, 5])

  def test_derivation_equals_a_plain_python_one(self):
    derive = jax.jit(genotypes.derive)
    for seed in range(5):
      # Few distinct values, so that ties are common.
      levels = jax.random.randint(jax.random.key(seed), (2, 14, 8), 0, 4)
      probs = dict(zip(('normal', 'reduce'), levels / 4.0))
      genotype = genotypes.to_genotype(derive(probs), probs)
      for name in probs:
        self.assertEqual(
          getattr(genotype, name),
          _slow_genotype(probs[name].tolist(), genotypes.OPERATIONS),
        )

  def test_derivation_ignores_a_constant_added_to_a_row_of_logits(self):
    logits = jax.random.normal(jax.random.key(0), (14, 8))
    shift = jax.random.normal(jax.random.key(1), (14, 1))
    derived = [
      genotypes.derive(jax.nn.softmax(rows))
      for rows in (logits, logits + shift)
    ]
    np.testing.assert_array_equal(*derived)

  def test_derived_cells_are_in_the_space(self):
    space = darts_cell.darts_cell()
    logits = jax.random.normal(jax.random.key(0), (50, 2, 14, 8))
    archs = jax.jit(genotypes.derive)(
      {
        'normal': jax.nn.softmax(logits[:, 0]),
        'reduce': jax.nn.softmax(logits[:, 1]),
      }
    )
    is_inside = jax.jit(
      jax.vmap(lambda arch: darts_cell.contains(arch, space.mask))
    )
    self.assertTrue(jnp.all(is_inside(archs)))

  def test_any_architecture_survives_the_round_trip(self):
    operations = ('none', 'left', 'right')
    space = darts_cell.darts_cell(None, 3, operations)
    sample = jax.jit(space.sample)
    for seed in range(3):
      arch = sample(jax.random.key(seed))
      genotype = genotypes.to_genotype(arch, operations=operations)
      self.assertLen(genotype.normal, 6)
      self.assertEqual(genotype.normal_concat, [2, 3, 4])
      chex.assert_trees_all_equal(
        genotypes.from_genotype(genotype, operations), arch
      )

  def test_mistakes_are_value_errors(self):
    good = genotypes.DARTS_V2
    unknown = good._replace(normal=[('conv', 0)] + good.normal[1:])
    with self.assertRaisesRegex(ValueError, "'conv'. Known: max_pool_3x3"):
      genotypes.from_genotype(unknown)
    for state in (0, 2, -1):
      bad = good._replace(
        normal=[good.normal[0], ('skip_connect', state)] + good.normal[2:]
      )
      with self.assertRaisesRegex(ValueError, 'State 2 needs two different'):
        genotypes.from_genotype(bad)
    with self.assertRaisesRegex(ValueError, r'\(2, 5, 9, 14, ...\), got 6'):
      genotypes.derive({'normal': jnp.ones((6, 8))})


if __name__ == '__main__':
  absltest.main()
