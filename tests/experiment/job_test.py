"""Tests of whole jobs: what is checked first, what the folder holds after."""

import base64
import html.parser
import json
import pathlib
import re
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import numpy as np

from nasjax import experiment
from nasjax.experiment import folder, metrics
from tests.experiment import toys

PARTS = 'tests.experiment.parts'
CONFIG = dict(
  num_seeds=2,
  num_steps=12,
  eval_every=4,
  num_random=3,
  seed_batch_size=2,
  space=dict(name='spaces.nasbench201.nasbench201'),
  describe=dict(params=dict(function='spaces.nasbench201.num_params')),
  search=dict(name=f'{PARTS}:alpha_search'),
  evaluation=dict(name=f'{PARTS}:population', num_steps=5, num_repeats=2),
)


def config(**changes):
  return {
    key: value for key, value in (CONFIG | changes).items() if value is not None
  }


class JobTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.whole = pathlib.Path(directory.name) / 'run'
    cls.results = experiment.run(config(), cls.whole)

  def test_results_hold_found_and_random_networks_with_repeats(self):
    rows = self.results['rows']
    self.assertEqual(
      [row['name'] for row in rows], ['found'] * 4 + ['random'] * 6
    )
    self.assertEqual([row['repeat'] for row in rows], [0, 1] * 5)
    for row in rows:
      self.assertAlmostEqual(
        row['test_accuracy'], sum(row['arch']['op']), delta=0.1
      )
      self.assertGreater(row['params'], 0)
    interval = self.results['summary']['test_accuracy']['found - random']
    self.assertLess(interval['low'], interval['difference'])
    self.assertLess(interval['difference'], interval['high'])

  def test_the_folder_holds_all_that_it_should(self):
    for name in (
      'config.json',
      'environment.json',
      'results.json',
      'results.csv',
      'report.html',
      'best/search.json',
      'search/metrics.jsonl',
      'search/snapshots.jsonl',
      'evaluate/metrics.jsonl',
      'evaluate/checkpoints/5',
    ):
      self.assertTrue((self.whole / name).exists(), name)
    json.loads((self.whole / 'results.json').read_text())
    saved = metrics.read_json(self.whole / 'config.json')
    self.assertEqual(saved['seed'], 0)
    self.assertEqual(saved['search'], CONFIG['search'])
    snapshot = metrics.read(self.whole / 'search' / 'snapshots.jsonl')[-1]
    self.assertEqual(np.shape(snapshot['op']), (2, 6, 5))

  def test_seeds_differ(self):
    found = metrics.read_json(self.whole / 'best' / 'search.json')['found']
    self.assertNotEqual(found[0]['arch'], found[1]['arch'])

  def test_export_lists_the_best_and_the_pareto_set_of_every_seed(self):
    spec = metrics.read_json(self.whole / 'best' / 'search.json')
    for seed in range(2):
      top = [row for row in spec['top'] if row['seed'] == seed]
      values = [row['value'][0] for row in top]
      self.assertEqual(values, sorted(values, reverse=True))
      front = [row['value'] for row in spec['pareto'] if row['seed'] == seed]
      for a in front:
        self.assertFalse(
          any(b != a and b[0] >= a[0] and b[1] >= a[1] for b in front)
        )

  def test_the_same_command_again_changes_nothing(self):
    copy = toys.folder(self)
    shutil.copytree(self.whole, copy)
    again = experiment.run(config(), copy)
    for row, expected in zip(again['rows'], self.results['rows'], strict=True):
      self.assertEqual(metrics.dumps(row), metrics.dumps(expected))
    for name in (
      'search/metrics.jsonl',
      'evaluate/metrics.jsonl',
      'results.json',
      'best/search.json',
    ):
      self.assertEqual(
        (copy / name).read_bytes(), (self.whole / name).read_bytes()
      )

  def test_another_config_in_the_folder_is_refused_with_the_difference(self):
    before = (self.whole / 'config.json').read_bytes()
    with self.assertRaisesRegex(
      folder.FolderError, '(?s)seed: 0 there, 7 here.*same config to resume'
    ):
      experiment.run(config(seed=7), self.whole)
    with self.assertRaisesRegex(folder.FolderError, 'num_repeats: 2 there, 1'):
      experiment.run(
        config(evaluation=dict(CONFIG['evaluation'], num_repeats=1)), self.whole
      )
    self.assertEqual((self.whole / 'config.json').read_bytes(), before)

  def test_found_architectures_can_be_trained_alone(self):
    spec = str(self.whole / 'best' / 'search.json')
    rows = experiment.run(
      config(
        spec=spec,
        num_random=0,
        describe=None,
        evaluation=dict(CONFIG['evaluation'], with_final=False, num_repeats=1),
      ),
      toys.folder(self),
    )['rows']
    expected = [self.results['rows'][i]['arch'] for i in (0, 2)]
    self.assertEqual([row['arch'] for row in rows], expected)
    self.assertIn('accuracy', rows[0])

  def test_an_operation_that_does_not_exist_is_not_trained(self):
    spec = toys.folder(self).with_name('spec.json')
    metrics.write_json(
      spec, {'found': [{'seed': 0, 'arch': {'op': [0, 1, 2, 3, 4, 5]}}]}
    )
    with self.assertRaisesRegex(ValueError, 'from 0 to 4'):
      experiment.prepare(config(spec=str(spec)), toys.folder(self))

  def test_status_of_a_finished_and_of_a_running_job(self):
    text = experiment.status.status(self.whole)
    self.assertRegex(text, '(?s)finished.*search  12/12  100%.*evaluate  5/5')
    self.assertRegex(text, 'best accuracy')
    with folder.claim(
      self.whole, metrics.read_json(self.whole / 'config.json')
    ):
      self.assertTrue(folder.is_locked(self.whole))
      with self.assertRaisesRegex(folder.FolderError, 'Another process'):
        experiment.run(config(), self.whole)
    self.assertFalse(folder.is_locked(self.whole))

  def test_status_of_a_job_that_was_killed(self):
    copy = toys.folder(self)
    shutil.copytree(self.whole, copy)
    events = metrics.read(copy / 'events.jsonl')[:-2]
    (copy / 'events.jsonl').unlink()
    metrics.append(copy / 'events.jsonl', events)
    metrics.truncate(copy / 'search' / 'timings.jsonl', 7)
    state = experiment.status.read(copy)
    self.assertEqual(state['state'], 'stopped')
    self.assertRegex(experiment.status.status(copy), 'resumes it.*|ETA')

  def test_a_diverged_search_says_so_in_its_status(self):
    workdir = toys.folder(self)
    search = dict(CONFIG['search'], nan=True)
    with self.assertRaisesRegex(experiment.loop.Diverged, 'at step 1'):
      experiment.run(config(search=search), workdir)
    self.assertRegex(
      experiment.status.status(workdir), 'failed: train_loss is nan at step 1'
    )

  @parameterized.parameters(
    (dict(num_step=3), "'num_step'. Did you mean 'num_steps'"),
    (dict(serch={}), "'serch'. Did you mean 'search'"),
    (dict(num_steps='x'), 'config.num_steps must be int'),
    (dict(num_steps=None), 'config.num_steps must be int, got None'),
    (dict(num_seeds=0), 'num_seeds must be at least 1'),
    (dict(search=None), 'no section "search"'),
    (dict(space=None), "config.search.*'space'"),
    (
      dict(search=dict(name=f'{PARTS}:alpha_search', nann=1)),
      "config.search.*'nann'.*'nan'",
    ),
    (
      dict(search=dict(name='spaces.nasbench201.nasbench201')),
      'makes a Space, not a Search',
    ),
    (dict(evaluation=dict(name=f'{PARTS}:population')), 'evaluation.num_steps'),
    (dict(spec='/no/such.json'), 'no file /no/such.json'),
    (dict(describe=dict(params=3)), "config.describe: 'params'"),
    (dict(max_bytes=10), 'config.max_bytes: An update .* the budget is 0.0 MB'),
  )
  def test_a_mistake_in_the_config_is_one_error_before_any_work(
    self, changes, message
  ):
    workdir = toys.folder(self)
    with self.assertRaisesRegex(ValueError, message):
      experiment.run(config(**changes), workdir)
    self.assertFalse(workdir.exists())

  @parameterized.parameters(
    (
      'search',
      dict(
        search=dict(
          name='systems.darts.darts',
          input_shape=(8, 8, 1),
          steps_per_epoch=1,
          derive=None,
          network=dict(
            name='networks.nasbench201.NasBench201',
            operations=('none', 'conv7'),
          ),
        )
      ),
    ),
    (
      'evaluation',
      dict(evaluation=dict(name=f'{PARTS}:untraceable', num_steps=5)),
    ),
  )
  def test_a_network_that_cannot_be_built_is_one_error_before_any_work(
    self, section, changes
  ):
    workdir = toys.folder(self)
    with self.assertRaisesRegex(
      ValueError, f"config.{section}: Unknown operation 'conv7'"
    ):
      experiment.run(config(**changes), workdir)
    self.assertFalse(workdir.exists())

  def test_a_damaged_config_of_a_folder_is_named_and_left_alone(self):
    workdir = toys.folder(self)
    workdir.mkdir()
    (workdir / 'config.json').write_text('{"seed": ')
    with self.assertRaisesRegex(ValueError, 'config.json is damaged'):
      experiment.run(config(), workdir)
    self.assertEqual((workdir / 'config.json').read_text(), '{"seed": ')

  def test_tensorboard_that_is_not_installed_is_an_error_before_any_work(self):
    with mock.patch('importlib.util.find_spec', return_value=None):
      with self.assertRaisesRegex(ValueError, 'pip install tensorboardX'):
        experiment.prepare(config(tensorboard=True), toys.folder(self))

  def test_a_foreign_folder_and_a_file_are_refused_untouched(self):
    workdir = toys.folder(self)
    workdir.mkdir()
    (workdir / 'thesis.tex').write_text('my work')
    with self.assertRaisesRegex(folder.FolderError, 'holds no run'):
      experiment.run(config(), workdir)
    self.assertEqual([p.name for p in workdir.iterdir()], ['thesis.tex'])
    with self.assertRaisesRegex(folder.FolderError, 'is a file'):
      experiment.run(config(), workdir / 'thesis.tex')
    with self.assertRaisesRegex(folder.FolderError, 'cannot be written'):
      experiment.run(config(), workdir / 'thesis.tex' / 'below')

  def test_the_report_is_self_contained(self):
    page = (self.whole / 'report.html').read_text()
    sources = []

    class Parser(html.parser.HTMLParser):
      def handle_starttag(self, tag, attrs):
        sources.extend(v for k, v in attrs if k in ('src', 'href'))

    Parser().feed(page)
    self.assertGreaterEqual(len(sources), 5)
    for source in sources:
      kind, _, data = source.partition(',')
      self.assertEqual(kind, 'data:image/png;base64')
      self.assertEqual(base64.b64decode(data)[:4], b'\x89PNG')
    self.assertIsNone(re.search(r'url\(|@import|<script|<link', page))
    self.assertIn('viewport', page)
    for word in ('found - random', 'test_accuracy', 'alpha_search', 'Welch'):
      self.assertIn(word, page)

  def test_no_host_name_or_home_is_recorded(self):
    text = (self.whole / 'environment.json').read_text()
    self.assertNotIn(str(pathlib.Path.home()), text)
    self.assertEqual(json.loads(text)['versions']['jax'], jax.__version__)


if __name__ == '__main__':
  absltest.main()
