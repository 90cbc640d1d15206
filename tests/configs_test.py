"""Every config runs to its report in its quick form."""

import importlib
import json
import pathlib

import jax
import jax.numpy as jnp
import pytest

from configs import darts_rnn_text, lga_digits, nao_text, wiring_digits
from nasjax import experiment
from nasjax.experiment import build, settings
from nasjax.networks import NasBench201
from nasjax.spaces import nasbench201

_CONFIGS = sorted(
  path.stem
  for path in (pathlib.Path(__file__).parents[1] / 'configs').glob('*.py')
  if path.stem != '__init__'
)
_SCORES = [name for name in _CONFIGS if name.startswith('score_')]
_STUDIES = [name for name in _CONFIGS if name.startswith('study_')]
_COMPARISONS = [name for name in _CONFIGS if name.startswith('compare_')]
_PROFILES = [name for name in _CONFIGS if name.startswith('profile_')]
_OTHERS = (*_SCORES, *_STUDIES, *_COMPARISONS, *_PROFILES)
_SEARCHES = [name for name in _CONFIGS if name not in _OTHERS]
# Compiling these takes more than twenty seconds; darts_digits, the main job,
# does too, and the parts of all of them are compiled by conformance tests.
_LONG = (
  'agnn_planetoid',
  'assisted_evolution_nasbench201',
  'bignas_digits',
  'd_darts_digits',
  'darts_prime_digits',
  'darts_pt_digits',
  'darts_rnn_text',
  'drnas_digits',
  'gdas_digits',
  'ghn2_cifar10',
  'ghn2_digits',
  'irlas_nasbench201',
  'lga_digits',
  'nago_digits',
  'nao_text',
  'p_darts_digits',
  'pc_darts_digits',
)


def _slow_if_long(name):
  return pytest.param(name, marks=[pytest.mark.slow] * (name in _LONG))


@pytest.mark.parametrize('name', [_slow_if_long(name) for name in _SEARCHES])
def test_the_quick_form_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  outcome = experiment.run(config, tmp_path / 'run')
  others = config.get('evaluation', {}).get('baselines', {})
  assert {row['name'] for row in outcome['rows']} == {
    'found',
    'random',
    *config.get('references', {}),
    *others,
  }
  stored = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert len(stored['rows']) == len(outcome['rows'])
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _SCORES)
def test_the_quick_form_of_scores_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  outcome = experiment.score(config, tmp_path / 'run')
  scores = {row['proxy'] for row in outcome['proxies']}
  assert {row['section'] for row in outcome['proxies']} == set(config.proxies)
  assert all(
    row['proxy'].startswith(row['section']) for row in outcome['proxies']
  )
  if 'accuracies' in config:
    ranked = {row['score'] for row in outcome['correlations']}
    assert ranked == {'params', 'macs', *config.assembled, *scores}
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _STUDIES)
def test_the_quick_form_of_studies_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  outcome = experiment.study(config, tmp_path / 'run')
  assert set(config.strategies) <= {row['strategy'] for row in outcome['rows']}
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _COMPARISONS)
def test_the_quick_form_of_comparisons_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  outcome = experiment.compare(config, tmp_path / 'run')
  groups = {row['name'] for row in outcome['methods']}
  assert groups == {*config.methods, *config.random}
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _PROFILES)
def test_the_quick_form_of_profiles_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  job = experiment.profiles.prepare(config, tmp_path / 'run')
  experiment.profiles.execute(job)
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _CONFIGS)
def test_an_unknown_option_is_named(name):
  module = importlib.import_module(f'configs.{name}')
  with pytest.raises(ValueError, match='Known: .*quick'):
    module.get_config('swift')


@pytest.mark.parametrize('name', _CONFIGS)
def test_the_head_gives_the_command(name):
  module = importlib.import_module(f'configs.{name}')
  assert f'--config=configs/{name}.py' in ' '.join(module.__doc__.split())


def test_networks_for_images_of_another_shape_are_refused(tmp_path):
  config = importlib.import_module('configs.darts_digits').get_config('quick')
  config.search.input_shape = (8, 8, 3)
  with pytest.raises(ValueError, match=r'\(8, 8, 3\), but .* \(8, 8, 1\)'):
    experiment.prepare(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_weights_of_networks_for_digits_are_counted_on_the_network():
  config = lga_digits.get_config()
  settings = {k: v for k, v in config.network.items() if k != 'name'}
  num_params = lga_digits.num_params(NasBench201(**settings))
  for op in ([0, 1, 2, 3, 4, 3], [0] * 6):
    arch = {'op': jnp.array(op)}
    of_colour_images = nasbench201.num_params(arch, channels=8, cells=1)
    # The stem sees one channel, not three.
    assert num_params(arch) == of_colour_images - 2 * 9 * 8
  tiny = lga_digits.num_params(NasBench201(channels=2, num_stages=1))
  # Stem, norms of stem and end, classifier.
  assert tiny({'op': jnp.zeros(6, int)}) == 18 + 4 + 4 + 30


@pytest.mark.parametrize('sampler', wiring_digits.SAMPLERS)
def test_every_sampler_is_watched_by_what_steers_it(sampler):
  for level, part in (('single', 'train'), ('bilevel', 'valid')):
    config = wiring_digits.get_config(
      f'sampler={sampler},level={level},nodes=4,images=300'
    )
    checked = settings.check(settings.plain(config))
    epochs = checked['search']['search']
    assert epochs['search']['level'] == level
    assert epochs['observe']['steering'] == part
    assert checked['space']['mask']['normal'] == (14, 4)
    assert checked['data']['sizes'] == {'train': 300, 'valid': 300}


@pytest.mark.parametrize('num_nodes', [8, 11])
def test_the_lstm_has_as_many_weights_as_the_cells_beside_it(num_nodes):
  scale = darts_rnn_text.DEFAULT._replace(num_nodes=num_nodes)
  evaluation = darts_rnn_text.evaluation(scale)
  counts = []
  for section in (evaluation, evaluation['baselines']['lstm']):
    model = build.build(section['trainer']['network'])
    arch = {'recurrent': jnp.full((num_nodes * (num_nodes + 1) // 2, 5), 0.2)}
    variables = jax.eval_shape(
      model.init,
      jax.random.key(0),
      arch,
      jnp.zeros((1, 1), int),
      model.initial(1),
    )
    counts.append(sum(leaf.size for leaf in jax.tree.leaves(variables)))
  cell, lstm = counts
  assert cell <= lstm < 1.02 * cell


@pytest.mark.parametrize(
  'method, section, key',
  [
    ('nao', 'strategy', 'num_new'),
    ('random', 'search', 'num_samples'),
    ('evolution', 'search', 'num_children'),
  ],
)
def test_all_methods_on_recurrent_cells_train_as_many(method, section, key):
  config = nao_text.get_config(f'method={method}')
  assert config.num_steps * config[section].get(key, 1) == 60
