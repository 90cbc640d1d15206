"""Tests of the populations that can be scored."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.experiment import export, metrics, population
from nasjax.spaces import darts_cell, nasbench201
from tests.experiment import toys


def _space():
  mask = np.zeros((6, 5), bool)
  mask[:, [0, 3]] = True
  return nasbench201.nasbench201({'op': mask})


class PopulationTest(parameterized.TestCase):
  def test_all_are_in_the_order_of_the_space(self):
    found = population.all_of(_space())
    np.testing.assert_array_equal(found.index, np.arange(64))
    np.testing.assert_array_equal(
      found.archs['op'], jax.vmap(_space().index)(jnp.arange(64))['op']
    )

  def test_a_random_one_is_distinct_and_that_of_its_seed(self):
    found = population.random(_space(), 40, seed=3)
    self.assertLen(np.unique(found.archs['op'], axis=0), 40)
    again = population.random(_space(), 40, seed=3)
    np.testing.assert_array_equal(found.index, again.index)
    other = population.random(_space(), 40, seed=4)
    self.assertFalse(np.array_equal(found.index, other.index))
    everything = population.random(_space(), 64)
    np.testing.assert_array_equal(np.sort(everything.index), np.arange(64))
    self.assertIn('40 distinct random ones of 64, seed 3', found.label)

  def test_a_space_that_is_too_large_to_list_is_sampled(self):
    space = darts_cell.darts_cell()
    found = population.random(space, 12)
    flat = np.concatenate(jax.tree.leaves(found.archs), axis=1)
    self.assertLen(np.unique(flat, axis=0), 12)
    np.testing.assert_array_equal(found.index, np.arange(12))
    for i in range(12):
      export.check_choices(export.at(found.archs, i), space.mask)
    with self.assertRaisesRegex(ValueError, 'cannot be scored as a whole'):
      population.all_of(space)

  def test_equal_networks_are_scored_once(self):
    found = population.unique(
      _space(), lambda arch: int(np.sum(arch['op'] == 3))
    )
    self.assertLen(found.scored, 7)
    counts = np.sum(found.archs['op'] == 3, axis=1)
    np.testing.assert_array_equal(counts[found.scored[found.source]], counts)
    for position in found.scored:
      self.assertEqual(position, np.argmax(counts == counts[position]))
    self.assertIn('all 64 in 7 classes', found.label)

  def test_a_list_comes_from_the_config_a_file_or_a_search(self):
    space = nasbench201.nasbench201()
    specs = ({'op': (3, 1, 3, 0, 2, 3)}, {'op': (0,) * 6})
    path = toys.folder(self).with_name('specs.json')
    search = path.with_name('search.json')
    metrics.write_json(path, specs)
    metrics.write_json(
      search, {'found': [{'seed': 0, 'arch': arch} for arch in specs]}
    )
    for given in (specs, str(path), str(search)):
      found = population.listed(space, given)
      np.testing.assert_array_equal(
        found.archs['op'], [arch['op'] for arch in specs]
      )
      self.assertEqual(found.archs['op'].dtype, np.int32)

  @parameterized.parameters(
    (({'op': (3, 1, 3, 0, 2, 5)},), 'from 0 to 4'),
    (({'op': (3, 1)},), 'not one of this space'),
    ((), 'holds no architecture'),
    ('/no/such.json', 'no file /no/such.json'),
  )
  def test_a_list_of_another_space_is_an_error(self, specs, message):
    with self.assertRaisesRegex(ValueError, message):
      population.listed(nasbench201.nasbench201(), specs)

  def test_more_than_there_are_is_an_error(self):
    for num in (0, 65):
      with self.assertRaisesRegex(ValueError, 'between 1 and the 64'):
        population.random(_space(), num)


if __name__ == '__main__':
  absltest.main()
