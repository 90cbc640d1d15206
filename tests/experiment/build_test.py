"""Tests of building parts from sections of a config."""

from collections.abc import Callable
import sys
import types

from absl.testing import absltest, parameterized
import jax

from nasjax.experiment import build, names


def factory(
  space: str,
  size: int,
  rate: float = 0.1,
  names: tuple[str, ...] = (),
  limit: float | None = None,
  fn: Callable[..., int] = len,
  weight: float | jax.Array = 1.0,
):
  """A factory with parameters of most types."""
  return dict(
    space=space,
    size=size,
    rate=rate,
    names=names,
    limit=limit,
    fn=fn,
    weight=weight,
  )


NAME = 'toy_factories:factory'


class BuildTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    module = types.ModuleType('toy_factories')
    module.factory = factory
    module.__all__ = ['factory']
    sys.modules['toy_factories'] = module
    self.addCleanup(sys.modules.pop, 'toy_factories')

  def test_parts_are_injected_by_name_and_the_section_wins(self):
    section = dict(name=NAME, size=3)
    self.assertEqual(build.build(section, space='a', other=1)['space'], 'a')
    section = dict(name=NAME, size=3, space='b')
    self.assertEqual(build.build(section, space='a')['space'], 'b')

  def test_plain_values_of_the_config_take_the_place_of_no_default(self):
    section = dict(name=NAME, size=3, space='b')
    built = build.build(section, rate=5, limit=2.0, fn=max)
    self.assertEqual(built['rate'], 0.1)
    self.assertIsNone(built['limit'])
    self.assertIs(built['fn'], max)
    self.assertEqual(build.build(dict(name=NAME, space='b'), size=7)['size'], 7)

  def test_the_seed_of_the_config_reaches_every_factory_with_one(self):
    section = dict(name='data.arrays.digits')
    one, other, again = (
      build.build(section | given, seed=1)['train'].labels
      for given in ({}, {'seed': 0}, {'seed': 1})
    )
    self.assertFalse((one == other).all())
    self.assertTrue((one == again).all())

  def test_nested_sections_references_and_functions(self):
    inner = dict(name=NAME, size=1, space='@data.train')
    built = build.build(
      dict(
        name=NAME,
        size=2,
        space='x',
        weight=inner,
        names=('@data.train', 'literal'),
        fn=dict(function='toy_factories:factory', size=7, space='@data.train'),
      ),
      data={'train': 'images'},
    )
    self.assertEqual(built['fn'].keywords, {'size': 7, 'space': 'images'})
    self.assertEqual(built['weight']['space'], 'images')
    self.assertEqual(built['names'], ('images', 'literal'))
    self.assertEqual(built['fn'](space='y')['size'], 7)

  def test_a_path_below_nasjax_is_resolved(self):
    self.assertIs(names.resolve('experiment.build.build'), build.build)

  @parameterized.parameters(
    (dict(name=NAME, size=3, rat=0.1), "'rat'.* Did you mean 'rate'.*weight"),
    (dict(name=NAME), "needs 'size'"),
    (dict(name=NAME, size='3'), "'size'.*must be int, got '3'"),
    (dict(name=NAME, size=True), "'size'.*must be int"),
    (dict(name=NAME, size=3, rate='fast'), "'rate'.*must be float"),
    (dict(name=NAME, size=3, limit='x'), r"'limit'.*float \| None"),
    (dict(name=NAME, size=3, weight='x'), "'weight'"),
    (dict(name=NAME, size=3, names='ab'), "'names'"),
    (dict(name=NAME, size=3, rate='@dat.x'), "'dat'.*Known"),
    (dict(name='toy_factories:fctory'), "Did you mean 'factory'"),
    (dict(name='no_such_package:x'), 'Cannot import'),
    (dict(name='experiment.biuld.build'), "Did you mean 'build'.*loop"),
    (dict(name='experiment.build.biuld'), "Did you mean 'build'"),
    (dict(name='experiment.build.build.x'), 'is a module, not a package'),
    (dict(name=''), 'dotted path'),
    (dict(size=3), 'needs a name'),
  )
  def test_a_mistake_is_one_clear_error(self, section, message):
    with self.assertRaisesRegex(ValueError, message):
      build.check(section, ('space',))

  def test_correct_values_of_every_type_pass(self):
    build.check(
      dict(name=NAME, size=3, rate=1, limit=None, names=['a'], weight=2),
      ('space',),
    )

  def test_an_entry_that_a_part_lacks_is_named(self):
    with self.assertRaisesRegex(ValueError, "'trian'.*Did you mean 'train'"):
      build.build(
        dict(name=NAME, size=1, space='@data.trian'), data={'train': 1}
      )


if __name__ == '__main__':
  absltest.main()
