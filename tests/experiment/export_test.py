"""Tests of architectures as JSON, drawings, plots and tables."""

import json
import math
import warnings

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from nasjax import archive
from nasjax.estimators import combine
from nasjax.experiment import dag, drawing, export, plots, progress, results
from nasjax.searches import run
from nasjax.spaces import categorical, darts_cell, nasbench201, rnn_cell
from nasjax.systems import regularized_evolution
from tests.experiment import toys


class ExportTest(parameterized.TestCase):
  @parameterized.parameters(nasbench201.nasbench201, darts_cell.darts_cell)
  def test_an_architecture_survives_json(self, factory):
    space = factory()
    arch = space.sample(jax.random.key(1))
    spec = json.loads(json.dumps(export.to_json(arch)))
    again = export.from_json(spec, space.sample(jax.random.key(2)))
    jax.tree.map(np.testing.assert_array_equal, again, arch)

  def test_an_architecture_of_another_space_is_refused(self):
    template = nasbench201.nasbench201().sample(jax.random.key(0))
    for spec in ({'op': [1, 2]}, {'ops': [0] * 6}, [0] * 6):
      with self.assertRaisesRegex(ValueError, 'not one of this space'):
        export.from_json(spec, template)

  def test_a_choice_that_does_not_exist_is_refused(self):
    space = nasbench201.nasbench201()
    export.check_choices({'op': jnp.array([0, 4, 1, 2, 3, 4])}, space.mask)
    for wrong in (5, -1):
      with self.assertRaisesRegex(ValueError, f'op.*from 0 to 4, got.*{wrong}'):
        export.check_choices(
          {'op': jnp.array([0, wrong, 1, 2, 3, 4])}, space.mask
        )

  def test_a_file_of_a_search_is_read_back(self):
    path = toys.folder(self) / 'best.json'
    archs = {'op': jnp.arange(12).reshape(2, 6) % 5}
    export.write(path, export.result(archs, {}, 2, 3))
    found = export.read(path, export.at(archs, 0))
    np.testing.assert_array_equal(found[1]['op'], archs['op'][1])

  def test_top_has_no_duplicates_and_no_empty_slots(self):
    store = archive.create({'op': jnp.int32(0)}, 8)
    store = archive.add(
      store,
      {'op': jnp.array([4, 2, 4, 3, 1])},
      jnp.array([0.5, 0.9, 0.5, jnp.nan, 0.7]),
    )
    top = export.top(store, 4)
    self.assertEqual([row['arch']['op'] for row in top], [2, 1, 4])
    self.assertEqual([row['rank'] for row in top], [1, 2, 3])

  def test_the_best_are_those_of_the_search_not_of_its_population(self):
    # Evolution's population forgets its oldest; the search does not.
    space = categorical.categorical({'op': (1, 50)})
    search = regularized_evolution.regularized_evolution(
      space,
      combine.stateless(lambda key, arch: arch['op'][0] % 7),
      population=2,
      tournament=1,
    )
    key = jax.random.key(0)
    state, metrics = run.run(key, search, None, 30)
    archs = jax.tree.map(lambda leaf: leaf[None], search.best(key, state))
    state = jax.tree.map(lambda leaf: leaf[None], state)
    top = export.result(archs, state, 1, 3)['top']
    self.assertEqual(top[0]['value'], metrics['score_best'][-1])
    self.assertLen(top, 3)

  def test_pareto_set_equals_a_brute_force_one(self):
    values = np.random.RandomState(0).rand(20, 2).astype(np.float32)
    store = archive.add(
      archive.create({'op': jnp.int32(0)}, 24, 2),
      {'op': jnp.arange(20)},
      jnp.asarray(values),
    )
    expected = {
      i
      for i in range(20)
      if not any(
        (values[j] >= values[i]).all() and (values[j] > values[i]).any()
        for j in range(20)
      )
    }
    found = {row['arch']['op'] for row in export.pareto(store)}
    self.assertEqual(found, expected)


class DrawingTest(parameterized.TestCase):
  def test_cells_of_known_spaces_are_drawn_with_their_operations(self):
    arch = darts_cell.from_genotype(darts_cell.DARTS_V2)
    figures = drawing.cells(export.to_json(arch))
    self.assertEqual(set(figures), {'normal', 'reduce'})
    texts = [t.get_text() for t in figures['normal'].axes[0].texts]
    self.assertEqual(texts.count('sep_conv_3x3'), 5)
    self.assertNotIn('none', texts)
    for figure in figures.values():
      self.assertGreater(len(plots.png(figure)), 3000)
    figures = drawing.cells({'op': [3, 0, 1, 2, 4, 3]})
    texts = [t.get_text() for t in figures['op'].axes[0].texts]
    self.assertCountEqual(
      texts,
      [
        'nor_conv_3x3',
        'skip_connect',
        'nor_conv_1x1',
        'avg_pool_3x3',
        'nor_conv_3x3',
        'in',
        '1',
        '2',
        'out',
      ],
    )

  def test_recurrent_cells_are_drawn_with_their_functions(self):
    arch = rnn_cell.from_genotype(rnn_cell.DARTS_V2)
    figures = drawing.cells(export.to_json(arch))
    texts = [t.get_text() for t in figures['recurrent'].axes[0].texts]
    functions = [name for name, _ in rnn_cell.DARTS_V2.recurrent]
    nodes = ['x, h[t-1]', *map(str, range(1, 9)), 'h[t]']
    self.assertCountEqual(texts, functions + nodes)

  def test_drawings_bear_the_names_of_the_space(self):
    names = ('none', 'gate', 'shift')
    figures = drawing.cells({'op': [1, 0, 2, 0, 0, 1]}, names)
    texts = [t.get_text() for t in figures['op'].axes[0].texts]
    self.assertEqual(texts.count('gate'), 2)
    self.assertEqual(texts.count('shift'), 1)

  def test_a_cell_of_one_kind_is_drawn_alone(self):
    names = ('none', 'skip', 'conv')
    figures = drawing.cells({'normal': [2, 0, 0, 1, 2]}, names)
    self.assertEqual(set(figures), {'normal'})
    texts = [t.get_text() for t in figures['normal'].axes[0].texts]
    self.assertEqual(texts.count('conv'), 2)

  def test_other_spaces_have_no_drawing(self):
    self.assertEqual(drawing.cells({'kernel': [1, 2]}), {})

  def test_edges_point_to_the_right(self):
    edges = [(0, 1, 'a'), (1, 3, 'b'), (0, 2, 'c'), (2, 3, 'd'), (0, 3, 'e')]
    position = dag.layout(edges, 4)
    for source, target, _ in edges:
      self.assertLess(position[source, 0], position[target, 0])
    self.assertLen(np.unique(position, axis=0), 4)

  @parameterized.parameters(
    ([(0, 1, ''), (1, 0, '')], 'cycle'), ([(0, 5, '')], 'leaves the 2 nodes')
  )
  def test_what_is_no_cell_is_refused(self, edges, message):
    with self.assertRaisesRegex(ValueError, message):
      dag.draw(edges, ['a', 'b'])

  def test_heat_map_shows_the_softmax_of_logits(self):
    logits = np.random.RandomState(0).randn(5, 3, 4) * 3
    shown = plots.heat_map(range(5), logits).axes[0].collections[0].get_array()
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(
      shown.reshape(12, 5), expected.reshape(5, 12).T, rtol=1e-6
    )

  def test_curves_survive_values_that_are_not_finite(self):
    rows = [{'step': i, 'x': [1.0, math.inf], 'y': math.nan} for i in range(3)]
    self.assertGreater(len(plots.png(plots.curves(rows, ['x', 'y']))), 1000)


class ResultsTest(parameterized.TestCase):
  def test_interval_is_that_of_welch(self):
    a, b = [0.9, 0.92, 0.95, 0.91], [0.8, 0.7, 0.9]
    found = results.difference(a, b)
    va, vb = np.var(a, ddof=1) / 4, np.var(b, ddof=1) / 3
    df = (va + vb) ** 2 / (va**2 / 3 + vb**2 / 2)
    half = stats.t.ppf(0.975, df) * math.sqrt(va + vb)
    delta = np.mean(a) - np.mean(b)
    self.assertAlmostEqual(found['difference'], delta)
    self.assertAlmostEqual(found['low'], delta - half)
    self.assertAlmostEqual(found['high'], delta + half)

  def test_one_network_has_no_interval(self):
    self.assertTrue(math.isnan(results.difference([1.0], [2.0, 3.0])['low']))

  def test_repeats_of_a_network_count_once(self):
    rows = [
      dict(name='found', seed=s, repeat=r, acc=s + 0.1 * r)
      for s in range(3)
      for r in range(4)
    ]
    self.assertEqual(results.summarise(rows)['acc']['found']['n'], 3)

  @parameterized.parameters(
    ([-math.inf, 2.0, 3.0], -math.inf, -math.inf, 3.0, -math.inf),
    ([-math.inf, -math.inf], -math.inf, -math.inf, -math.inf, -math.inf),
    ([math.inf, -math.inf], math.nan, -math.inf, math.inf, math.nan),
    ([1.0, math.nan], math.nan, math.nan, math.nan, math.nan),
    ([-math.inf], -math.inf, -math.inf, -math.inf, -math.inf),
  )
  def test_values_that_are_not_finite_are_shown_as_such_without_a_warning(
    self, values, mean, lowest, highest, difference
  ):
    rows = [dict(name='found', seed=i, x=v) for i, v in enumerate(values)]
    rows += [dict(name='random', seed=i, x=v) for i, v in enumerate([1.0, 3.0])]
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      summary = results.summarise(rows)
      text = results.text(rows, summary)
      line = progress.line('search', 1, 2, 1.0, {'x': values})
    found = summary['x']['found']
    expected = dict(
      mean=mean, std=math.nan, min=lowest, max=highest, n=len(values)
    )
    np.testing.assert_equal(found, expected)
    np.testing.assert_equal(
      summary['x']['found - random'],
      dict(difference=difference, low=math.nan, high=math.nan),
    )
    self.assertIn('no interval of values that are not finite', text)
    self.assertIn(f'x {mean}' + '±nan' * (len(values) > 1), line)

  def test_an_infinite_score_on_both_sides_has_no_difference(self):
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      found = results.difference([-math.inf, 1.0], [-math.inf, 2.0])
    self.assertTrue(all(map(math.isnan, found.values())))

  def test_durations_and_rates_are_for_people(self):
    spans = [progress.duration(s) for s in (42, 185, 7620, 273600, math.inf)]
    self.assertEqual(spans, ['42s', '3m05s', '2h07m', '3d04h', '?'])
    self.assertEqual(progress.rate(0.25), '4 s/step')
    self.assertRegex(
      progress.line('search', 30, 120, 3.0, {'step': 30, 'loss': 1.5}),
      r'search  30/120  25%  3 steps/s  ETA 30s  loss 1.5',
    )


if __name__ == '__main__':
  absltest.main()
