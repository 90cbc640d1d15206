"""Tests of scored populations: values, resumption, files, mistakes."""

import csv
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from configs import score_nasbench201 as config_file
from nasjax import experiment
from nasjax.estimators import zero_cost
from nasjax.experiment import chunks, folder, metrics
from nasjax.spaces import nasbench201
from tests.estimators import tiny
from tests.experiment import proxies, toys

_ROOT = pathlib.Path(__file__).parents[2]
_HERE = 'tests.experiment.proxies'
_CONVOLUTIONS = dict(
  name='estimators.combine.stateless',
  score=dict(function=f'{_HERE}:number_of_convolutions'),
)
CONFIG = dict(
  chunk_size=8,
  num_resamples=10,
  space=dict(name='spaces.nasbench201.nasbench201'),
  population=dict(name='experiment.population.random', num=60),
  describe=dict(
    accuracy=dict(
      name='estimators.combine.stateless',
      score=dict(function='configs.random_search_nasbench201:planted'),
    ),
    params=dict(function='spaces.nasbench201.num_params'),
    macs=dict(function='spaces.nasbench201.macs'),
  ),
  accuracies=dict(accuracy='planted, for tests'),
  proxies=dict(
    weighted=dict(name=f'{_HERE}:weighted'), convolutions=_CONVOLUTIONS
  ),
)
_FILES = ('weighted/metrics.jsonl', 'scores.csv', 'correlations.csv')


def config(**changes):
  return {
    key: value for key, value in (CONFIG | changes).items() if value is not None
  }


def table(workdir):
  with np.load(workdir / 'scores.npz') as file:
    return {name: file[name] for name in file.files}


class ScoringTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.whole = pathlib.Path(directory.name) / 'run'
    proxies.TRACES.clear()
    cls.outcome = experiment.score(config(), cls.whole)
    cls.traces = list(proxies.TRACES)
    cls.table = table(cls.whole)

  def _assert_same_files(self, workdir):
    for name in _FILES:
      self.assertEqual(
        (workdir / name).read_bytes(), (self.whole / name).read_bytes(), name
      )

  def test_values_are_those_of_the_proxy_with_one_draw_of_weights(self):
    proxy = proxies.weighted(None)
    init_key, raw_key = jax.random.split(jax.random.key(0))
    variables = proxy.init(init_key, None)
    ops = self.table['arch.op']
    expected = [proxy.raw(raw_key, variables, {'op': op}) for op in ops]
    np.testing.assert_allclose(
      self.table['weighted_raw'], expected, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(
      ops,
      jax.vmap(nasbench201.nasbench201().index)(self.table['index'])['op'],
    )

  def test_a_population_is_one_program(self):
    self.assertEqual(self.traces, ['weighted'])  # for 8 chunks, one of them 4
    events = metrics.read(self.whole / 'events.jsonl')
    compiled = [e['phase'] for e in events if e['event'] == 'compiled']
    self.assertEqual(compiled, ['weighted', 'convolutions'])

  def test_failures_are_counted_and_rank_last(self):
    failed = (self.table['arch.op'] > 0).all(1)
    self.assertGreater(failed.sum(), 3)
    np.testing.assert_array_equal(
      self.table['weighted_score'],
      np.where(failed, -np.inf, -self.table['weighted_raw']),
    )
    self.assertTrue(np.isnan(self.table['weighted_raw'][failed]).all())
    row = self.outcome['correlations'][0]
    self.assertEqual(
      (row['score'], row['failures']), ('weighted', failed.sum())
    )
    self.assertEqual(self.outcome['proxies'][0]['failures'], failed.sum())
    worst = np.where(failed, -1e9, self.table['weighted_score'])
    np.testing.assert_allclose(
      row['tau'],
      experiment.correlation.measure(worst, self.table['accuracy'])['tau'],
    )

  def test_sizes_stand_beside_the_scores_in_every_table(self):
    names = [row['score'] for row in self.outcome['correlations']]
    self.assertEqual(names, ['weighted', 'convolutions', 'params', 'macs'])
    for row in self.outcome['correlations']:
      self.assertEqual(row['split'], 'planted, for tests')
      self.assertIn('60 distinct random ones of 15,625', row['population'])
    text = experiment.score_tables.text(self.outcome)
    for word in ('params', 'macs', 'planted, for tests', 'compile_seconds'):
      self.assertIn(word, text)

  def test_the_table_for_people_holds_the_same_numbers(self):
    with open(self.whole / 'scores.csv') as file:
      rows = list(csv.DictReader(file))
    self.assertLen(rows, 60)
    for column in ('weighted_raw', 'convolutions_score', 'params', 'index'):
      np.testing.assert_array_equal(
        np.array([float(row[column]) for row in rows], np.float32),
        self.table[column].astype(np.float32),
      )
    self.assertEqual(
      metrics.loads(rows[7]['arch']), {'op': self.table['arch.op'][7].tolist()}
    )

  def test_a_run_that_is_stopped_between_chunks_ends_in_the_same_files(self):
    workdir = toys.folder(self)

    def stop(name, total, unit):
      del name, total, unit

      def report(step, speed, row):
        del speed, row
        if step >= 24:
          raise KeyboardInterrupt

      return report

    with mock.patch.object(chunks.progress_lib, 'reporter', stop):
      with self.assertRaises(KeyboardInterrupt):
        experiment.score(config(), workdir)
    self.assertLess(len(metrics.read(workdir / 'weighted/metrics.jsonl')), 8)
    self.assertFalse((workdir / 'scores.csv').exists())
    experiment.score(config(), workdir)
    self._assert_same_files(workdir)

  def test_a_file_that_was_cut_anywhere_is_completed_to_the_same_bytes(self):
    path = self.whole / 'weighted' / 'metrics.jsonl'
    for size in (path.stat().st_size - 20, 3):
      workdir = toys.folder(self)
      shutil.copytree(self.whole, workdir)
      os.truncate(workdir / 'weighted' / 'metrics.jsonl', size)
      # The checkpoint of a row comes after it: none is newer than the file.
      steps = len(metrics.read(workdir / 'weighted' / 'metrics.jsonl'))
      for item in (workdir / 'weighted' / 'checkpoints').iterdir():
        if int(item.name) > steps:
          shutil.rmtree(item)
      experiment.score(config(), workdir)
      self._assert_same_files(workdir)

  def test_scores_that_are_computed_together_get_a_column_each(self):
    workdir = toys.folder(self)
    parts = ['pair_sum', 'params', 'weighted']
    outcome = experiment.score(
      config(
        proxies=dict(CONFIG['proxies'], pair=dict(name=f'{_HERE}:two')),
        assembled=dict(all=parts),
      ),
      workdir,
    )
    found = table(workdir)
    np.testing.assert_array_equal(found['pair_sum_raw'], found['weighted_raw'])
    np.testing.assert_array_equal(
      found['pair_sum_score'], found['weighted_score']
    )
    self.assertTrue((found['pair_none_score'] == -np.inf).all())
    scored = np.stack(
      [found['pair_sum_score'], found['params'], found['weighted_score']]
    )
    places = np.stack([stats.rankdata(row) for row in scored])
    np.testing.assert_allclose(
      found['all_score'], np.log(places / 60).sum(0), rtol=1e-5
    )
    failures = {row['proxy']: row['failures'] for row in outcome['proxies']}
    self.assertEqual(failures['pair_none'], 60)
    named = {row['score'] for row in outcome['correlations']}
    self.assertIn('all', named)

  def test_the_same_command_again_computes_nothing(self):
    workdir = toys.folder(self)
    shutil.copytree(self.whole, workdir)
    with mock.patch.object(chunks.loop, 'loop', side_effect=AssertionError):
      again = experiment.score(config(), workdir)
    self._assert_same_files(workdir)
    self.assertEqual(metrics.dumps(again), metrics.dumps(self.outcome))

  def test_another_config_is_refused(self):
    with self.assertRaisesRegex(folder.FolderError, 'num: 60 there, 61 here'):
      experiment.score(
        config(population=dict(CONFIG['population'], num=61)), self.whole
      )

  def test_chunks_and_blocks_do_not_change_values(self):
    for sizes in (dict(chunk_size=60), dict(chunk_size=7, arch_batch_size=3)):
      workdir = toys.folder(self)
      experiment.score(config(**sizes), workdir)
      np.testing.assert_allclose(
        table(workdir)['weighted_raw'], self.table['weighted_raw'], rtol=1e-5
      )

  def test_fresh_weights_belong_to_an_architecture_not_to_its_place(self):
    scores = {}
    for num in (12, 20):
      workdir = toys.folder(self)
      population = dict(CONFIG['population'], num=num)
      experiment.score(config(fresh=True, population=population), workdir)
      scores[num] = table(workdir)['weighted_raw']
    np.testing.assert_array_equal(scores[12], scores[20][:12])
    shared = self.table['weighted_raw'][:12]
    live = np.isfinite(shared)
    self.assertTrue((np.abs(scores[12] - shared)[live] > 1e-3).all())

  def test_cells_of_equal_networks_share_the_score_of_the_first(self):
    workdir = toys.folder(self)
    space = dict(name=f'{__name__}:two_operations')
    population = dict(
      name='experiment.population.unique',
      signature=dict(function='spaces.nasbench201_classes.signature'),
    )
    outcome = experiment.score(
      config(space=space, population=population, accuracies=None), workdir
    )
    self.assertEqual(outcome['num'], 64)
    found = table(workdir)
    self.assertLen(np.unique(found['scored_as']), outcome['num_scored'])
    self.assertLess(outcome['num_scored'], 64)
    first = {index: i for i, index in enumerate(found['index'])}
    for i, index in enumerate(found['scored_as']):
      self.assertLessEqual(index, found['index'][i])
      self.assertEqual(
        found['convolutions_raw'][i], found['convolutions_raw'][first[index]]
      )
    self.assertEmpty(outcome['correlations'])

  def test_the_report_is_self_contained_and_can_be_made_again(self):
    page = (self.whole / 'report.html').read_text()
    for word in ('weighted', 'params', 'planted, for tests', '60 distinct'):
      self.assertIn(word, page)
    self.assertNotRegex(page, r'src="(?!data:)|<script|<link|@import')
    workdir = toys.folder(self)
    shutil.copytree(self.whole, workdir)
    (workdir / 'report.html').unlink()
    experiment.report.write(workdir)
    self.assertLen((workdir / 'report.html').read_text(), len(page))
    (workdir / 'results.json').unlink()
    with self.assertRaisesRegex(ValueError, 'no results yet'):
      experiment.report.write(workdir)
    self.assertRegex(experiment.status.status(self.whole), 'weighted  8/8')

  @parameterized.parameters(
    (dict(chunksize=3), "'chunksize'. Did you mean 'chunk_size'"),
    (dict(chunk_size=0), 'chunk_size must be at least 1'),
    (dict(fresh=1), 'config.fresh must be bool'),
    (dict(share=2.0), r'share must lie in \(0, 1\]'),
    (dict(proxies=None), "no section 'proxies'"),
    (dict(population=None), "no section 'population'"),
    (dict(proxies={'a b': _CONVOLUTIONS}), "'a b' is no name"),
    (dict(proxies={'params': _CONVOLUTIONS}), "'params' is no name"),
    (
      dict(proxies=dict(x=dict(name='estimators.zero_cost.naswott'))),
      "config.proxies: .*'naswott'. Did you mean 'naswot'",
    ),
    (
      dict(proxies=dict(x=dict(name=f'{_HERE}:weighted', sing=1))),
      "argument .*'sing'. Did you mean 'sign'",
    ),
    (
      dict(proxies=dict(x=dict(name='estimators.zero_cost.naswot'))),
      "needs 'network', 'batch'",
    ),
    (
      dict(assembled=dict(x=['weighted', 'unknown'])),
      "Unknown score in config.assembled.x: 'unknown'. Known: .*weighted",
    ),
    (
      dict(proxies=dict(x=dict(name=f'{_HERE}:misnamed'))),
      r"got \['x_none', 'x_sum'\], described are \['x_sum'\]",
    ),
    (
      dict(assembled=dict(x=[])),
      'config.assembled.x names no scores',
    ),
    (
      dict(assembled=dict(weighted=['params'])),
      "two columns 'weighted",
    ),
    (
      dict(proxies=dict(x=dict(name='spaces.nasbench201.nasbench201'))),
      'config.proxies.x: A Proxy, a Joint or an Estimator is needed',
    ),
    (
      dict(proxies=dict(x=dict(name=f'{_HERE}:weighted', shape=(2,)))),
      r'config.proxies.x: x: one number .* got shape \(2,\)',
    ),
    (dict(accuracies=dict(acuracy='')), "'acuracy'. Did you mean 'accuracy'"),
    (
      dict(describe=dict(accuracy=CONFIG['describe']['accuracy'])),
      'needs params and macs',
    ),
    (
      dict(population=dict(name='experiment.population.random', num=10**6)),
      'config.population: num must lie between 1 and the 15625',
    ),
  )
  def test_a_mistake_in_the_config_is_one_error_before_any_work(
    self, changes, message
  ):
    workdir = toys.folder(self)
    with self.assertRaisesRegex(ValueError, message):
      experiment.score(config(**changes), workdir)
    self.assertFalse(workdir.exists())


def two_operations():
  """The cells of skip connections and 3x3 convolutions."""
  mask = np.zeros((6, 5), bool)
  mask[:, [1, 3]] = True
  return nasbench201.nasbench201({'op': mask})


class ProxiesTest(parameterized.TestCase):
  def test_a_real_proxy_gets_the_network_and_the_batch(self):
    workdir = toys.folder(self)
    sections = dict(
      seed=3,
      chunk_size=4,
      batch=dict(name=f'{_HERE}:batch'),
      space=dict(name=f'{_HERE}:tiny_space'),
      network=dict(name='tests.estimators.tiny:Network'),
      population=dict(name='experiment.population.random', num=6),
      proxies=dict(regions=dict(name='estimators.zero_cost.linear_regions')),
    )
    experiment.score(sections, workdir)
    found = table(workdir)
    proxy = zero_cost.linear_regions(tiny.Network(), proxies.batch())
    init_key, raw_key = jax.random.split(jax.random.key(3))
    variables = jax.jit(proxy.init)(init_key, {'op': jnp.zeros(3, jnp.int32)})
    raw = jax.jit(proxy.raw)
    np.testing.assert_allclose(
      found['regions_raw'],
      [raw(raw_key, variables, {'op': op}) for op in found['arch.op']],
      rtol=1e-5,
    )
    self.assertGreater(np.ptp(found['regions_raw']), 0)

  @parameterized.parameters(
    (
      'swift',
      "Unknown option 'swift'. Known: batch_size, kernel_size, num, .*quick",
    ),
    ('num=many', "num must be int, got 'many'"),
    ('quick=no', 'quick must be given without a value'),
    ('population=some', "Unknown population 'some'. Known: all, random"),
  )
  def test_options_of_the_config_are_checked(self, arg, message):
    with self.assertRaisesRegex(ValueError, message):
      config_file.get_config(arg)

  def test_a_mistake_on_the_command_line_is_one_line(self):
    workdir = toys.folder(self)
    wrong = subprocess.run(
      [
        *(sys.executable, '-m', 'experiments.score'),
        '--config=configs/score_nasbench201.py:quick,proxies=naswott',
        f'--workdir={workdir}',
      ],
      cwd=_ROOT,
      env=dict(os.environ, JAX_PLATFORMS='cpu'),
      capture_output=True,
      text=True,
      check=False,
    )
    self.assertEqual(wrong.returncode, 1)
    self.assertRegex(wrong.stderr, "'naswott'. Did you mean 'naswot'")
    self.assertEqual(wrong.stderr.count('\n'), 1, wrong.stderr)
    self.assertFalse(workdir.exists())


if __name__ == '__main__':
  absltest.main()
